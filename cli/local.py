"""`up`, `down`, `status`: the local cloud, and the health of any place."""

from __future__ import annotations

from cli import console, place
from cli.screens import status as screen


def up(name: place.Name, stage: str, port: int | None, as_json: bool) -> int:
    """Start the local cloud, deploy what has changed, and print its address; return the exit status."""
    place.only_local(name, "up")
    started = place.find(name, stage, start=True, port=port, say=console.say)
    if as_json:
        console.print_json({"place": name, "endpoint": started.endpoint, "outputs": started.outputs})
    else:
        console.show(screen.started_text(started))
    return console.DONE


def down(name: place.Name, force: bool, as_json: bool) -> int:
    """Stop the local cloud and print what it interrupted and lost; return the exit status."""
    from infra.local import cloud

    place.only_local(name, "down")
    stopped = cloud.down(home=place.home(), force=force)
    if as_json:
        console.print_json(
            {"place": name, "was_up": stopped.was_up, "cut_off": stopped.interrupted, "lost": stopped.lost}
        )
    else:
        console.show(screen.stopped_text(stopped))
    return console.FAILED if stopped.lost else console.DONE


def status(name: place.Name, stage: str, as_json: bool) -> int:
    """Print the health of a place; return the exit status, 1 if it has a problem."""
    from cli.health import check_health

    health = check_health(name, stage)
    if as_json:
        console.print_json(health.wire())
    else:
        console.show(screen.health_text(health))
    return console.FAILED if health.problems else console.DONE
