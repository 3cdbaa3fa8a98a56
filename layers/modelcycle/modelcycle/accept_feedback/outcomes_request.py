"""The outcomes in a request: `{"outcomes": [{"prediction_id": ..., "outcome": ..., "at": ...}, ...]}`."""

from __future__ import annotations

from typing import Any

from modelcycle.cells.moments import read_time
from modelcycle.faults import BadRequest, TooLarge
from modelcycle.json_pointer import json_pointer
from modelcycle.model.request import MAX_OUTCOMES, MAX_REQUEST_ERRORS

MAX_FIELDS = 100  # of one outcome
ID, OUTCOME, AT = "prediction_id", "outcome", "at"
REMEDY = 'send {"outcomes": [{"prediction_id": "...", "outcome": "yes"}, ...]}'


def outcomes_of(request: Any) -> list[dict[str, Any]]:
    """Return the outcomes of a parsed request.

    Each names a prediction, by `prediction_id` or by the id columns of the model; and what really happened.

    Raises
    ------
    BadRequest : names each wrong field by JSON pointer (RFC 6901), at most MAX_REQUEST_ERRORS
    TooLarge : more than MAX_OUTCOMES
    """
    if not isinstance(request, dict):
        raise BadRequest.at([("", "an object is expected")], REMEDY)
    errors = [
        (json_pointer(name), "unknown field; only `outcomes` is allowed") for name in request if name != "outcomes"
    ]
    rows = request.get("outcomes")
    if not isinstance(rows, list) or not rows:
        errors.append(("/outcomes", "a list of at least one outcome is expected"))
        raise BadRequest.at(errors[:MAX_REQUEST_ERRORS], REMEDY)
    if len(rows) > MAX_OUTCOMES:
        raise TooLarge(
            f"the request has {len(rows):,} outcomes; the limit is {MAX_OUTCOMES:,}", "/outcomes",
            "send them in several requests, or with `modelcycle feedback`",
        )  # fmt: skip
    for number, row in enumerate(rows):
        if len(errors) >= MAX_REQUEST_ERRORS:
            break
        errors += [(json_pointer("outcomes", number, *path), detail) for path, detail in _errors(row)]
    if errors:
        raise BadRequest.at(errors[:MAX_REQUEST_ERRORS], REMEDY)
    return rows


def _errors(row: Any) -> list[tuple[tuple[str, ...], str]]:
    if not isinstance(row, dict):
        return [((), "an object is expected")]
    if len(row) > MAX_FIELDS:
        return [((), f"at most {MAX_FIELDS} fields are expected")]
    errors: list[tuple[tuple[str, ...], str]] = [
        ((name,), "a text, a number, true, false or null is expected")
        for name, value in row.items()
        if isinstance(value, dict | list)
    ]
    if _is_empty(row.get(OUTCOME)):
        errors.append(((OUTCOME,), "what really happened is missing: a class, or a number"))
    if ID in row and (not isinstance(row[ID], str) or _is_empty(row[ID])):
        errors.append(((ID,), "the id that the answer came with is expected, a text"))
    elif ID not in row and not any(name not in (OUTCOME, AT) and not _is_empty(row[name]) for name in row):
        errors.append(((ID,), "the prediction is not named: its id, or the id columns of the model, are missing"))
    if not _is_empty(row.get(AT)) and read_time(row[AT]) is None:
        errors.append(((AT,), "a time is expected (ISO 8601), or seconds or milliseconds since 1970"))
    return errors


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
