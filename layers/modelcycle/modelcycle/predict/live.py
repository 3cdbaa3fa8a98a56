"""What this environment has in memory: each model's route for two seconds, and the versions that it names.

A version that cannot be loaded leaves its share of the traffic to the others; a registry that does not answer leaves
the route as it was last read. Neither is tried again at once, and both are counted, once for each request that they
concern: `VersionNotLoaded` and `StaleRoute`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from modelcycle.faults import Fault, NotAllowed, Transient, Unknown
from modelcycle.model.answer import Served, load
from modelcycle.registry import Registry, Route
from modelcycle.store import Store

TIME_TO_LIVE = 2.0  # seconds after which a route is read again: so long a rollback may take to be everywhere
MAX_REGISTRY_PAUSE = 8.0  # seconds between two reads of a registry that does not answer
MAX_LOAD_PAUSE = 60.0  # seconds between two attempts to load a version: each may take many seconds of a request
LONG_UNUSED = 60.0  # seconds after which a route in memory is not trusted before the registry has had a second chance
MAX_MODELS = 8  # kept in memory; the one that was asked for longest ago goes first

logger = Logger(service="predict", child=True)
metrics = Metrics(namespace="ModelCycle", service="predict")


class Ready(NamedTuple):
    """A model that can answer: `route` names loaded versions only."""

    route: Route
    served: Mapping[int, Served]


@dataclass
class Pause:
    """How long to wait after each failure: TIME_TO_LIVE at first, then twice as long each time, up to `longest`."""

    longest: float
    seconds: float = 0.0
    until: float = float("-inf")
    outage: str = ""  # which service did not answer, where that was the reason

    def extend(self, now: float, error: Exception) -> None:
        self.seconds = min(max(2 * self.seconds, TIME_TO_LIVE), self.longest)
        self.until = now + self.seconds
        self.outage = error.what if isinstance(error, Transient) else ""

    def end(self) -> None:
        self.seconds, self.until = 0.0, float("-inf")


NO_PAUSE = Pause(0)


@dataclass
class Held:
    """A model in memory: the route as the registry last gave it, and what became of the versions that it names."""

    route: Route
    read_at: float
    served: dict[int, Served] = field(default_factory=dict)
    broken: dict[int, Pause] = field(default_factory=dict)


class Live:
    """The live models. The route is looked at in the request itself, since an environment is frozen between requests.

    Parameters
    ----------
    registry : for whatever has to be known before anything can be answered
    quick : the same registry, given up soon; for reading a route again while the one in memory can answer
    clock : seconds, rising
    """

    def __init__(
        self, registry: Registry, quick: Registry, artifacts: Store, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.registry = registry
        self.quick = quick
        self.artifacts = artifacts
        self.clock = clock
        self._held: dict[str, Held] = {}  # in order of use
        self._silence = Pause(MAX_REGISTRY_PAUSE)  # of the registry, whichever model was asked for

    def model(self, name: str) -> Ready:
        """The model's route and the loaded versions that it names, the previous one too.

        The share of a version that cannot be loaded goes to the champion, or where the champion is the one, to the
        version that has the next largest share. Where none of them can be loaded, the previous version answers.

        Raises
        ------
        Unknown : no model of that name
        NotAllowed : it has no live version
        Transient : none of its versions can be loaded, or the registry does not answer and the model was never read
        """
        held = self._current(name)
        self._load(name, held)
        self._held.pop(name, None)
        self._held[name] = held
        while len(self._held) > MAX_MODELS:
            del self._held[next(iter(self._held))]
        if held.broken:
            metrics.add_metric("VersionNotLoaded", MetricUnit.Count, len(held.broken))
        return Ready(_answering(name, held), held.served)

    def _current(self, name: str) -> Held:
        """The model with its route, read again when its time is over."""
        now = self.clock()
        held = self._held.get(name)
        if held is not None and now - held.read_at < TIME_TO_LIVE:
            return held
        if now < self._silence.until:
            if held is None:
                raise Transient("the registry did not answer a moment ago", name, "try again")
        else:
            try:
                route = self._route(name, held, now)
            except (Unknown, NotAllowed):  # it has answered
                self._silence.end()
                raise
            except Exception as error:
                self._silence.extend(self.clock(), error)
                logger.warning("the registry did not answer", extra=_described(error, model=name))
                if held is None:
                    raise
            else:
                self._silence.end()
                versions = {*route.weights, route.previous}
                return Held(
                    route, now,
                    {version: one for version, one in (held.served if held else {}).items() if version in versions},
                    {version: one for version, one in (held.broken if held else {}).items() if version in versions},
                )  # fmt: skip
        metrics.add_metric("StaleRoute", MetricUnit.Count, 1)
        return held

    def _route(self, name: str, held: Held | None, now: float) -> Route:
        """Raises Unknown, NotAllowed, and whatever keeps the registry from answering."""
        try:
            route = (self.registry if held is None else self.quick).routes.get(name)
        except Exception:
            # after a long sleep a connection may have died unnoticed, and much may have been decided meanwhile
            if held is None or self._silence.seconds or now - held.read_at < LONG_UNUSED:
                raise
            route = self.registry.routes.get(name)
        if not route.weights:
            if not self.registry.runs.has_model(name):
                raise Unknown("there is no model of that name", "", "`modelcycle models` lists them")
            raise NotAllowed("the model has no live version yet", name, f"see `modelcycle show {name}`")
        return route

    def _load(self, name: str, held: Held) -> None:
        """Load what the route names and is not in memory; what has failed, only when its pause is over."""
        for version in (*held.route.weights, held.route.previous):
            pause = held.broken.get(version or 0, NO_PAUSE)
            if version is None or version in held.served or self.clock() < pause.until:
                continue
            if self._silence.seconds:
                return  # the registry says where a version's files are
            try:
                held.served[version] = load(self.registry.versions.get(name, version), self.artifacts)
                held.broken.pop(version, None)
            except Exception as error:  # gone, tampered with, no graph, out of memory: it must not harm the others
                held.broken.setdefault(version, Pause(MAX_LOAD_PAUSE)).extend(self.clock(), error)
                logger.error("a version could not be loaded", extra=_described(error, model=name, version=version))


def _answering(name: str, held: Held) -> Route:
    """The route among the loaded versions."""
    route, served = held.route, held.served
    loaded = {version: weight for version, weight in route.weights.items() if version in served}
    if len(loaded) == len(route.weights):
        return route
    if not loaded and route.previous in served:
        loaded = {route.previous: 100}
    if not loaded:
        outages = [held.broken[version].outage for version in route.weights if version in held.broken]
        if any(outages):
            raise Transient(max(outages), name, "try again")
        raise Transient(
            f"version {', '.join(map(str, route.weights))} of {name} cannot be loaded", name,
            f"`modelcycle rollback {name}` or a new run brings one that can; the function's log says why",
        )  # fmt: skip
    champion = max(loaded, key=lambda version: (loaded[version], -version))
    loaded[champion] += 100 - sum(loaded.values())
    return route.model_copy(update={"weights": loaded})


def _described(error: Exception, **where: object) -> dict[str, object]:
    """An error for the log, without a value of a row. Ours and AWS's say what is missing; others may say anything."""
    said = str(error) if isinstance(error, Fault) or hasattr(error, "operation_name") else ""
    return where | {"error": f"{type(error).__module__}.{type(error).__name__}", "detail": said}
