"""Port: two keys that never leave their service: one signs, one makes message authentication codes. Adapter: KMS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from modelcycle.faults import Fault
from modelcycle.outages import Unreachable, outages_as_faults

DIGEST_BYTES = 32  # of SHA-256
MAX_MESSAGE_BYTES = 4096  # of `mac` (AWS page "GenerateMac")
SIGNING, MAC = "ECDSA_SHA_256", "HMAC_SHA_256"
NONE = "none"  # instead of a key: the stack's outputs have no empty values
TURN_ON = "deploy with GovernanceKeys=on"
# the key is there, but not in use: disabled, waiting for its deletion, gone (AWS page "Key states")
UNUSABLE = frozenset({"DisabledException", "KMSInvalidStateException", "NotFoundException"})


class KeyService(Protocol):
    """The stack's keys of governance.

    Every method raises Transient if the service does not answer, Throttled if it limits the rate, and Fault if the
    stack has no such key, or if the key is disabled or deleted.
    """

    @property
    def signs(self) -> bool:
        """Whether there is a key that signs."""

    @property
    def makes_macs(self) -> bool:
        """Whether there is a key for `mac`."""

    def sign(self, digest: bytes) -> bytes:
        """Return a signature of a SHA-256: ECDSA on P-256, as DER. Each call gives another one.

        Parameters
        ----------
        digest : 32 bytes
        """

    def verify(self, digest: bytes, signature: bytes) -> bool:
        """Return whether a signature of a SHA-256 is of this key."""

    def public_key(self) -> bytes:
        """Return the public part of the key that signs, as DER (SubjectPublicKeyInfo)."""

    def mac(self, message: bytes) -> bytes:
        """Return the HMAC-SHA-256 of a message, 32 bytes: the same for the same message.

        Parameters
        ----------
        message : 1 to 4,096 bytes; it is sent to the service: not a person's value, but what a key is derived from
        """


class KmsKeys:
    """The keys of a stack in KMS.

    Parameters
    ----------
    client : botocore's KMS client; a function without it is called at the first use
    signing, pseudonym : ARNs or ids of the keys; empty or `none` if there is no such key
    unreachable : the client's errors for a service that does not answer
    """

    def __init__(self, client: Any, signing: str, pseudonym: str = "", unreachable: Unreachable = ()) -> None:
        self._client = client
        self.signing = "" if signing == NONE else signing
        self.pseudonym = "" if pseudonym == NONE else pseudonym
        self.unreachable = unreachable

    @property
    def client(self) -> Any:
        if callable(self._client):
            self._client = self._client()
        return self._client

    @property
    def signs(self) -> bool:
        return bool(self.signing)

    @property
    def makes_macs(self) -> bool:
        return bool(self.pseudonym)

    def sign(self, digest: bytes) -> bytes:
        request = self._of_digest(digest)
        with self._faults(self.signing):
            signature: bytes = self.client.sign(**request)["Signature"]
        return signature

    def verify(self, digest: bytes, signature: bytes) -> bool:
        request = self._of_digest(digest)
        try:
            with self._faults(self.signing):
                return bool(self.client.verify(**request, Signature=signature)["SignatureValid"])
        except self.client.exceptions.KMSInvalidSignatureException:
            return False

    def public_key(self) -> bytes:
        key = _present(self.signing, "signs")
        with self._faults(key):
            der: bytes = self.client.get_public_key(KeyId=key)["PublicKey"]
        return der

    def mac(self, message: bytes) -> bytes:
        key = _present(self.pseudonym, "makes pseudonyms")
        if not 0 < len(message) <= MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of {len(message)} bytes; KMS takes 1 to {MAX_MESSAGE_BYTES}")
        with self._faults(key):
            code: bytes = self.client.generate_mac(KeyId=key, MacAlgorithm=MAC, Message=message)["Mac"]
        return code

    def _of_digest(self, digest: bytes) -> dict[str, Any]:
        if len(digest) != DIGEST_BYTES:
            raise ValueError(f"a digest of {len(digest)} bytes; SHA-256 has {DIGEST_BYTES}")
        key = _present(self.signing, "signs")
        return {"KeyId": key, "Message": digest, "MessageType": "DIGEST", "SigningAlgorithm": SIGNING}

    @contextmanager
    def _faults(self, key: str) -> Iterator[None]:
        with outages_as_faults("KMS", key, self.unreachable):
            try:
                yield
            except Exception as error:
                code = getattr(error, "response", {}).get("Error", {}).get("Code")
                if code not in UNUSABLE:
                    raise
                raise Fault(
                    f"the key is disabled, or was deleted ({code})", key,
                    "enable it, or cancel its deletion: `aws kms cancel-key-deletion`, `aws kms enable-key`",
                ) from error  # fmt: skip


def _present(key: str, does: str) -> str:
    if not key:
        raise Fault(f"this stack has no key that {does}", "parameter GovernanceKeys", TURN_ON)
    return key
