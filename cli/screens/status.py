"""The screens of `up`, `down` and `status`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cli.interrupted_rollouts import InterruptedRollout, rollouts_among
from cli.screens.lines import count

if TYPE_CHECKING:
    from cli.health.health import Health
    from cli.place import Place
    from infra.local.emulator.process import StopResult

NOT_LOOKED_AT: Mapping[str, InterruptedRollout] = {}
FLOW_NOUNS = {"lifecycle": "run", "rollout": "rollout", "monitoring": "traffic check"}
RUNS_FAIL = "marks the runs as failed"


def started_text(place: Place) -> str:
    """Return the screen of `up`."""
    place_option = "" if place.name == "local" else f" --place {place.name}"
    return "\n".join([
        f"The {place.title} is up.",
        f"  API          {place.api_url}",
        f"  run          modelcycle run pipelines/adult-income.yaml --data examples/data/adult.csv.gz{place_option}",
        f"  stop         modelcycle down{place_option}",
    ])  # fmt: skip


def stopped_text(stopped: StopResult, rollouts: Mapping[str, InterruptedRollout] = NOT_LOOKED_AT) -> str:
    """Return the screen of `down`: what was kept, interrupted and lost.

    Parameters
    ----------
    rollouts : what was seen of the rollouts in progress, by the name of their execution
    """
    if not stopped.was_up:
        return "The local cloud was not up."
    if stopped.lost:
        return "\n".join([
            f"The local cloud is down. It lost {stopped.lost}.",
            "  to do        free disk space; `modelcycle up` continues with what was saved before",
            *_interrupted_lines(stopped, rollouts),
        ])  # fmt: skip
    return "\n".join(["The local cloud is down; everything in it is kept.", *_interrupted_lines(stopped, rollouts)])


def stopped_localstack_text(was_up: bool) -> str:
    """Return the screen of `down` for LocalStack."""
    if was_up:
        return "LocalStack is down. It keeps nothing: its models, data and runs are gone."
    return "No LocalStack was up that `modelcycle up` has started. Stop others where they were started."


def health_text(health: Health) -> str:
    """Return the screen of `status`: each problem with its remedy, then the facts."""
    problems = [f"!  {problem}" + (f"\n   {remedy}" if remedy else "") for problem, remedy in health.problems]
    return "\n".join([*problems, *(f"   {name:<13} {fact}" for name, fact in health.facts)])


def _interrupted_lines(stopped: StopResult, rollouts: Mapping[str, InterruptedRollout]) -> list[str]:
    # `modelcycle-lifecycle:name` is an execution of the flow `lifecycle`
    flows = Counter(name.partition(":")[0].rpartition("-")[2] for name in stopped.interrupted)
    if not flows:
        return []
    counts = ", ".join(count(number, FLOW_NOUNS.get(flow, flow)) for flow, number in sorted(flows.items()))
    mine = rollouts_among(stopped.interrupted)
    seen = [rollouts[name] for name in mine if name in rollouts]
    undone = [rollout.version for rollout in seen if rollout.is_undone]
    effects = [RUNS_FAIL] if "lifecycle" in flows else []
    if len(seen) < len(mine):
        effects.append("undoes what the rollouts have moved")
    elif undone:
        effects.append(f"takes back the traffic of {', '.join(sorted(undone))}")
    lines = [f"  interrupted  {counts}"]
    if effects:
        lines.append(f"               The next `modelcycle up` {' and '.join(effects)}.")
    for rollout in seen:
        if not rollout.is_undone:
            lines.append(f"               {_ended(rollout)}")
    return lines


def _ended(rollout: InterruptedRollout) -> str:
    if rollout.has_all:
        return (
            f"The rollout of {rollout.version} has nothing left to do: the version has all the traffic, and keeps it."
        )
    return (
        f"The rollout of {rollout.version} has moved no traffic, or others have moved it since: nothing is undone."
        f" `modelcycle promote {rollout.version}` starts it again."
    )
