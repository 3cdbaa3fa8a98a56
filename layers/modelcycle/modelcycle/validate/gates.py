"""The gates of the pipeline file: what a candidate has to hold before it may become a version."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from modelcycle.faults import BadPipeline
from modelcycle.spec import METRICS, Gates, Task
from modelcycle.validate.evidence import Comparison
from modelcycle.validate.metrics import ERRORS


@dataclass(frozen=True)
class Gate:
    """A gate and its outcome; `detail` is a sentence for people."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Rival:
    """A model that the candidate is held against. `comparison` is None where it could not score these rows."""

    name: str
    value: float | None  # of the deciding metric
    comparison: Comparison | None


def check_names(gates: Gates, task: Task) -> None:
    """Raises BadPipeline for a metric that this task does not have."""
    for name in gates.minimum:
        if name not in METRICS[task]:
            near = difflib.get_close_matches(name, METRICS[task], n=1, cutoff=0.5)
            raise BadPipeline(
                f"gates.minimum: {name} is no metric of a {task} task" + (f", did you mean {near[0]}?" if near else ""),
                "the pipeline file, gates.minimum",
                f"choose of {', '.join(METRICS[task])}",
            )


def judge(gates: Gates, metrics: dict[str, float], baseline: Rival, champion: Rival | None) -> list[Gate]:
    """All gates that the pipeline file asks for, in the order in which a person would ask."""
    judged = [_minimum(name, limit, metrics.get(name)) for name, limit in gates.minimum.items()]
    if gates.beats_baseline:
        judged.insert(0, _better("gates.beats_baseline", baseline))
    if champion is not None:
        judged.append(_better("gates.better", champion) if gates.better else _not_worse(champion))
    return judged


def _minimum(name: str, limit: float, value: float | None) -> Gate:
    gate = f"gates.minimum.{name}"
    if value is None:
        return Gate(gate, False, f"{name} cannot be worked out on these test rows")
    if name in ERRORS:
        return Gate(gate, value <= limit, f"{name} {value:.4g}: {limit:g} is the highest allowed")
    return Gate(gate, value >= limit, f"{name} {value:.4g}: {limit:g} is the lowest allowed")


def _better(gate: str, rival: Rival) -> Gate:
    if rival.comparison is None:
        return Gate(gate, False, f"{rival.name} cannot score these rows (its columns or classes differ): nothing shown")
    holds = rival.comparison.verdict == "better"
    said = "better" if holds else "worse" if rival.comparison.verdict == "worse" else "not better"
    return Gate(gate, holds, f"{_named(rival)}: {said} beyond chance ({rival.comparison.chance})")


def _not_worse(rival: Rival) -> Gate:
    if rival.comparison is None:
        return Gate("gates.better", True, f"{rival.name} cannot score these rows: not compared")
    verdict = rival.comparison.verdict
    said = "not worse" if verdict == "not told apart" else verdict
    return Gate(
        "gates.better", verdict != "worse", f"{_named(rival)}: {said} beyond chance ({rival.comparison.chance})"
    )


def _named(rival: Rival) -> str:
    return rival.name if rival.value is None else f"{rival.name} {rival.value:.3g}"
