"""The contract to which a run is held: that of the live version, as the run first saw it."""

from __future__ import annotations

from typing import NamedTuple

from modelcycle.contract import Contract
from modelcycle.messages import Artifact, Run
from modelcycle.registry import Registry
from modelcycle.store import Store, put_json, read_json


class Pinned(NamedTuple):
    """The contract of a version, and where it is."""

    contract: Contract
    artifact: Artifact
    version: int | None


def pinned_contract(run: Run, artifacts: Store, registry: Registry) -> Pinned | None:
    """Return the live version's contract; None if none is live, or if it has no contract.

    A redelivered event finds the same one, even if another version has gone live since.
    """
    version, contract = registry.routes.get(run.model).champion, None
    if version is not None:
        contract = registry.versions.get(run.model, version).contract
    if contract is not None and artifacts.missing([contract]):
        contract = None
    first_seen = put_json(
        artifacts, run.key("collect", "contract.json"),
        {"version": version, "contract": contract.model_dump() if contract else None},
    )  # fmt: skip
    seen = read_json(artifacts, first_seen)
    if seen["contract"] is None:
        return None
    artifact = Artifact.model_validate(seen["contract"])
    return Pinned(Contract.model_validate_json(artifacts.read(artifact)), artifact, seen["version"])


def contract_for(pinned: Pinned | None, contents: list[str], artifacts: Store) -> Pinned | None:
    """Return the contract for files of these contents.

    The very files that the version has learned from are read under the contract under which that version read them: so
    equal files give equal results, whichever version is live.
    """
    if pinned is None or set(contents) != pinned.contract.contents:
        return pinned
    earlier = pinned.contract.made_under
    if earlier is None or artifacts.missing([earlier]):
        return None
    contract = Contract.model_validate_json(artifacts.read(earlier))
    return Pinned(contract, earlier, pinned.contract.made_under_version)
