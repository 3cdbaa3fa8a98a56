"""The keys of KMS (moto) do what the fake of the tests does."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from moto import mock_aws

from modelcycle.faults import Fault, Throttled, Transient
from modelcycle.key_service import KeyService, KmsKeys
from tests.fakes import MemoryKeys

DIGEST, OTHER = hashlib.sha256(b"a version").digest(), hashlib.sha256(b"another").digest()


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield boto3.client("kms", region_name="us-east-1")


def made(kms: Any) -> KmsKeys:
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    pseudonym = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"]
    return KmsKeys(kms, signing, pseudonym)


@pytest.mark.parametrize("kind", ["kms", "memory"])
def test_a_signature_is_of_one_key_and_one_digest(kms: Any, kind: str) -> None:
    keys: KeyService = made(kms) if kind == "kms" else MemoryKeys()
    assert keys.signs and keys.makes_macs
    signature = keys.sign(DIGEST)
    assert keys.verify(DIGEST, signature)
    assert not keys.verify(OTHER, signature)
    assert not keys.verify(DIGEST, signature[:-1] + bytes([signature[-1] ^ 1]))
    assert not MemoryKeys().verify(DIGEST, signature)
    public = load_der_public_key(keys.public_key())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    if kind == "memory":  # moto hashes a digest once more; tests/e2e checks the local cloud
        public.verify(signature, DIGEST, ec.ECDSA(Prehashed(SHA256())))


@pytest.mark.parametrize("kind", ["kms", "memory"])
def test_a_code_is_the_same_for_the_same_message(kms: Any, kind: str) -> None:
    keys: KeyService = made(kms) if kind == "kms" else MemoryKeys()
    code = keys.mac(b"churn")
    assert len(code) == 32 and code == keys.mac(b"churn") != keys.mac(b"churn2")


def test_a_stack_without_keys_says_so() -> None:
    keys = KmsKeys(None, "none", "none")
    assert not keys.signs and not keys.makes_macs
    for call in (lambda: keys.sign(DIGEST), lambda: keys.verify(DIGEST, b"x"), keys.public_key, lambda: keys.mac(b"x")):
        with pytest.raises(Fault, match="has no key") as fault:
            call()
        assert "GovernanceKeys=on" in fault.value.remedy


def test_only_digests_and_short_messages_are_sent() -> None:
    keys = KmsKeys(None, "signing", "pseudonym")
    for wrong in (lambda: keys.sign(b"short"), lambda: keys.mac(b""), lambda: keys.mac(bytes(4097))):
        with pytest.raises(ValueError, match="bytes; "):
            wrong()


class Failing:
    """A client of which every call fails."""

    def __init__(self, code: str) -> None:
        from botocore.exceptions import ClientError

        self.error = ClientError({"Error": {"Code": code, "Message": code}}, "Verify")
        self.exceptions = boto3.client("kms", region_name="us-east-1").exceptions

    def verify(self, **_: Any) -> Any:
        raise self.error


@pytest.mark.parametrize(("code", "fault"), [
    ("KMSInternalException", Transient), ("DependencyTimeoutException", Transient), ("ThrottlingException", Throttled),
    ("DisabledException", Fault), ("KMSInvalidStateException", Fault), ("NotFoundException", Fault),
])  # fmt: skip
def test_failures_are_named_so_that_a_step_knows_what_to_do(kms: Any, code: str, fault: type[Fault]) -> None:
    with pytest.raises(Fault) as raised:
        KmsKeys(Failing(code), "signing").verify(DIGEST, b"signature")
    assert type(raised.value) is fault


def test_the_client_is_made_when_a_key_is_used() -> None:
    def never() -> Any:
        raise AssertionError

    assert KmsKeys(never, "none").signs is False
