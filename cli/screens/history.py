"""The screens of `history` and `show --at`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from cli.screens.lines import clip, count, labelled, person, table, traffic, words
from modelcycle.registry import Move, Route


def history_text(model: str, moves: Sequence[Move]) -> str:
    """Return all moves of a model's traffic.

    Parameters
    ----------
    moves : newest first
    """
    if not moves:
        return f"{model}: its traffic was never moved: no version has been live"
    rows = [
        [
            str(move.number), second(move.at), words(move.kind), _weights(move.before), route_text(move.route),
            clip(person(move.by), 40), clip(" ".join(move.why.split()), 80),
        ]
        for move in moves
    ]  # fmt: skip
    head = f"{model}: {count(len(moves), 'move')} of its traffic; live {route_text(moves[0].route)}"
    return "\n".join([head, "", table(["move", "when (UTC)", "what", "before", "after", "by", "why"], rows)])


def route_at_text(model: str, moment: datetime, last: Move | None, following: Move | None) -> str:
    """Return which versions were live at a time, since when and until when.

    Parameters
    ----------
    last, following : the moves before and after that time
    """
    when = f"{model} at {second(moment)} UTC"
    local = moment.astimezone()
    if local.utcoffset():
        when += f" ({local:%Y-%m-%d %H:%M:%S %Z})"
    if last is None:
        rows = [("first move", _move_text(following) if following else "none: its traffic was never moved")]
        return "\n".join([f"{when}: no version was live yet", *labelled(rows, 12)])
    rows = [("since", _move_text(last)), ("until", _move_text(following) if following else "now")]
    return "\n".join([f"{when}: live {route_text(last.route)}", *labelled(rows, 8)])


def route_text(route: Route) -> str:
    """Return the versions with their shares, and the shadow.

    >>> route_text(Route(weights={3: 100}, shadow=4))
    '3 (100 %), 4 as a shadow'
    """
    return _weights(route.weights) + (f", {route.shadow} as a shadow" if route.shadow is not None else "")


def second(moment: datetime) -> str:
    """Return a time in UTC, to the second: moves may follow each other quickly."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _weights(weights: dict[int, int]) -> str:
    return traffic(weights) or "none"


def _move_text(move: Move) -> str:
    why = f": {' '.join(move.why.split())}" if move.why else ""
    return f"{second(move.at)} UTC, move {move.number}, {words(move.kind)} by {person(move.by)}{why}"
