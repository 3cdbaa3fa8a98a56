"""The route: which versions answer, with which share of the traffic.

Going live, each canary step and a rollback are one conditional write: atomic, no deploy, no lost request. Every move
stays on record: who, when, why, from, to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from pydantic import BaseModel

from modelcycle.faults import NotAllowed, Raced
from modelcycle.registry.audit import Entry
from modelcycle.registry.events import Kind, now
from modelcycle.registry.history import History, Move, champion
from modelcycle.registry.table import Record, Table, Write
from modelcycle.registry.unit import Unit
from modelcycle.registry.versions import INSTEAD, State, Versions, not_allowed

RETURNABLE: set[State] = {"staged", "awaiting_approval", "retired", "rolled_back"}  # of versions that were live before
TOLD: dict[str, Kind] = {"promoted": "VersionPromoted", "rolled_back": "VersionRolledBack"}


class Route(BaseModel):
    """`weights` are per cent and add up to 100; `previous` is what a rollback goes back to."""

    weights: dict[int, int] = {}
    previous: int | None = None
    moves: int = 0

    @property
    def champion(self) -> int | None:
        """The version with the most traffic; the older one where two have as much."""
        return champion(self.weights)


class Routes:
    def __init__(self, table: Table, versions: Versions) -> None:
        self.table = table
        self.versions = versions

    def get(self, model: str) -> Route:
        return self._read(model)[0]

    def moves(self, model: str, limit: int | None = None) -> list[Move]:
        """Newest first."""
        found = self.table.query(f"MODEL#{model}", "MOVE#", newest_first=True, limit=limit)
        return [Move.model_validate(record.body) for record in found]

    def promote(
        self, model: str, version: int, weight: int, by: str, why: str = "", *,
        rollout: str = "", step: int | None = None, follows: int | None = None,
    ) -> Route | None:  # fmt: skip
        """Give a version `weight` per cent; the rest stays with the champion. Never lowers a share.

        Parameters
        ----------
        weight : per cent
        rollout, step : the execution that moves, and its step; a step that is delivered twice is known by them
        follows : number of the route's last move when the rollout last looked; None where it did not look yet

        Returns
        -------
        the route after this step, or None where others have moved the traffic since: their decision stands

        Raises
        ------
        NotAllowed : the version may not go live
        """
        for _ in range(10):
            route, record = self._read(model)
            if follows is not None and route.moves != follows:
                return self._made_before(model, follows + 1, rollout, step)
            if route.weights.get(version, 0) >= weight:
                return route
            rest = route.previous if route.champion == version else route.champion
            weights = {version: 100} if weight == 100 or rest is None else {rest: 100 - weight, version: weight}
            after = Route(weights=weights, previous=rest if rest is not None else route.previous)
            move = Move(
                number=route.moves + 1, kind="promoted", at=now(), by=by, why=why, before=route.weights, after=weights,
                rollout=rollout, step=step,
            )  # fmt: skip
            try:
                return self._write(model, record, after, move, "rollout", version)
            except Raced:
                continue
        raise Raced("the route is changed by others too", model, "try again")

    def roll_back(
        self, model: str, by: str, why: str = "", version: int | None = None, asked_at: datetime | None = None
    ) -> tuple[Move, bool]:
        """All traffic to `version`, else to the one that was live before, past those that were rolled back themselves.

        A rollback that names no version means "away from what is live". Where somebody has just rolled back, it means
        the same rollback: see `History.answers`.

        Parameters
        ----------
        asked_at : when the person asked; by default now

        Returns
        -------
        the move that took the traffic there, and whether this call made it

        Raises
        ------
        NotAllowed : there is nothing to go back to, or the version was never live; names those that were
        """
        asked = asked_at or now()
        for _ in range(10):
            route, record = self._read(model)
            history = History(self.moves(model, History.LIMIT), self._state_of(model))
            last = history.last(route.moves)
            if record is None or last is None:
                raise NotAllowed(f"{model} has no live version", model, f"`modelcycle show {model}` lists its versions")
            if route.weights == {version: 100} or (version is None and last.answers(by, asked)):
                return last, False
            try:
                with self._fresh(model, record):
                    target = self._target(model, version, route, history)
                after = Route(weights={target: 100}, previous=history.before(target))
                move = Move(
                    number=route.moves + 1, kind="rolled_back", at=now(), by=by, why=why, before=route.weights,
                    after=after.weights,
                )  # fmt: skip
                self._write(model, record, after, move, "rollback", target, final=True)
            except Raced:
                continue
            return move, True
        raise Raced("the route is changed by others too", model, "try again")

    def withdraw(self, model: str, version: int, rollout: str, by: str, why: str) -> bool:
        """Put back what a rollout that died half-way has moved. The version may be staged again by a later run.

        Nothing happens where the rollout was complete, or where others have moved the traffic since.

        Parameters
        ----------
        rollout : name of the rollout's execution; empty where it is not known

        Returns
        -------
        whether the traffic was put back
        """
        for _ in range(10):
            route, record = self._read(model)
            others = [other for other in route.weights if other != version]
            last = self._move(model, route.moves)
            if version not in route.weights or not others or last is None or not last.is_of(rollout, version):
                return False
            move = Move(
                number=route.moves + 1, kind="rolled_back", at=now(), by=by, why=why, before=route.weights,
                after={others[0]: 100},
            )  # fmt: skip
            try:
                self._write(model, record, Route(weights=move.after), move, "withdraw", version)
            except Raced:
                continue
            return True
        raise Raced("the route is changed by others too", model, "the step is tried again")

    def _read(self, model: str) -> tuple[Route, Record | None]:
        record = self.table.read(f"MODEL#{model}", "ROUTE")
        return (Route.model_validate(record.body) if record else Route()), record

    def _move(self, model: str, number: int) -> Move | None:
        record = self.table.read(f"MODEL#{model}", f"MOVE#{number:08d}")
        return Move.model_validate(record.body) if record else None

    def _made_before(self, model: str, number: int, rollout: str, step: int | None) -> Route | None:
        """The route as an earlier delivery of the same step left it; None where that move is somebody else's."""
        move = self._move(model, number)
        if move is None or not rollout or (move.rollout, move.step) != (rollout, step):
            return None
        return Route(weights=move.after, moves=number)

    def _state_of(self, model: str) -> Callable[[int], State]:
        return lambda version: self.versions.standing(model, version).state

    def _target(self, model: str, version: int | None, route: Route, history: History) -> int:
        """Where a rollback goes: to `version` if it was live before, else along the history."""
        if version is not None:
            self._check_was_live(model, version, route, history)
            return version
        if len(route.weights) > 1 and route.previous is not None:
            return route.previous  # a rollout is under way: back to the version beside it
        live = route.champion
        target = history.before(live) if live is not None else None
        if target is None:
            raise NotAllowed(f"{model} has no earlier version to go back to", model, _named(model, route, history))
        return target

    def _check_was_live(self, model: str, version: int, route: Route, history: History) -> None:
        state, where = self.versions.standing(model, version).state, f"{model}:{version}"
        if len(route.weights) > 1 and version in route.weights and version != route.previous:
            raise NotAllowed(
                f"version {version} is being rolled out, it has {route.weights[version]} % of the traffic", where,
                f"its rollout goes on by itself; `modelcycle rollback {model}` takes its traffic away",
            )  # fmt: skip
        if version not in history.seen:
            instead = _named(model, route, history) if history.servable(route.weights) else INSTEAD[state]
            raise NotAllowed(
                f"version {version} is {state.replace('_', ' ')} and was never live: there is nothing to go back to",
                where, instead.format(model=model, version=version),
            )  # fmt: skip
        if version not in route.weights and state not in RETURNABLE:
            raise not_allowed(model, version, self.versions.standing(model, version), "live")

    @contextmanager
    def _fresh(self, model: str, record: Record | None) -> Iterator[None]:
        """Turns a refusal into Raced where the route has changed since `record`: the states may be newer than it."""
        try:
            yield
        except NotAllowed:
            latest = self._read(model)[1]
            if (latest.revision if latest else 0) == (record.revision if record else 0):
                raise
            raise Raced("the route was changed meanwhile", model, "read again") from None

    def _write(
        self, model: str, record: Record | None, after: Route, move: Move, decision: str, subject: int, *,
        final: bool = False,
    ) -> Route:  # fmt: skip
        """The move, what it makes of each version, its event and its audit entry. Raises Raced on a stale `record`."""
        pk, revision = f"MODEL#{model}", record.revision if record else 0
        after = after.model_copy(update={"moves": move.number})
        back = move.kind == "rolled_back"
        unit = Unit(self.table, model)
        unit.put(
            Write(pk, "ROUTE", after.model_dump(mode="json"), revision),
            Write(pk, f"MOVE#{move.number:08d}", move.model_dump(mode="json")),
        )
        with self._fresh(model, record):
            for version in after.weights:
                if self.versions.standing(model, version).state != "live":
                    self.versions.transition(
                        unit, version, "live", move.by, move.why, whence=RETURNABLE if back else None
                    )
            for version in move.before:
                if version not in after.weights:
                    left: State = "rolled_back" if back else "retired"
                    self.versions.transition(unit, version, left, move.by, move.why, final=final)
        unit.tell(TOLD[move.kind], before=move.before, after=move.after, by=move.by, why=move.why)
        unit.audit(
            f"MOVE#{move.number:08d}",
            Entry(at=move.at, subject=f"version {subject}", decision=decision, by=move.by, why=move.why),
        )
        unit.commit()
        return after


def _named(model: str, route: Route, history: History) -> str:
    """What a person can name instead: the versions that were live, each with its state."""
    servable = history.servable(route.weights)
    if not servable:
        return f"no other version was live; `modelcycle show {model}` lists all"
    listed = ", ".join(f"{version} ({state.replace('_', ' ')})" for version, state in servable.items())
    return f"name one that was live: {listed}, as in `modelcycle rollback {model}:{max(servable)}`"
