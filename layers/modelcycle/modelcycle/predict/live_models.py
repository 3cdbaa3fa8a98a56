"""The models in memory: each model's route, read again every two seconds, and the versions that it names.

If a version cannot be loaded, the other versions answer its requests. If the registry does not answer, the last known
route stays in use. Neither is tried again at once; the metrics `VersionNotLoaded` and `StaleRoute` count both, once for
each request that they affect.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from modelcycle.faults import Fault, NotAllowed, Transient, Unknown
from modelcycle.key_service import KeyService
from modelcycle.model.answer import LoadedVersion, columns_of_request, load_version
from modelcycle.model.request_columns import RequestColumns
from modelcycle.predict.backoff import Backoff
from modelcycle.registry import Registry, Route
from modelcycle.spec import MODEL_NAME
from modelcycle.store import Store

ROUTE_SECONDS = 2.0  # age at which a route is read again; a rollback takes effect everywhere within this time
MAX_REGISTRY_DELAY = 8.0  # seconds between two attempts to read a registry that does not answer
MAX_LOAD_DELAY = 60.0  # seconds between two attempts to load a version; each may take many seconds of a request
OLD_ROUTE_SECONDS = 60.0  # age at which a route is only used after the registry has failed twice
MAX_MODELS = 8  # in memory; the least recently used one is dropped first

UNSIGNED = "the version is served without a signature: it was registered before versions were signed"

logger = Logger(service="predict", child=True)
metrics = Metrics(namespace="ModelCycle", service="predict")


class LiveModel(NamedTuple):
    """A model that can answer: its route, and those of the route's versions that are loaded, at least one to answer."""

    route: Route
    loaded: Mapping[int, LoadedVersion]

    @property
    def answering(self) -> list[LoadedVersion]:
        """The loaded versions that may answer, the champion first; see `Route.order`."""
        return [self.loaded[number] for number in self.route.order if number in self.loaded]

    @property
    def champion(self) -> LoadedVersion:
        return self.answering[0]

    @property
    def live(self) -> list[int]:
        """The versions that answer: those with traffic that are loaded, or else the previous one."""
        return [number for number in self.route.weights if number in self.loaded] or [self.champion.version]

    @property
    def columns(self) -> RequestColumns:
        """The columns that requests may and must have."""
        return columns_of_request(self.route, self.loaded)


@dataclass
class FailedLoad:
    """A version that could not be loaded."""

    backoff: Backoff = field(default_factory=lambda: Backoff(ROUTE_SECONDS, MAX_LOAD_DELAY))
    outage: str = ""  # the service that did not answer, if that was the reason


@dataclass
class CachedModel:
    """A model in memory: its route as last read, and the state of each version that the route names."""

    route: Route
    read_at: float
    loaded: dict[int, LoadedVersion] = field(default_factory=dict)
    failed: dict[int, FailedLoad] = field(default_factory=dict)

    def with_route(self, route: Route, read_at: float) -> CachedModel:
        """Return the model with a newer route; versions that it does not name are dropped."""
        versions = {*route.weights, route.previous, route.shadow}
        return CachedModel(
            route, read_at,
            {number: version for number, version in self.loaded.items() if number in versions},
            {number: failure for number, failure in self.failed.items() if number in versions},
        )  # fmt: skip


class LiveModels:
    """The models of this Lambda environment.

    Routes are read during requests, because an environment is frozen between them.

    Parameters
    ----------
    registry : used when nothing in memory can answer
    quick_registry : the same registry with a short timeout; refreshes a route while the one in memory can still answer
    artifacts : the bucket that holds the versions' files
    keys : check the versions' signatures
    clock : monotonic, in seconds
    """

    def __init__(
        self,
        registry: Registry,
        quick_registry: Registry,
        artifacts: Store,
        keys: KeyService,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registry = registry
        self.quick_registry = quick_registry
        self.artifacts = artifacts
        self.keys = keys
        self.clock = clock
        self._models: dict[str, CachedModel] = {}  # least recently used first
        self._registry_backoff = Backoff(ROUTE_SECONDS, MAX_REGISTRY_DELAY)  # of all models together

    def get(self, name: str) -> LiveModel:
        """Return the model's route and the loaded versions that it names, including the previous one and the shadow.

        The rows of a version that cannot be loaded are answered by another one, see `answer`.

        Raises
        ------
        Unknown : no model has that name
        NotAllowed : it has no live version
        Transient : none of its versions can be loaded, or its route was never read and the registry does not answer
        """
        if not re.fullmatch(MODEL_NAME, name):  # the registry refuses a key of that length or form
            raise _no_model()
        model = self._refreshed(name)
        self._load_versions(name, model)
        self._models.pop(name, None)
        self._models[name] = model
        while len(self._models) > MAX_MODELS:
            del self._models[next(iter(self._models))]
        if model.failed:
            metrics.add_metric("VersionNotLoaded", MetricUnit.Count, len(model.failed))
        if not any(number in model.loaded for number in model.route.order):
            raise _not_loaded(name, model)
        # a copy: what follows the answer reads it while a later request may load a version
        return LiveModel(model.route, dict(model.loaded))

    def _refreshed(self, name: str) -> CachedModel:
        """Return the model with a route that is at most ROUTE_SECONDS old, or older if the registry does not answer."""
        now = self.clock()
        model = self._models.get(name)
        if model is not None and now - model.read_at < ROUTE_SECONDS:
            return model
        if self._registry_backoff.waiting(now):
            if model is None:
                raise Transient("the registry did not answer a moment ago", name, "try again")
        else:
            try:
                route = self._read_route(name, model, now)
            except (Unknown, NotAllowed):  # these are answers
                self._registry_backoff.succeeded()
                raise
            except Exception as error:
                self._registry_backoff.failed(self.clock())
                logger.warning("the registry did not answer", extra=_error_fields(error, model=name))
                if model is None:
                    raise
            else:
                self._registry_backoff.succeeded()
                return model.with_route(route, now) if model else CachedModel(route, now)
        metrics.add_metric("StaleRoute", MetricUnit.Count, 1)
        return model

    def _read_route(self, name: str, model: CachedModel | None, now: float) -> Route:
        """Read the model's route; raise Unknown, NotAllowed, or the registry's own error."""
        try:
            route = (self.registry if model is None else self.quick_registry).routes.get(name)
        except Exception:
            # after a long sleep the connection may be dead, and the route may have changed: try once more, patiently
            if model is None or self._registry_backoff.failing or now - model.read_at < OLD_ROUTE_SECONDS:
                raise
            route = self.registry.routes.get(name)
        if not route.weights:
            if not self.registry.runs.has_model(name):
                raise _no_model()
            raise NotAllowed("the model has no live version yet", name, f"see `modelcycle show {name}`")
        return route

    def _load_versions(self, name: str, model: CachedModel) -> None:
        """Load the versions that the route names, except those that failed recently."""
        for number in (*model.route.weights, model.route.previous, model.route.shadow):
            if number is None or number in model.loaded:
                continue
            if number in model.failed and model.failed[number].backoff.waiting(self.clock()):
                continue
            if self._registry_backoff.failing:
                return  # the registry knows where a version's files are
            try:
                loaded = load_version(self.registry.versions.get(name, number), self.artifacts, self.keys)
                model.loaded[number] = loaded
                model.failed.pop(number, None)
                if loaded.checked == "unsigned":
                    logger.warning(UNSIGNED, extra={"model": name, "version": number})
            except Exception as error:  # missing, tampered with, no graph, out of memory: the others still answer
                failure = model.failed.setdefault(number, FailedLoad())
                failure.backoff.failed(self.clock())
                failure.outage = error.what if isinstance(error, Transient) else ""
                logger.error("a version could not be loaded", extra=_error_fields(error, model=name, version=number))


def _no_model() -> Unknown:
    return Unknown("there is no model of that name", "", "`modelcycle models` lists them")


def _not_loaded(name: str, model: CachedModel) -> Transient:
    """Return why no version of the route can answer."""
    live = model.route.weights
    outages = [model.failed[version].outage for version in live if version in model.failed]
    if any(outages):
        return Transient(max(outages), name, "try again")
    return Transient(
        f"version {', '.join(map(str, live))} of {name} cannot be loaded", name,
        f"`modelcycle rollback {name}` or a new run replaces it; the function's log says why it cannot be loaded",
    )  # fmt: skip


def _error_fields(error: Exception, **context: object) -> dict[str, object]:
    """Return log fields for an error. Only faults and AWS errors are logged with their text: others may quote a row."""
    detail = str(error) if isinstance(error, Fault) or hasattr(error, "operation_name") else ""
    return context | {"error": f"{type(error).__module__}.{type(error).__name__}", "detail": detail}
