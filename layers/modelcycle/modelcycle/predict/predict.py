"""Answer a prediction request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelcycle.model.answer import Answer, LoadedVersion, answer
from modelcycle.predict.live_models import LiveModels
from modelcycle.registry import Route


@dataclass(frozen=True)
class Served(Answer):
    """An answer, and what gave it.

    Parameters
    ----------
    key : identifies the request
    route, loaded : of the model when it answered
    """

    key: str
    route: Route
    loaded: Mapping[int, LoadedVersion]


def predict(name: str, request: Any, *, live_models: LiveModels, key: str) -> Served:
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
    answered = answer(request, model.route, model.loaded, key)
    return Served(**vars(answered), key=key, route=model.route, loaded=model.loaded)
