"""The gates of the pipeline file: what a candidate must achieve before it becomes a version."""

from __future__ import annotations

from dataclasses import dataclass

from modelcycle.faults import BadPipeline
from modelcycle.spec import METRICS, Direction, Gates, Task, unknown_metric
from modelcycle.validate.significance import Comparison


@dataclass(frozen=True)
class Gate:
    """A gate and its outcome; `detail` is a sentence for people."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class ReferenceModel:
    """A model that the candidate is compared with.

    Parameters
    ----------
    name : baseline or champion
    value : its headline metric, None if it has none on these rows
    comparison : None if it cannot score these rows
    """

    name: str
    value: float | None
    comparison: Comparison | None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name} {self.value:.3g}"


def check_metric_names(gates: Gates, task: Task) -> None:
    """Check that the task has every metric of `gates.minimum`.

    Raises
    ------
    BadPipeline : names the metric that the task does not have
    """
    for name in gates.minimum:
        message = unknown_metric(name, [task])
        if message:
            raise BadPipeline(message, "the pipeline file, gates.minimum", f"choose from {', '.join(METRICS[task])}")


def check_gates(
    gates: Gates, task: Task, metrics: dict[str, float], baseline: ReferenceModel, champion: ReferenceModel | None
) -> list[Gate]:
    """Return the outcome of all gates that apply: the baseline, the minimums, the champion.

    Parameters
    ----------
    metrics : of the candidate
    champion : None if no version is live
    """
    outcomes = [_better("gates.beats_baseline", baseline)] if gates.beats_baseline else []
    outcomes += [_minimum(name, limit, metrics.get(name), METRICS[task][name]) for name, limit in gates.minimum.items()]
    if champion is not None:
        outcomes.append(_better("gates.better", champion) if gates.better else _not_worse(champion))
    return outcomes


def _minimum(name: str, limit: float, value: float | None, better: Direction) -> Gate:
    gate = f"gates.minimum.{name}"
    if value is None:
        return Gate(gate, False, f"{name} is undefined on these test rows")
    if better == "lower":
        return Gate(gate, value <= limit, f"{name} {value:.4g}: {limit:g} is the highest allowed")
    return Gate(gate, value >= limit, f"{name} {value:.4g}: {limit:g} is the lowest allowed")


def _better(gate: str, reference: ReferenceModel) -> Gate:
    if reference.comparison is None:
        return Gate(
            gate, False, f"{reference.name} cannot score these rows (its columns or classes differ): not comparable"
        )
    verdict = reference.comparison.verdict
    outcome = "not significantly better" if verdict == "inconclusive" else f"significantly {verdict}"
    return Gate(gate, verdict == "better", f"{reference}: {outcome} ({reference.comparison.p_text})")


def _not_worse(reference: ReferenceModel) -> Gate:
    if reference.comparison is None:
        return Gate("gates.better", True, f"{reference.name} cannot score these rows: not compared")
    verdict = reference.comparison.verdict
    outcome = "not significantly worse" if verdict == "inconclusive" else f"significantly {verdict}"
    return Gate("gates.better", verdict != "worse", f"{reference}: {outcome} ({reference.comparison.p_text})")
