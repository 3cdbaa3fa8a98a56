"""Answer a prediction request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelcycle.faults import Transient, Unknown
from modelcycle.model.answer import Answer, LoadedVersion, answer
from modelcycle.predict.live_models import LiveModel, LiveModels
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
    return predict_by(live_models.get(name), request, key)


def predict_by(model: LiveModel, request: Any, key: str) -> Served:
    """Answer a request by a model in memory.

    Raises
    ------
    BadRequest, TooLarge : see `predict`
    """
    answered = answer(request, model.route, model.loaded, key)
    return Served(**vars(answered), key=key, route=model.route, loaded=model.loaded)


def only_version(model: LiveModel, version: str) -> LiveModel:
    """Return a model of which one version answers all requests, without a shadow.

    Parameters
    ----------
    version : as the path of a request names it

    Raises
    ------
    Unknown : it is not on the route: neither live, nor the previous one, nor the shadow
    Transient : it is, but cannot be loaded now
    """
    for number in model.loaded:
        if str(number) == version:
            return LiveModel(Route(weights={number: 100}), model.loaded)  # what the others mask stays masked
    name, route = model.champion.signature.model, model.route
    if version in {str(number) for number in (*route.weights, route.previous, route.shadow) if number is not None}:
        raise Transient(f"version {version} of {name} cannot be loaded", name, "try again")
    answering = ", ".join(str(number) for number in sorted(model.loaded))
    raise Unknown(
        f"no such version of {name} answers requests", "", f"those that do: {answering}; without a version the live one"
    )
