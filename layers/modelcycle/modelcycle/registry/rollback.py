"""Where a rollback goes: to the version that a person names, or back along the history of the route."""

from __future__ import annotations

from collections.abc import Callable

from modelcycle.faults import NotAllowed
from modelcycle.registry.moves import Move, Route, champion
from modelcycle.registry.transitions import State, not_allowed, remedy, state_in_words

MAX_MOVES = 1000  # of a route's history that are searched for an earlier version
GOOD_STATES: set[State] = {"staged", "awaiting_approval", "retired"}  # of a version that a rollback may choose itself
SERVABLE_STATES: set[State] = GOOD_STATES | {"rolled_back"}  # of a version that a person may name for a rollback


class History:
    """The moves of a route, newest first, with the state of each version now, and whether its artifacts exist."""

    def __init__(self, moves: list[Move], state_of: Callable[[int], State], is_intact: Callable[[int], bool]) -> None:
        self.moves = moves
        self.state_of = state_of
        self.is_intact = is_intact
        self.served = {version for move in moves for version in move.after}  # versions that have had traffic

    def move(self, number: int) -> Move | None:
        """Return the move of that number; None if there is none."""
        return next((move for move in self.moves if move.number == number), None)

    def live_before(self, version: int) -> int | None:
        """Return the version that was live before `version` went live.

        Skips versions that were taken away themselves, and those whose artifacts are gone.
        """
        went_live = False
        for move in self.moves:
            if move.kind != "promoted":
                continue
            earlier = champion(move.before)
            went_live = went_live or champion(move.after) == version != earlier
            if not went_live or earlier is None or earlier == version:
                continue
            if self.state_of(earlier) in GOOD_STATES and self.is_intact(earlier):
                return earlier
        return None

    def alternatives(self, live: dict[int, int]) -> dict[int, State]:
        """Return the versions that had traffic, may have it again and are not live, with their states."""
        states = {version: self.state_of(version) for version in sorted(self.served - live.keys())}
        return {
            version: state
            for version, state in states.items()
            if state not in ("refused", "rejected") and self.is_intact(version)
        }


def rollback_target(model: str, version: int | None, route: Route, history: History) -> int:
    """Return the version that a rollback gives all traffic to.

    Parameters
    ----------
    version : the one that the person named; None means the one before what is live

    Raises
    ------
    NotAllowed : there is no earlier version, or the named one was never live or has lost its artifacts; names those
        to which a rollback can go
    """
    if version is not None:
        _check_named(model, version, route, history)
        return version
    if len(route.weights) > 1 and route.previous is not None and history.is_intact(route.previous):
        return route.previous  # a rollout is running: back to the version that shares the traffic
    live = route.champion
    target = history.live_before(live) if live is not None else None
    if target is None and route.shadow is not None:
        raise NotAllowed(
            f"{model} has no earlier version to go back to", model,
            f"version {route.shadow} is only a shadow and answers nobody; `modelcycle rollback {model}:{live}` ends it",
        )  # fmt: skip
    if target is None:
        raise NotAllowed(f"{model} has no earlier version to go back to", model, _alternatives(model, route, history))
    return target


def _check_named(model: str, version: int, route: Route, history: History) -> None:
    state, where = history.state_of(version), f"{model}:{version}"
    if len(route.weights) > 1 and version in route.weights and version != route.previous:
        raise NotAllowed(
            f"version {version} is being rolled out and has {route.weights[version]} % of the traffic", where,
            f"its rollout continues by itself; `modelcycle rollback {model}` takes its traffic away",
        )  # fmt: skip
    if version not in history.served:
        others = history.alternatives(route.weights)
        raise NotAllowed(
            f"version {version} is {state_in_words(state)} and was never live: there is nothing to go back to", where,
            _alternatives(model, route, history) if others else remedy(model, version, state),
        )  # fmt: skip
    if version not in route.weights and state not in SERVABLE_STATES:
        raise not_allowed(model, version, state, "live")
    if not history.is_intact(version):
        raise NotAllowed(
            f"the artifacts of version {version} are gone: it cannot serve", where,
            _alternatives(model, route, history),
        )  # fmt: skip


def _alternatives(model: str, route: Route, history: History) -> str:
    """Return the sentence that names the versions to which a person can roll back."""
    others = history.alternatives(route.weights)
    if not others:
        return f"no other version was live; `modelcycle show {model}` lists its versions"
    names = ", ".join(f"{version} ({state_in_words(state)})" for version, state in others.items())
    return f"name one that was live: {names}, as in `modelcycle rollback {model}:{max(others)}`"
