"""How the versions on a model's route differ in the columns of their requests."""

from __future__ import annotations

import contextlib
from typing import Any

from cli.place import Place
from modelcycle.faults import Tampered, Unknown
from modelcycle.messages import Artifact, ContractChange, contract_change
from modelcycle.registry import Route
from modelcycle.store import S3Store, read_json


def route_contract_changes(place: Place, model: str, route: Route) -> dict[int, ContractChange]:
    """Return, by version, how its columns differ from those of the next older version on the route.

    Versions whose files are gone are left out: they do not answer.
    """
    numbers = sorted({*route.order, *([route.shadow] if route.shadow is not None else [])})
    signatures = {number: place.registry.versions.get(model, number).signature for number in numbers}
    if len({signature.sha256 for signature in signatures.values()}) < 2:
        return {}
    artifacts = place.artifacts
    read: dict[int, dict[str, Any]] = {}
    for number in numbers:
        with contextlib.suppress(Unknown, Tampered):
            read[number] = _read(artifacts, signatures[number])
    pairs = zip(list(read)[:-1], list(read)[1:], strict=True)
    changes = {later: contract_change(earlier, read[earlier], read[later]) for earlier, later in pairs}
    return {version: change for version, change in changes.items() if change is not None}


def _read(artifacts: S3Store, signature: Artifact) -> dict[str, Any]:
    document: dict[str, Any] = read_json(artifacts, signature)
    return document
