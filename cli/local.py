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


def down(name: place.Name, as_json: bool) -> int:
    from infra.local import cloud

    place.only_local(name, "down")
    was_up = cloud.down(home=place.home())
    if as_json:
        console.print_json({"place": name, "was_up": was_up})
    else:
        console.show("The local cloud is down; everything in it is kept." if was_up else "The local cloud was not up.")
    return console.DONE


def status(name: place.Name, stage: str, as_json: bool) -> int:
    from cli.health import look

    health = look(name, stage)
    if as_json:
        console.print_json(health.wire())
    else:
        console.show(screen.status(health))
    return console.DONE if not health.bad else console.FAILED
