"""`up`, `down`, `status`: the embedded cloud, and how any place is."""

from __future__ import annotations

from cli import console, place
from cli.options import Options
from cli.screens import status as screen


def up(port: int | None, options: Options) -> int:
    place.only_local(options.place, "up")
    found = options.open_place(start=True, port=port)
    if options.as_json:
        console.print_json({"place": options.place, "endpoint": found.endpoint, "outputs": found.outputs})
    else:
        console.show(screen.came_up(found))
    return console.DONE


def down(force: bool, options: Options) -> int:
    from infra.local import cloud

    place.only_local(options.place, "down")
    stopped = cloud.down(home=place.home(), force=force)
    if options.as_json:
        console.print_json(
            {"place": options.place, "was_up": stopped.was_up, "cut_off": stopped.cut_off, "lost": stopped.lost}
        )
    else:
        console.show(screen.went_down(stopped))
    return console.FAILED if stopped.lost else console.DONE


def status(options: Options) -> int:
    from cli.health import look

    health = look(options.place, options.stage)
    if options.as_json:
        console.print_json(health.wire())
    else:
        console.show(screen.status(health))
    return console.DONE if not health.bad else console.FAILED
