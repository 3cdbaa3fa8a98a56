"""The verb: a request's body in, an answer out."""

from __future__ import annotations

import json
from typing import Any

from modelcycle.faults import TooLarge
from modelcycle.model.answer import LARGEST_ANSWER, Answer, answer
from modelcycle.predict.live import Live


def predict(name: str, request: Any, *, live: Live, key: str) -> Answer:
    """Answer a parsed request by the model's live versions.

    Parameters
    ----------
    key : what makes the request what it is: the client's idempotency key, else the id of the request

    Raises
    ------
    Unknown, NotAllowed, BadRequest, TooLarge; Transient and Throttled when the registry does not answer
    """
    ready = live.model(name)
    return answer(request, ready.route, ready.served, key)


def serialized(told: dict[str, Any]) -> str:
    """An answer as JSON.

    Raises
    ------
    TooLarge : API Gateway would not carry it
    """
    body = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if len(body) > LARGEST_ANSWER or len(body.encode()) > LARGEST_ANSWER:
        raise TooLarge("the answer would be too large", "/instances", "send fewer rows in each of several requests")
    return body
