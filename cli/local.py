"""`up`, `down`, `status`: the embedded cloud, and how any place is."""

from __future__ import annotations

from cli import console, place
from cli.screens import status as screen


def up(name: place.Name, stage: str, port: int | None, as_json: bool) -> int:
    place.only_local(name, "up")
    found = place.find(name, stage, start=True, port=port, say=console.say)
    if as_json:
        console.print_json({"place": name, "endpoint": found.endpoint, "outputs": found.outputs})
    else:
        console.show(screen.came_up(found))
    return console.DONE


def down(name: place.Name, force: bool, as_json: bool) -> int:
    from infra.local import cloud

    place.only_local(name, "down")
    found = cloud.down(home=place.home(), force=force)
    if as_json:
        console.print_json({"place": name, "was_up": found.was_up, "cut_off": found.cut_off, "lost": found.lost})
    else:
        console.show(screen.went_down(found))
    return console.FAILED if found.lost else console.DONE


def status(name: place.Name, stage: str, as_json: bool) -> int:
    from cli.health import look

    health = look(name, stage)
    if as_json:
        console.print_json(health.wire())
    else:
        console.show(screen.status(health))
    return console.DONE if not health.bad else console.FAILED
