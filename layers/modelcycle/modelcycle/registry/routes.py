"""The route: which versions answer, with which share of the traffic.

Going live, each canary step and a rollback are one conditional write: atomic, no deploy, no lost request. Every move
stays on record: who, when, why, from, to.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from modelcycle.faults import NotAllowed, Raced
from modelcycle.registry.events import Kind, event, now
from modelcycle.registry.table import Table, Write
from modelcycle.registry.versions import Versions


class Route(BaseModel):
    """`weights` are per cent and add up to 100; `previous` is what a rollback goes back to."""

    weights: dict[int, int] = {}
    previous: int | None = None
    moves: int = 0

    @property
    def champion(self) -> int | None:
        """The version with the most traffic; the older one where two have as much."""
        return max(self.weights, key=lambda version: (self.weights[version], -version)) if self.weights else None


class Move(BaseModel):
    """One line of the history of a route."""

    number: int
    kind: Literal["promoted", "rolled_back"]
    at: datetime
    by: str
    why: str
    before: dict[int, int]
    after: dict[int, int]


class Routes:
    def __init__(self, table: Table, versions: Versions) -> None:
        self.table = table
        self.versions = versions

    def get(self, model: str) -> Route:
        record = self.table.read(f"MODEL#{model}", "ROUTE")
        return Route.model_validate(record.body) if record else Route()

    def moves(self, model: str, limit: int | None = None) -> list[Move]:
        """Newest first."""
        found = self.table.query(f"MODEL#{model}", "MOVE#", newest_first=True, limit=limit)
        return [Move.model_validate(record.body) for record in found]

    def promote(self, model: str, version: int, weight: int, by: str, why: str = "") -> Route:
        """Give a version `weight` per cent; the rest stays with the champion. Again the same: nothing happens."""
        for _ in range(10):
            record = self.table.read(f"MODEL#{model}", "ROUTE")
            route = Route.model_validate(record.body) if record else Route()
            if route.weights.get(version) == weight:
                return route
            rest = route.previous if route.champion == version else route.champion
            weights = {version: 100} if weight == 100 or rest is None else {rest: 100 - weight, version: weight}
            if route.weights.get(version, 0) > weights[version]:
                return route  # a late repeat of an earlier canary step
            previous = rest if rest is not None else route.previous
            try:
                self._write(model, route, record.revision if record else 0, weights, previous, "promoted", by, why)
                return self.get(model)
            except Raced:
                continue
        raise Raced("the route is changed by others too", model, "try again")

    def roll_back(self, model: str, by: str, why: str = "", version: int | None = None) -> Route:
        """All traffic to `version`, else to the one that was live before.

        Raises
        ------
        NotAllowed : there is nothing to go back to
        """
        for _ in range(10):
            record = self.table.read(f"MODEL#{model}", "ROUTE")
            route = Route.model_validate(record.body) if record else Route()
            target = version if version is not None else route.previous
            if record is None or target is None:
                raise NotAllowed(
                    f"{model} has no earlier version to go back to", model, f"see `modelcycle show {model}`"
                )
            if route.weights == {target: 100}:
                return route
            try:
                self._write(model, route, record.revision, {target: 100}, None, "rolled_back", by, why)
                return self.get(model)
            except Raced:
                continue
        raise Raced("the route is changed by others too", model, "try again")

    def _write(
        self, model: str, route: Route, revision: int, weights: dict[int, int], previous: int | None,
        kind: Literal["promoted", "rolled_back"], by: str, why: str,
    ) -> None:  # fmt: skip
        pk = f"MODEL#{model}"
        move = Move(number=route.moves + 1, kind=kind, at=now(), by=by, why=why, before=route.weights, after=weights)
        after = Route(weights=weights, previous=previous, moves=move.number)
        states = [
            self.versions.moved(model, version, "live", by, why)
            for version in weights
            if self.versions.standing(model, version).state != "live"
        ] + [
            self.versions.moved(model, version, "rolled_back" if kind == "rolled_back" else "retired", by, why)
            for version in route.weights
            if version not in weights
        ]
        told: Kind = "VersionPromoted" if kind == "promoted" else "VersionRolledBack"
        self.table.write(
            Write(pk, "ROUTE", after.model_dump(mode="json"), revision),
            Write(pk, f"MOVE#{move.number:08d}", move.model_dump(mode="json")),
            *states,
            event(told, model, before=route.weights, after=weights, by=by, why=why),
        )
