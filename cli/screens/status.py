"""The screens of `up`, `down` and `status`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cli.screens.lines import count

if TYPE_CHECKING:
    from cli.health.health import Health
    from cli.place import Place
    from infra.local.emulator.process import StopResult

FLOW_NOUNS = {"lifecycle": "run", "rollout": "rollout", "monitoring": "traffic check"}
FLOW_EFFECTS = {"lifecycle": "marks the runs as failed", "rollout": "undoes the rollouts"}


def started_text(place: Place) -> str:
    """Return the screen of `up`."""
    place_option = "" if place.name == "local" else f" --place {place.name}"
    return "\n".join([
        f"The {place.title} is up.",
        f"  API          {place.api_url}",
        f"  run          modelcycle run pipelines/adult-income.yaml --data examples/data/adult.csv.gz{place_option}",
        f"  stop         modelcycle down{place_option}",
    ])  # fmt: skip


def stopped_text(stopped: StopResult) -> str:
    """Return the screen of `down`: what was kept, interrupted and lost."""
    if not stopped.was_up:
        return "The local cloud was not up."
    if stopped.lost:
        return "\n".join([
            f"The local cloud is down. It lost {stopped.lost}.",
            "  to do        free disk space; `modelcycle up` continues with what was saved before",
            *_interrupted_lines(stopped),
        ])  # fmt: skip
    return "\n".join(["The local cloud is down; everything in it is kept.", *_interrupted_lines(stopped)])


def stopped_localstack_text(was_up: bool) -> str:
    """Return the screen of `down` for LocalStack."""
    if was_up:
        return "LocalStack is down. It keeps nothing: its models, data and runs are gone."
    return "No LocalStack was up that `modelcycle up` has started. Stop others where they were started."


def health_text(health: Health) -> str:
    """Return the screen of `status`: each problem with its remedy, then the facts."""
    problems = [f"!  {problem}" + (f"\n   {remedy}" if remedy else "") for problem, remedy in health.problems]
    return "\n".join([*problems, *(f"   {name:<13} {fact}" for name, fact in health.facts)])


def _interrupted_lines(stopped: StopResult) -> list[str]:
    # `modelcycle-lifecycle:name` is an execution of the flow `lifecycle`
    flows = Counter(name.partition(":")[0].rpartition("-")[2] for name in stopped.interrupted)
    if not flows:
        return []
    counts = ", ".join(count(number, FLOW_NOUNS.get(flow, flow)) for flow, number in sorted(flows.items()))
    effects = [text for flow, text in FLOW_EFFECTS.items() if flow in flows]
    return [
        f"  interrupted  {counts}",
        *([f"               The next `modelcycle up` {' and '.join(effects)}."] if effects else []),
    ]
