"""Moves of traffic: a promotion, a shadow, a rollback and a withdrawal are one conditional write each.

So a move is atomic, needs no deployment and loses no request. Every move is recorded: who, when, why, from, to.
A shadow lasts until the next move, whatever that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from modelcycle.faults import NotAllowed, Raced
from modelcycle.registry import keys
from modelcycle.registry.audit import Entry
from modelcycle.registry.events import EventKind
from modelcycle.registry.moves import Move, Route
from modelcycle.registry.rollback import MAX_MOVES, SERVABLE_STATES, History, rollback_target
from modelcycle.registry.standings import Standings
from modelcycle.registry.table import Record, Table, Write, retry_when_raced, revision_of
from modelcycle.registry.transitions import State
from modelcycle.registry.unit_of_work import UnitOfWork
from modelcycle.registry.withdrawal import route_before_rollout

MOVE_EVENTS: dict[str, EventKind] = {
    "promoted": "VersionPromoted", "rolled_back": "VersionRolledBack", "shadowed": "VersionShadowed",
}  # fmt: skip


class Routes:
    """The routes of all models."""

    def __init__(self, table: Table, standings: Standings) -> None:
        self.table = table
        self.standings = standings

    def get(self, model: str) -> Route:
        """Return the route; one without weights if nothing is live."""
        return self._read(model)[0]

    def moves(self, model: str, limit: int | None = None) -> list[Move]:
        """Return the moves of a route, newest first."""
        records = self.table.query(*keys.moves(model), newest_first=True, limit=limit)
        return [Move.model_validate(record.body) for record in records]

    def move(self, model: str, number: int) -> Move | None:
        """Return the move of that number; None if there is none."""
        record = self.table.get(*keys.move(model, number))
        return Move.model_validate(record.body) if record else None

    @retry_when_raced
    def promote(
        self, model: str, version: int, weight: int, by: str, why: str = "", *,
        rollout: str = "", step: int | None = None, expected_moves: int | None = None,
    ) -> Route | None:  # fmt: skip
        """Give a version `weight` percent of the traffic; the rest stays with the champion. Never lowers a share.

        A shadow ends, whether it is this version or another one.

        Parameters
        ----------
        weight : percent
        rollout, step : name of the execution and its step; they identify a step that is delivered twice
        expected_moves : number of the route's last move as the rollout knows it; None if it has not read the route

        Returns
        -------
        the route after this step; None if others have moved the traffic since, which this step leaves alone

        Raises
        ------
        NotAllowed : the version may not go live
        Raced : others moved the traffic at each attempt
        """
        route, record = self._read(model)
        if expected_moves is not None and route.moves != expected_moves:
            return self._route_after_first_delivery(model, expected_moves + 1, rollout, step)
        if route.weights.get(version, 0) >= weight:
            return route
        other = route.previous if route.champion == version else route.champion
        weights = {version: 100} if weight == 100 or other is None else {other: 100 - weight, version: weight}
        move = Move(
            number=route.moves + 1, kind="promoted", by=by, why=why, before=route.weights, after=weights,
            previous=other if other is not None else route.previous, rollout=rollout, step=step,
        )  # fmt: skip
        return self._commit(model, record, move, "rollout", version)

    @retry_when_raced
    def shadow(
        self, model: str, version: int, by: str, why: str = "", *,
        rollout: str = "", step: int | None = None, expected_moves: int | None = None,
    ) -> Route | None:  # fmt: skip
        """Let a version answer every request beside the live ones; nobody sees its answers.

        It ends with the next move: `promote` gives the version traffic, `withdraw` and `roll_back` do not. Nothing is
        moved if no version is live, or if this one has traffic already: there is nothing to be compared with.

        Parameters
        ----------
        rollout, step, expected_moves : see `promote`

        Returns
        -------
        the route after this step; None if others have moved the traffic since, which this step leaves alone

        Raises
        ------
        NotAllowed : the version may not go live
        Raced : others moved the traffic at each attempt
        """
        route, record = self._read(model)
        if expected_moves is not None and route.moves != expected_moves:
            return self._route_after_first_delivery(model, expected_moves + 1, rollout, step)
        if not route.weights or version in route.weights or version == route.shadow:
            return route
        with self._raced_if_stale(model, record):
            self.standings.check(model, version, "live")
        move = Move(
            number=route.moves + 1, kind="shadowed", by=by, why=why, before=route.weights, after=route.weights,
            previous=route.previous, shadow=version, rollout=rollout, step=step,
        )  # fmt: skip
        return self._commit(model, record, move, "shadow", version)

    def roll_back(
        self, model: str, by: str, why: str = "", version: int | None = None, asked_at: datetime | None = None,
        is_intact: Callable[[int], bool] = lambda version: True,
    ) -> tuple[Move, bool]:  # fmt: skip
        """Give all traffic to `version`, or to the one that was live before (see `rollback_target`).

        A rollback that names no version means "away from what is live". If another rollback was just made, it is the
        same one (see `Move.is_same_rollback`) and moves nothing.

        Parameters
        ----------
        asked_at : when the person asked; by default now
        is_intact : returns whether the artifacts of a version exist; a rollback goes to no other version

        Returns
        -------
        the move that gave the version its traffic, and whether this call made it

        Raises
        ------
        NotAllowed : there is nothing to go back to, or the version was never live or has lost its artifacts
        Raced : others moved the traffic at each attempt
        """
        return self._roll_back(model, by, why, version, asked_at or datetime.now(UTC), is_intact)

    @retry_when_raced
    def withdraw(
        self, model: str, version: int, rollout: str, by: str, why: str, *,
        complete: bool = False, worse: bool = False, evidence: dict[str, Any] | None = None,
        expected_moves: int | None = None, beside: Sequence[Write] = (),
    ) -> bool:  # fmt: skip
        """Undo what a rollout has moved: the route is as before its first move, or its shadow ends.

        Nothing happens if others have moved the traffic since, or if nothing was live before.

        Parameters
        ----------
        rollout : name of the rollout's execution; empty if unknown
        complete : whether a rollout that gave the version all traffic is undone too
        worse : whether the version's answers are the reason: then no later run stages it again. Otherwise one may.
        evidence : of the audit entry
        expected_moves : number of the route's last move as the rollout knows it; None if it is not known
        beside : records that are written in the same transaction

        Returns
        -------
        whether the route was changed

        Raises
        ------
        Raced : others moved the traffic at each attempt
        """
        route, record = self._read(model)
        history = self._history(model)
        last = history.move(route.moves)
        if last is None or not last.was_made_by(rollout, version):
            return False
        if route.weights == {version: 100} and not complete:
            return False
        if expected_moves is not None and route.moves != expected_moves:
            return False
        restored = route_before_rollout(version, history)
        if restored is None:
            return False
        move = Move(
            number=route.moves + 1, kind="rolled_back", by=by, why=why, before=route.weights, after=restored.weights,
            previous=restored.previous,
        )  # fmt: skip
        self._commit(model, record, move, "withdraw", version, final=worse, evidence=evidence, beside=beside)
        return True

    @retry_when_raced
    def _roll_back(
        self, model: str, by: str, why: str, version: int | None, asked_at: datetime, is_intact: Callable[[int], bool]
    ) -> tuple[Move, bool]:
        route, record = self._read(model)
        history = self._history(model, is_intact)
        last = history.move(route.moves)
        if record is None or last is None:
            raise NotAllowed(f"{model} has no live version", model, f"`modelcycle show {model}` lists its versions")
        is_there = route.weights == {version: 100} and route.shadow is None
        if is_there or (version is None and last.is_same_rollback(by, asked_at)):
            return last, False
        with self._raced_if_stale(model, record):
            target = rollback_target(model, version, route, history)
        move = Move(
            number=route.moves + 1, kind="rolled_back", by=by, why=why, before=route.weights, after={target: 100},
            previous=history.live_before(target),
        )  # fmt: skip
        self._commit(model, record, move, "rollback", target, final=True)
        return move, True

    def _history(self, model: str, is_intact: Callable[[int], bool] = lambda version: True) -> History:
        return History(
            self.moves(model, MAX_MOVES), lambda version: self.standings.get(model, version).state, is_intact
        )

    def _read(self, model: str) -> tuple[Route, Record | None]:
        record = self.table.get(*keys.route(model))
        return (Route.model_validate(record.body) if record else Route()), record

    def _contract_change(self, model: str, move: Move, version: int) -> dict[str, Any]:
        """Return what the event of a version's first traffic says of its columns: nothing if they did not change."""
        if move.kind != "promoted" or version in move.before:
            return {}
        record = self.table.get(*keys.version(model, version))
        change = record.body.get("contract_change") if record else None
        return {"contract_change": change} if change else {}

    def _route_after_first_delivery(self, model: str, number: int, rollout: str, step: int | None) -> Route | None:
        """Return the route as an earlier delivery of the same step left it; None if others made that move."""
        move = self.move(model, number)
        if move is None or not rollout or (move.rollout, move.step) != (rollout, step):
            return None
        return move.route

    @contextmanager
    def _raced_if_stale(self, model: str, record: Record | None) -> Iterator[None]:
        """Raise Raced instead of a refusal if the route is newer than `record`: the states may be newer too."""
        try:
            yield
        except NotAllowed:
            if revision_of(self._read(model)[1]) == revision_of(record):
                raise
            raise Raced("others have moved the traffic at the same time", model, "try again") from None

    def _commit(
        self, model: str, record: Record | None, move: Move, decision: str, subject: int, *,
        final: bool = False, evidence: dict[str, Any] | None = None, beside: Sequence[Write] = (),
    ) -> Route:  # fmt: skip
        """Write the route, the move, the new state of each version, the event and the audit entry.

        Parameters
        ----------
        record : the route as it was read
        decision, subject, evidence : of the audit entry; the subject is a version
        final : whether no later run may stage a version that loses its traffic, or the subject that ends as a shadow
        beside : more records to write

        Raises
        ------
        NotAllowed : a version may not change to its new state
        Raced : the route was changed since `record` was read
        """
        after, is_rollback = move.route, move.kind == "rolled_back"
        state_without_traffic: State = "rolled_back" if is_rollback else "retired"
        unit = UnitOfWork(self.table, model)
        unit.put(
            Write(*keys.route(model), after.model_dump(mode="json"), revision_of(record)),
            Write(*keys.move(model, move.number), move.model_dump(mode="json")),
            *beside,
        )
        losing = [version for version in move.before if version not in after.weights]
        if final and is_rollback and subject not in (*move.before, *after.weights):
            losing.append(subject)
        with self._raced_if_stale(model, record):
            for version in after.weights:
                if self.standings.get(model, version).state != "live":
                    self.standings.put_transition(
                        unit, version, "live", move.by, move.why,
                        allowed_from=SERVABLE_STATES if is_rollback else None,
                    )  # fmt: skip
            for version in losing:
                self.standings.put_transition(unit, version, state_without_traffic, move.by, move.why, final=final)
        unit.announce(
            MOVE_EVENTS[move.kind], version=subject, before=move.before, after=move.after, by=move.by, why=move.why,
            **self._contract_change(model, move, subject),
        )  # fmt: skip
        unit.audit(
            keys.decision_to_move(move.number),
            Entry(
                at=move.at, subject=f"version {subject}", decision=decision, by=move.by, why=move.why,
                evidence=evidence or {},
            ),
        )  # fmt: skip
        unit.commit()
        return after
