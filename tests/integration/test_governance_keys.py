"""A new stack on kept data gets the keys that have signed and pseudonymised them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.deployment.deploy import data_parameters
from infra.deployment.existing_data import find_keys
from infra.deployment.faults import DataUnclear
from infra.deployment.governance_keys import governance_parameters
from infra.deployment.stack import Stack
from tests.integration.kept_stack import STACK, Client, account_of_moto, keep, with_tags_of_keys

SPECS = {
    "signing-key": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
    "pseudonym-key": {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with account_of_moto(monkeypatch) as client:
        yield with_tags_of_keys(client)


def make(client: Client, holds: str, registry: str, stack: str = STACK) -> str:
    tags = {"modelcycle:stack": stack, "modelcycle:registry": registry, "modelcycle:holds": holds}
    made = client("kms").create_key(
        Tags=[{"TagKey": name, "TagValue": value} for name, value in tags.items()], **SPECS[holds]
    )
    return str(made["KeyMetadata"]["Arn"])


def test_a_new_stack_gets_the_keys_of_the_registry_that_it_gets(client: Client) -> None:
    data = keep(client, "one")
    keys = {holds: make(client, holds, data.registry) for holds in SPECS}
    for holds in SPECS:
        make(client, holds, "two-Registry")
        make(client, holds, data.registry, stack="modelcycle-prod")
    given = data_parameters(client, STACK, None, {}, "")
    assert given["ExistingSigningKey"] == keys["signing-key"]
    assert given["ExistingPseudonymKey"] == keys["pseudonym-key"]
    assert "ExistingSigningKey" not in data_parameters(client, STACK, None, {}, "new")
    assert len(find_keys(client, STACK)) == 4, "`make destroy` names them, and deletes them with the data"


def test_a_restored_registry_gets_the_only_keys_of_its_stack(client: Client) -> None:
    key = make(client, "signing-key", "one-Registry")
    assert governance_parameters(client, STACK, None, {}, "restored") == {"ExistingSigningKey": key}
    make(client, "signing-key", "two-Registry")
    with pytest.raises(DataUnclear, match="2 keys could be the signing key of restored") as fault:
        governance_parameters(client, STACK, None, {}, "restored")
    assert "ExistingSigningKey=" in fault.value.remedy
    named = {"ExistingSigningKey": key}
    assert governance_parameters(client, STACK, None, named, "restored") == {}


def test_a_stack_that_has_its_keys_keeps_them_and_one_that_turns_them_on_again_gets_the_old_ones(
    client: Client,
) -> None:
    key = make(client, "signing-key", "one-Registry")
    has = Stack(STACK, "arn", "UPDATE_COMPLETE", False, {}, {"RegistryTable": "one-Registry", "SigningKey": key})
    assert governance_parameters(client, STACK, has, {}, "one-Registry") == {}
    off = Stack(STACK, "arn", "UPDATE_COMPLETE", False, {}, {"RegistryTable": "one-Registry", "SigningKey": "none"})
    assert governance_parameters(client, STACK, off, {}, "one-Registry") == {"ExistingSigningKey": key}
    client("kms").schedule_key_deletion(KeyId=key.rpartition("/")[2], PendingWindowInDays=30)
    assert governance_parameters(client, STACK, off, {}, "one-Registry") == {}
