"""What a withdrawal restores: the route as it was before the rollout of a version began."""

from __future__ import annotations

from modelcycle.registry.moves import Move, Route, champion
from modelcycle.registry.rollback import SERVABLE_STATES, History


def route_before_rollout(version: int, history: History) -> Route | None:
    """Return the weights and the previous version from before the rollout that made the last move.

    A rollout that continued from the share of a dead one began where that one did. A version that may not serve any
    more (rejected since) leaves its share to the largest of the others.

    Parameters
    ----------
    version : that is being rolled out
    history : its last move is one of the rollout

    Returns
    -------
    None if nothing was live before, or nothing of it may serve
    """
    first = _first_move(version, history.moves)
    able = {
        number: weight
        for number, weight in (first.before if first else {}).items()
        if number != version and (history.state_of(number) in SERVABLE_STATES | {"live"})
    }
    largest = champion(able)
    if first is None or largest is None:
        return None
    able[largest] += 100 - sum(able.values())
    earlier = history.move(first.number - 1)
    recorded = earlier.previous if earlier else None
    return Route(weights=able, previous=recorded if recorded is not None else history.live_before(largest))


def _first_move(version: int, moves: list[Move]) -> Move | None:
    """Return the first of the moves in a row, up to the last one, that rolled the version out."""
    first = None
    for move in moves:
        if not move.rolls_out(version):
            break
        first = move
    return first
