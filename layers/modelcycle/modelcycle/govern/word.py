"""A person's word as it comes over HTTP, read so that each wrong field is named."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from modelcycle.faults import BadRequest
from modelcycle.messages import Decision

CLOCKS_DIFFER = timedelta(minutes=1)  # between a person's machine and AWS, at most, as far as `asked_at` is believed
FIELDS = {
    "decision": "one of approve, reject, rollback, promote is expected",
    "version": "a whole number is expected",
    "why": "a text of at most 1,000 characters is expected",
    "asked_at": "a time with its zone is expected (RFC 3339)",
}


def read_decision(body: str | None, model: str, by: str, received: datetime | None = None) -> Decision:
    """The decision in a request's body; the model comes from the path, and who decides from the signature.

    Parameters
    ----------
    received : when the request came; the person asked then, or at `asked_at` of the body, up to a minute before

    Raises
    ------
    BadRequest : names every wrong field by JSON pointer (RFC 6901)
    """
    try:
        told: Any = json.loads(body or "")
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON", "", _REMEDY) from None
    if not isinstance(told, dict):
        raise BadRequest("an object is expected", "", _REMEDY, [{"pointer": "", "detail": "an object is expected"}])
    wrong = {name: f"no such field; {', '.join(FIELDS)} are known" for name in told if name not in FIELDS}
    if isinstance(told.get("version"), bool | str):  # pydantic would read them as numbers
        wrong["version"] = FIELDS["version"]
    if not isinstance(told.get("asked_at"), str | None):  # likewise numbers as times
        wrong["asked_at"] = FIELDS["asked_at"]
    try:
        decision = Decision.model_validate(
            {name: told[name] for name in FIELDS if name in told} | {"model": model, "by": by}
        )
    except ValidationError as problems:
        wrong |= {name: FIELDS[name] for name in (str(problem["loc"][0]) for problem in problems.errors())}
    else:
        if decision.version is None and decision.decision != "rollback":
            wrong["version"] = FIELDS["version"]
        if not wrong:
            return decision.model_copy(update={"asked_at": _asked(decision.asked_at, received)})
    errors = [
        {"pointer": "/" + name.replace("~", "~0").replace("/", "~1"), "detail": detail}
        for name, detail in wrong.items()
    ]
    raise BadRequest(f"{errors[0]['pointer']}: {errors[0]['detail']}", "", _REMEDY, errors)


def _asked(asked_at: datetime | None, received: datetime | None) -> datetime | None:
    if asked_at is None or received is None:
        return asked_at or received
    return min(max(asked_at, received - CLOCKS_DIFFER), received)


_REMEDY = 'send {"decision": "approve", "version": 4, "why": "..."}'
