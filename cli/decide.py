"""`approve`, `reject`, `rollback`, `promote`: a person's word about a version, said to the API."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from cli import console, signing
from cli import place as places
from cli.screens import versions as screen
from modelcycle.faults import BadInput, Unknown
from modelcycle.messages import Decided
from modelcycle.spec import MODEL_NAME

Decision = Literal["approve", "reject", "rollback", "promote"]


def decide(
    decision: Decision, named: str, why: str, name: places.Name, stage: str, as_json: bool,
    asked_at: datetime | None = None,
) -> int:  # fmt: skip
    """Send the decision and show its answer. `asked_at`: of a rollback, when the person started the command."""
    model, version = model_and_version(named)
    if version is None and decision != "rollback":
        raise BadInput(
            f"{decision} is about one version",
            named,
            f"modelcycle {decision} {model}:VERSION; `modelcycle show {model}` lists them",
        )
    place = places.find(name, stage)
    if model not in place.registry.runs.models():
        raise Unknown(f"there is no model {model}", place.title, "`modelcycle models` lists the models")
    body = {"decision": decision, "version": version, "why": why}
    if asked_at:
        body["asked_at"] = asked_at.isoformat()
    answer = signing.call(place, "POST", f"/models/{model}/decisions", body)
    if as_json:
        console.print_json(answer)
    else:
        decided = Decided.model_validate(answer)
        console.show(screen.decided(decided))
        if decided.note:
            console.show(f"  note          {decided.note}")
    return console.DONE


def model_and_version(named: str) -> tuple[str, int | None]:
    """`adult-income:7` as its parts.

    Raises
    ------
    BadInput : what follows the colon is no version
    """
    model, colon, version = named.partition(":")
    if not re.fullmatch(MODEL_NAME, model) or (
        colon and not (version.isascii() and version.isdigit() and int(version) > 0)
    ):
        raise BadInput(
            f"{named!r} is not MODEL:VERSION",
            "the command line",
            "a model's name is a-z 0-9 and -, a version a whole number, as in adult-income:7",
        )
    return model, int(version) if colon else None
