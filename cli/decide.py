"""`approve`, `reject`, `rollback`, `promote`: a person's decision about a version, sent to the API."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from cli import console, signing
from cli.left_out import say_of_a_decision
from cli.options import Options
from cli.screens.versions import decided_text
from modelcycle.faults import BadInput, NotAllowed
from modelcycle.messages import Decided
from modelcycle.spec import MODEL_NAME

ANOTHER = "another person has to approve it"
BE_ANOTHER = "how to be another person on the local cloud says docs/policy.md, at the end of Approvals"

Decision = Literal["approve", "reject", "rollback", "promote"]


def decide(decision: Decision, name: str, why: str, options: Options, asked_at: datetime | None = None) -> int:
    """Send a decision and show what it changed.

    Parameters
    ----------
    name : MODEL:VERSION; for `rollback` also MODEL
    why : the reason, for the audit trail
    asked_at : when the person started a rollback; a rollback by someone else since then counts as this one
    """
    model, version = model_and_version(name)
    if version is None and decision != "rollback":
        raise BadInput(
            f"{decision} needs a version", name,
            f"modelcycle {decision} {model}:VERSION; `modelcycle show {model}` lists them",
        )  # fmt: skip
    place = options.open_place()
    place.check_model(model)
    say_of_a_decision(place)
    body = {"decision": decision, "version": version, "why": why}
    if asked_at:
        body["asked_at"] = asked_at.isoformat()
    try:
        answer = signing.call(place, "POST", f"/models/{model}/decisions", body)
    except NotAllowed as fault:
        if place.name == "local" and ANOTHER in fault.remedy:
            raise NotAllowed(fault.what, fault.where, f"{fault.remedy}: {BE_ANOTHER}") from fault
        raise
    if options.as_json:
        console.print_json(answer)
    else:
        decided = Decided.model_validate(answer)
        console.show(decided_text(decided))
        if decided.waits and place.name == "local":
            console.say(BE_ANOTHER)
    return console.DONE


def model_and_version(name: str) -> tuple[str, int | None]:
    """Split MODEL or MODEL:VERSION.

    Raises
    ------
    BadInput : the name is neither

    Examples
    --------
    >>> model_and_version("adult-income:7"), model_and_version("adult-income")
    (('adult-income', 7), ('adult-income', None))
    """
    model, colon, version = name.partition(":")
    is_version = version.isascii() and version.isdigit() and int(version) > 0
    if not re.fullmatch(MODEL_NAME, model) or (colon and not is_version):
        raise BadInput(
            f"{name!r} is not MODEL:VERSION", "the command line",
            "a model's name has a-z, 0-9 and -, and a version is a whole number, as in adult-income:7",
        )  # fmt: skip
    return model, int(version) if colon else None
