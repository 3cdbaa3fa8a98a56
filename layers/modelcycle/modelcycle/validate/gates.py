"""The gates of the pipeline file: what a candidate must achieve before it becomes a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelcycle.faults import BadPipeline
from modelcycle.messages import Chain
from modelcycle.spec import METRICS, Direction, Gates, Task, unknown_metric
from modelcycle.validate.chain import has_fallen
from modelcycle.validate.significance import Comparison, Ranking, p_in_words

MAX_RANKING_P = 0.025  # one-sided, as the test of the losses


@dataclass(frozen=True)
class Gate:
    """A gate and its outcome; `detail` is a sentence for people."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class ReferenceModel:
    """A model that the candidate was compared with.

    Parameters
    ----------
    name : for people
    value : its headline metric on the compared rows; None if that is undefined on them
    comparison : by the loss of each row
    loss : its mean loss on these rows
    loss_name : for people
    contrary : the candidate's headline metric with its name, where that is no better than this model's; else empty
    """

    name: str
    value: float | None
    comparison: Comparison
    loss: float
    loss_name: str = "loss"
    contrary: str = ""

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name} {figure(self.value)}"


def figure(value: float) -> str:
    """Return a metric as sentences write it.

    >>> figure(0.8712), figure(27_463.2)
    ('0.871', '27,463')
    """
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value:.3g}"


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


def baseline_gate(baseline: ReferenceModel, beyond_constant: Comparison, ranking: Ranking, task: Task) -> Gate:
    """Return whether the candidate has learned something: it is better than a model without features.

    Its losses are significantly lower, and not only because its predictions are nearer to the mean of these rows; or
    its scores rank the rows beyond chance and its losses are no higher.

    Parameters
    ----------
    beyond_constant : the candidate against a constant, both moved to the mean of these rows
    ranking : how well its scores order the rows
    """
    comparison, gate = baseline.comparison, "gates.beats_baseline"
    loss_p, ranking_p = comparison.p_text, p_in_words(ranking.p)
    ranks = ranking.p < MAX_RANKING_P
    contrary = f"{baseline.contrary} is no better, but " if baseline.contrary else ""
    if comparison.verdict == "inconclusive":
        if comparison.advantage > 0 and ranks:
            if contrary:
                detail = (
                    f"{contrary}it ranks the rows beyond chance ({ranking_p}), and its {baseline.loss_name} is lower"
                )
            else:
                detail = f"better, since it ranks the rows beyond chance ({ranking_p})"
            return Gate(gate, True, f"{baseline}: {detail}")
        tried = f"{baseline.loss_name} {loss_p}, ranking {ranking_p}"
        return Gate(gate, False, f"{baseline}: not significantly better ({tried})")
    if comparison.verdict == "worse":
        return Gate(gate, False, f"{baseline}: significantly worse by its {baseline.loss_name} ({loss_p})")
    # a correlation of ranks may miss the few large values that a regression predicts well
    tells_apart = beyond_constant.verdict == "better" and (task == "regression" or ranking.advantage > 0)
    if not (ranks or tells_apart):
        only = "better only as another constant would be: the target has another mean here than in the training rows"
        return Gate(gate, False, f"{baseline}: {only}, and the model does not tell rows apart (ranking {ranking_p})")
    outcome = f"its {baseline.loss_name} is, significantly" if contrary else "significantly better"
    return Gate(gate, True, f"{baseline}: {contrary}{outcome} ({loss_p})")


def minimum_gates(minimum: dict[str, float], task: Task, metrics: dict[str, float]) -> list[Gate]:
    """Return the outcome of each limit of `gates.minimum`."""
    return [_minimum(name, limit, metrics.get(name), METRICS[task][name]) for name, limit in minimum.items()]


def champion_gates(gates: Gates, champion: ReferenceModel, chain: Chain) -> list[Gate]:
    """Return whether the candidate may replace the champion: not worse than it, nor than the best of its predecessors.

    Parameters
    ----------
    chain : of the candidate
    """
    outcome = _better("gates.better", champion) if gates.better else _not_worse(champion)
    if outcome.holds and has_fallen(chain, gates.margin, champion.loss):
        # a champion without any error has a loss of 0
        rise = f"{-chain.advantage / champion.loss:.1%}" if champion.loss else f"{-chain.advantage:.3g}"
        fallen = (
            f"step by step worse than version {chain.since}: its loss and that of the versions after version"
            f" {chain.since} rose by {rise} in all, more than gates.margin ({gates.margin:.1%}) and beyond chance"
        )
        return [outcome, Gate("gates.margin", False, fallen)]
    return [outcome]


def uncompared_gate(gates: Gates, reasons: Sequence[str]) -> Gate:
    """Return the outcome if comparing with the champion says nothing; the reasons are its detail."""
    return Gate("gates.uncompared", gates.uncompared != "refuse", "; ".join(reasons))


def _minimum(name: str, limit: float, value: float | None, better: Direction) -> Gate:
    gate = f"gates.minimum.{name}"
    if value is None:
        return Gate(gate, False, f"{name} is undefined on these test rows")
    if better == "lower":
        return Gate(gate, value <= limit, f"{name} {value:.4g}: {limit:g} is the highest allowed")
    return Gate(gate, value >= limit, f"{name} {value:.4g}: {limit:g} is the lowest allowed")


def _better(gate: str, reference: ReferenceModel) -> Gate:
    verdict = reference.comparison.verdict
    outcome = "not significantly better" if verdict == "inconclusive" else f"significantly {verdict}"
    return Gate(gate, verdict == "better", f"{reference}: {outcome} ({reference.comparison.p_text})")


def _not_worse(reference: ReferenceModel) -> Gate:
    verdict = reference.comparison.verdict
    outcome = "not significantly worse" if verdict == "inconclusive" else f"significantly {verdict}"
    return Gate("gates.better", verdict != "worse", f"{reference}: {outcome} ({reference.comparison.p_text})")
