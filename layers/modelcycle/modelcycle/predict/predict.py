"""Answer a prediction request."""

from __future__ import annotations

from typing import Any

from modelcycle.model.answer import Answer, answer
from modelcycle.predict.live_models import LiveModels


def predict(name: str, request: Any, *, live_models: LiveModels, key: str) -> Answer:
    """Answer a request by the model's live versions.

    Parameters
    ----------
    name : of the model
    request : parsed JSON, see `modelcycle.model.request.parse_request`
    key : identifies the request: the client's idempotency key, or API Gateway's request id

    Raises
    ------
    Unknown, NotAllowed : no model has that name, or it has no live version
    BadRequest, TooLarge : the request does not fit the model's signature
    Transient, Throttled : the registry or the artifact bucket does not answer
    """
    model = live_models.get(name)
    return answer(request, model.route, model.loaded, key)
