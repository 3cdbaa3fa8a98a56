"""What the next `up` does about the rollouts that `down` interrupts: looked at before the cloud stops."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

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


def rollouts_among(running: Iterable[str]) -> list[str]:
    """Return the names of those executions that are rollouts.

    Parameters
    ----------
    running : each as `state machine:name`

    Examples
    --------
    >>> rollouts_among(["modelcycle-rollout:m-v2-r1", "modelcycle-lifecycle:m-1"])
    ['m-v2-r1']
    """
    return [name.partition(":")[2] for name in running if name.partition(":")[0].endswith("-rollout")]


def look_at_each(registry: Registry, names: Iterable[str]) -> dict[str, InterruptedRollout]:
    """Return what becomes of rollouts that end now, by the name of their execution."""
    return {name: found for name in names if (found := look_at(registry, name)) is not None}


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
