"""What LocalStack leaves out, said on the screen of the commands that it concerns; `up` and `status` say all of it."""

from __future__ import annotations

from cli import console
from cli.place import Place
from infra.local.localstack.adapt import NO_SCHEDULES, UNCHECKED


def say_of_a_run(place: Place) -> None:
    """Say what a run and the model that comes of it lack there."""
    _say(place, UNCHECKED, NO_SCHEDULES)


def say_of_a_decision(place: Place) -> None:
    """Say that the decision is recorded as nobody's."""
    _say(place, UNCHECKED)


def _say(place: Place, *lines: str) -> None:
    if place.name == "localstack":
        for line in lines:
            console.say(f"not in LocalStack: {line}")
