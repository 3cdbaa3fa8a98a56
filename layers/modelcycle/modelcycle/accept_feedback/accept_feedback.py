"""Keep the outcomes of a request as an object, which monitoring and the judge of rollouts read."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from modelcycle.accept_feedback.outcomes_request import outcomes_of
from modelcycle.faults import Unknown
from modelcycle.registry import Registry
from modelcycle.store import Store


def accept_feedback(
    model: str, request: Any, key: str, at: datetime, *, data: Store, registry: Registry
) -> dict[str, Any]:
    """Keep outcomes. Idempotent: see `outcomes_key`.

    Whether they belong to predictions is not looked at: captures may arrive later than the outcomes.

    Parameters
    ----------
    request : parsed body
    key : the client's Idempotency-Key; may be empty
    at : when the request arrived, in UTC

    Raises
    ------
    Unknown : there is no such model
    BadRequest, TooLarge : see `outcomes_of`
    """
    rows = outcomes_of(request)
    if not registry.runs.has_model(model):
        raise Unknown(f"there is no model {model}", "", "check the name in the path")
    body = "".join(f"{json.dumps(row, sort_keys=True)}\n" for row in rows).encode()
    data.put(outcomes_key(model, body, key, at), body)
    return {"model": model, "outcomes": len(rows)}


def outcomes_key(model: str, body: bytes, key: str, at: datetime) -> str:
    """Return the key of the object that holds outcomes.

    A request that is repeated with its Idempotency-Key is the same for ever. Without such a key, the same outcomes
    within an hour are one request: it is repeated within seconds, and must not win over a correction in between.

    Examples
    --------
    >>> outcomes_key("churn", b"", "", datetime(2026, 1, 2, 3, 4))[:29]
    'feedback/churn/api/2026010203'
    """
    name = "key" if key else f"{at:%Y%m%d%H}"
    digest = hashlib.sha256(json.dumps(key).encode() + body).hexdigest()
    return f"feedback/{model}/api/{name}-{digest}.jsonl"
