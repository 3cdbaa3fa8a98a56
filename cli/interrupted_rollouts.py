"""What the next `up` does about the rollouts that `down` interrupts: looked at before the cloud stops."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from cli.place import Place
from modelcycle.registry import Registry

NAME = re.compile(r"(?P<model>.+)-v(?P<version>\d+)-.*")  # of an execution of a rollout
WHOLE = 100  # percent


class InterruptedRollout(NamedTuple):
    """A rollout in progress.

    Parameters
    ----------
    version : MODEL:VERSION
    is_undone : whether it has made the last move of the traffic, which is then taken back
    has_all : whether the version has all the traffic already
    """

    version: str
    is_undone: bool
    has_all: bool


def rollouts_in_progress(place: Place) -> Mapping[str, InterruptedRollout]:
    """Return the rollouts in progress, by the name of their execution."""
    pages = place.states.get_paginator("list_executions").paginate(
        stateMachineArn=place.output("RolloutArn"), statusFilter="RUNNING"
    )
    names = (execution["name"] for page in pages for execution in page["executions"])
    return {name: found for name in names if (found := look_at(place.registry, name)) is not None}


def look_at(registry: Registry, name: str) -> InterruptedRollout | None:
    """Return what becomes of a rollout that ends now; None if its name says no version. See `Routes.withdraw`."""
    said = NAME.fullmatch(name)
    if said is None:
        return None
    model, version = said["model"], int(said["version"])
    has_all = registry.routes.get(model).weights.get(version) == WHOLE
    last = next(iter(registry.routes.moves(model, limit=1)), None)
    own = last is not None and last.was_made_by(name, version)
    return InterruptedRollout(f"{model}:{version}", own and not has_all, has_all)
