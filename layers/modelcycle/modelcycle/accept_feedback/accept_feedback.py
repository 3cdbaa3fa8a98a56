"""Keep the outcomes of a request as an object, which monitoring and the judge of rollouts read."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from modelcycle.accept_feedback.outcomes_request import outcomes_of
from modelcycle.accept_feedback.personal_fields import treat_fields
from modelcycle.faults import Unknown
from modelcycle.pseudonyms import Macs
from modelcycle.registry import Registry
from modelcycle.store import Store


def accept_feedback(
    model: str, request: Any, key: str, at: datetime, *, data: Store, artifacts: Store, registry: Registry, keys: Macs
) -> dict[str, Any]:
    """Keep outcomes, without personal values. Idempotent: see `outcomes_key`.

    Whether they belong to predictions is not looked at: captures may arrive later than the outcomes.

    Parameters
    ----------
    request : parsed body
    key : the client's Idempotency-Key; may be empty
    at : when the request arrived, in UTC
    artifacts : the bucket with the versions, which say what is personal
    keys : of pseudonyms

    Returns
    -------
    how many, and the key of the object that keeps them

    Raises
    ------
    Unknown : there is no such model
    BadRequest, TooLarge : see `outcomes_of`
    Transient : an id has to become a pseudonym, and the key service does not answer; nothing is kept then
    Tampered : see `treat_fields`; nothing is kept then
    """
    rows = outcomes_of(request)
    if not registry.runs.has_model(model):
        raise Unknown(f"there is no model {model}", "", "check the name in the path")
    treated = treat_fields(model, rows, registry=registry, artifacts=artifacts, keys=keys)
    kept = _lines(treated.rows)
    # by what was sent: a repeated request is the same one, also after a version with other pseudonyms went live
    name = outcomes_key(model, treated.tag(_lines(rows), kept), key, at)
    data.put(name, kept)
    return {"model": model, "outcomes": len(rows), "kept": name}


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(f"{json.dumps(row, sort_keys=True)}\n" for row in rows).encode()


def outcomes_key(model: str, tag: bytes, key: str, at: datetime) -> str:
    """Return the key of the object that holds outcomes.

    A request that is repeated with its Idempotency-Key is the same for ever. Without such a key, the same outcomes
    within an hour are one request: it is repeated within seconds, and must not win over a correction in between.

    Parameters
    ----------
    tag : of the request's outcomes: their bytes, or a code of them where these hold personal values

    Examples
    --------
    >>> outcomes_key("churn", b"", "", datetime(2026, 1, 2, 3, 4))[:29]
    'feedback/churn/api/2026010203'
    """
    name = "key" if key else f"{at:%Y%m%d%H}"
    digest = hashlib.sha256(json.dumps(key).encode() + tag).hexdigest()
    return f"feedback/{model}/api/{name}-{digest}.jsonl"
