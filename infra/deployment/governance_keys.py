"""Finds the keys of governance that outlived a stack: what has signed the kept versions, and made the kept pseudonyms.

A new key in their place would fail late: no kept version could be loaded, and nobody's pseudonym would be the one that
is in the data.
"""

from __future__ import annotations

from collections.abc import Mapping

from infra.deployment.existing_data import HOLDS_TAG, Client, tagged
from infra.deployment.faults import DataUnclear
from infra.deployment.stack import Stack

REGISTRY_TAG = "modelcycle:registry"
PARAMETERS = {"signing-key": "ExistingSigningKey", "pseudonym-key": "ExistingPseudonymKey"}
OUTPUTS = {"signing-key": "SigningKey", "pseudonym-key": "PseudonymKey"}
USABLE = ("Enabled", "Disabled")  # a disabled one is refused where it is used, with what to do


def governance_parameters(
    client: Client, name: str, stack: Stack | None, settings: Mapping[str, str], registry: str
) -> dict[str, str]:
    """Return the parameters that name the keys which belong to a registry, where the stack would make new ones.

    Parameters
    ----------
    stack : as it is; None: there is none
    registry : the table that the stack is going to use; empty for a new one

    Raises
    ------
    DataUnclear : several keys of one kind belong to it, and none is named
    """
    if not registry:
        return {}
    kept = _kept(client, name, registry)
    found = {}
    for holds, parameter in PARAMETERS.items():
        in_use = stack.outputs.get(OUTPUTS[holds], "none") if stack else "none"
        keys = kept.get(holds, [])
        if settings.get(parameter) or in_use != "none" or not keys:
            continue
        if len(keys) > 1:
            raise DataUnclear(
                f"{len(keys)} keys could be the {holds.replace('-', ' ')} of {registry}", ", ".join(keys),
                f"name one: WITH=\"{parameter}={keys[0]}\"",
            )  # fmt: skip
        found[parameter] = keys[0]
    return found


def _kept(client: Client, name: str, registry: str) -> dict[str, list[str]]:
    """Return the ARNs of the keys of each kind: those of the registry, or all if it has none, as a restored one."""
    kms = client("kms")
    of_registry: dict[str, list[str]] = {}
    of_stack: dict[str, list[str]] = {}
    for key, tags in tagged(client, name, "kms:key"):
        holds = tags.get(HOLDS_TAG, "")
        if holds not in PARAMETERS:
            continue
        try:
            metadata = kms.describe_key(KeyId=key.removeprefix("key/"))["KeyMetadata"]
        except kms.exceptions.NotFoundException:
            continue
        if metadata["KeyState"] in USABLE:
            of_stack.setdefault(holds, []).append(metadata["Arn"])
            if tags.get(REGISTRY_TAG) == registry:
                of_registry.setdefault(holds, []).append(metadata["Arn"])
    return {holds: sorted(of_registry.get(holds, arns)) for holds, arns in of_stack.items()}
