"""`history`, and `show --at`: who moved the traffic of a model, and which versions were live then."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cli import console
from cli.moment import parse_moment
from cli.options import Options
from cli.screens.history import history_text, route_at_text
from modelcycle.registry import Move, Route


def history(model: str, options: Options) -> int:
    """List all moves of a model's traffic, newest first.

    Raises
    ------
    Unknown : there is no such model
    """
    place = options.open_place()
    place.check_model(model)
    moves = place.registry.routes.moves(model)
    if options.as_json:
        console.print_json({"model": model, "moves": [_wire(move) for move in moves]})
    else:
        console.show(history_text(model, moves))
    return console.DONE


def show_at(model: str, at: str, options: Options) -> int:
    """Show which versions were live at a time.

    Parameters
    ----------
    at : see `cli.moment.parse_moment`

    Raises
    ------
    BadInput : it is no time, or lies in the future
    Unknown : there is no such model
    """
    moment = parse_moment(at, "--at")
    place = options.open_place()
    place.check_model(model)
    moves = place.registry.routes.moves(model)
    last, following = moves_around(moves, moment)
    if options.as_json:
        route = last.route if last else Route()
        console.print_json({
            "model": model, "at": moment, "champion": route.champion, "route": route.weights,
            "previous": route.previous, "shadow": route.shadow,
            "since": _wire(last) if last else None, "until": _wire(following) if following else None,
        })  # fmt: skip
    else:
        console.show(route_at_text(model, moment, last, following))
    return console.DONE


def moves_around(moves: list[Move], moment: datetime) -> tuple[Move | None, Move | None]:
    """Return the last move up to a time, and the first one after it.

    Parameters
    ----------
    moves : newest first
    """
    following = None
    for move in moves:
        if move.at <= moment:
            return move, following
        following = move
    return None, following


def _wire(move: Move) -> dict[str, Any]:
    return move.model_dump(mode="json")
