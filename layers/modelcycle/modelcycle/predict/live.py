"""What this environment has in memory: each model's route for two seconds, and the versions that it names."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from modelcycle.faults import NotAllowed, Throttled, Transient, Unknown
from modelcycle.model.answer import Served, load
from modelcycle.registry import Registry, Route
from modelcycle.store import Store

TIME_TO_LIVE = 2.0  # seconds after which a route is read again: so long a rollback may take to be everywhere
STALE = 60.0  # seconds that a route outlives it while the registry does not answer
MOST_MODELS = 8  # kept in memory; the one that was asked for longest ago goes first


class Ready(NamedTuple):
    """A model that can answer."""

    route: Route
    served: Mapping[int, Served]


class Live:
    """The live models. The route is looked at in the request itself, since an environment is frozen between requests.

    Parameters
    ----------
    clock : seconds, rising
    """

    def __init__(self, registry: Registry, artifacts: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = registry
        self.artifacts = artifacts
        self.clock = clock
        self._kept: dict[str, tuple[float, Ready]] = {}

    def model(self, name: str) -> Ready:
        """The model's route and the loaded versions that it names, the previous one too.

        Raises
        ------
        Unknown : no model of that name
        NotAllowed : it has no live version
        Transient, Throttled : the registry does not answer, and this environment has never seen the model
        """
        read_at, ready = self._kept.pop(name, (-STALE, Ready(Route(), {})))
        now = self.clock()
        if now - read_at >= TIME_TO_LIVE:
            try:
                ready = self._read(name, ready)
                read_at = now
            except (Transient, Throttled):
                if now - read_at >= STALE or not ready.served:
                    raise
        self._kept[name] = (read_at, ready)  # the dictionary's order is that of use
        while len(self._kept) > MOST_MODELS:
            del self._kept[next(iter(self._kept))]
        return ready

    def _read(self, name: str, before: Ready) -> Ready:
        route = self.registry.routes.get(name)
        if not route.weights:
            if self.registry.table.read("MODELS", name) is None:
                raise Unknown("there is no model of that name", "", "`modelcycle models` lists them")
            raise NotAllowed("the model has no live version yet", name, f"see `modelcycle show {name}`")
        served = {version: self._load(name, version, before) for version in route.weights}
        if route.previous is not None and route.previous not in served:
            # held ready for a rollback; whatever is wrong with it, no answer depends on it
            with contextlib.suppress(Exception):
                served[route.previous] = self._load(name, route.previous, before)
        return Ready(route, served)

    def _load(self, name: str, version: int, before: Ready) -> Served:
        if version in before.served:
            return before.served[version]
        return load(self.registry.versions.get(name, version), self.artifacts)
