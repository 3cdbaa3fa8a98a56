"""`up`, `down`, `status`: the local cloud, and the health of any place."""

from __future__ import annotations

from cli import console, place
from cli.options import Options
from cli.screens import status as screen


def up(port: int | None, options: Options) -> int:
    """Start the local cloud, deploy what has changed, and print its address; return the exit status."""
    place.only_local(options.place, "up")
    started = options.open_place(start=True, port=port)
    if options.as_json:
        console.print_json({"place": options.place, "endpoint": started.endpoint, "outputs": started.outputs})
    else:
        console.show(screen.started_text(started))
    return console.DONE


def down(force: bool, options: Options) -> int:
    """Stop the local cloud and print what it interrupted and lost; return the exit status."""
    from infra.local import cloud

    place.only_local(options.place, "down")
    stopped = cloud.down(home=place.home(), force=force)
    if options.as_json:
        console.print_json(
            {"place": options.place, "was_up": stopped.was_up, "cut_off": stopped.interrupted, "lost": stopped.lost}
        )
    else:
        console.show(screen.stopped_text(stopped))
    return console.FAILED if stopped.lost else console.DONE


def status(options: Options) -> int:
    """Print the health of a place; return the exit status, 1 if it has a problem."""
    from cli.check_health import check_health

    health = check_health(options.place, options.stage)
    if options.as_json:
        console.print_json(health.wire())
    else:
        console.show(screen.health_text(health))
    return console.FAILED if health.problems else console.DONE
