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


def predict_by(model: LiveModel, request: Any, key: str, version: str | None = None) -> Served:
    """Answer a request by a model in memory.

    Parameters
    ----------
    version : the only one that may answer, as the path of the request names it; by default the route decides

    Raises
    ------
    BadRequest, TooLarge, Unknown, Transient : see `predict` and `named_version`
    """
    route, loaded = model.route, model.loaded
    if version is not None:
        named = named_version(model, version)
        route, loaded = Route(weights={named.version: 100}), {named.version: named}
    return Served(**vars(answer(request, route, loaded, key)), key=key, route=route, loaded=loaded)


def named_version(model: LiveModel, version: str) -> LoadedVersion:
    """Return the version that a path names.

    Raises
    ------
    Unknown : it is not in the route: neither live, nor the previous one, nor the shadow
    Transient : it is, but cannot be loaded now
    """
    for number, loaded in model.loaded.items():
        if str(number) == version:
            return loaded
    name, route = model.champion.signature.model, model.route
    if version in {str(number) for number in (*route.weights, route.previous, route.shadow) if number is not None}:
        raise Transient(f"version {version} of {name} cannot be loaded", name, "try again")
    answering = ", ".join(str(number) for number in sorted(model.loaded))
    raise Unknown(
        f"no such version of {name} answers requests", "", f"those that do: {answering}; without a version the live one"
    )
