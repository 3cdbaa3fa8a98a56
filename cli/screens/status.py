"""The screens of `up` and `status`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cli.screens.lines import count

if TYPE_CHECKING:
    from cli.health import Health
    from cli.place import Place
    from infra.local.cloud import Stopped


def came_up(place: Place) -> str:
    return "\n".join([
        f"The {place.title} is up.",
        f"  API         {place.api_url}",
        "  run         modelcycle run pipelines/adult-income.yaml --data examples/data/adult.csv.gz",
        "  stop        modelcycle down",
    ])  # fmt: skip


def went_down(stopped: Stopped) -> str:
    """What a stop kept, what it cut off, and what it lost."""
    if not stopped.was_up:
        return "The local cloud was not up."
    if stopped.lost:
        return "\n".join([
            f"The local cloud is down; lost is {stopped.lost}.",
            "  what to do  make room on the disk; `modelcycle up` goes on from what was saved before",
            *_cut_off(stopped),
        ])  # fmt: skip
    return "\n".join(["The local cloud is down; everything in it is kept.", *_cut_off(stopped)])


def _cut_off(stopped: Stopped) -> list[str]:
    flows = Counter(name.partition(":")[0].rpartition("-")[2] for name in stopped.cut_off)
    if not flows:
        return []
    words = {"lifecycle": "run", "rollout": "rollout", "monitoring": "look at traffic"}
    what = ", ".join(count(number, words.get(flow, flow)) for flow, number in sorted(flows.items()))
    return [
        f"  cut off     {what}: the next `modelcycle up` ends a run as failed and withdraws a rollout that is half-way"
    ]


def status(health: Health) -> str:
    """One line each; the bad ones first, each with what mends it."""
    bad = [f"!  {what}" + (f"\n   {remedy}" if remedy else "") for what, remedy in health.bad]
    return "\n".join([*bad, *(f"   {name:<14}{fact}" for name, fact in health.facts)])
