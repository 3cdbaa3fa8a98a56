"""The candidate beside another model, on rows that neither has learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.measured.metrics import measure
from modelcycle.measured.units import Units
from modelcycle.model.group_cutoffs import Cutoffs, of_rows
from modelcycle.model.losses import row_losses
from modelcycle.model.scoring import Scores
from modelcycle.spec import Task, is_better
from modelcycle.validate.gates import ReferenceModel, figure
from modelcycle.validate.significance import Comparison, compare

LOSS_NAMES: dict[Task, str] = {
    "binary": "quadratic score",
    "multiclass": "quadratic score",
    "regression": "squared error",
}
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class JudgedRows:
    """The test rows with the candidate's scores.

    Parameters
    ----------
    classes : names in the order of the codes
    target : codes (n,), or numbers (n,)
    scores : of the candidate (n, k)
    units : which rows are independent of each other
    threshold : from which the candidate predicts the positive class
    baseline : what a model without features predicts; see `select_model`
    """

    task: Task
    classes: list[str]
    target: Array
    scores: Scores
    units: Units
    threshold: Cutoffs
    baseline: dict[str, Any]


@dataclass(frozen=True)
class Compared:
    """A comparison with another model, and the metrics of both on the compared rows.

    Parameters
    ----------
    positions : of the compared rows (m,) among the test rows
    scores : of the other model (m, k)
    threshold : from which the other model predicts the positive class
    """

    reference: ReferenceModel
    metrics: dict[str, float]
    candidate_metrics: dict[str, float]
    positions: Array
    scores: Array
    threshold: Cutoffs

    @property
    def rows(self) -> int:
        """Number of compared rows."""
        return len(self.positions)


def compare_models(
    name: str, rows: JudgedRows, positions: Array, scores: Array, metric: str, threshold: Cutoffs
) -> Compared:
    """Compare the candidate with another model by the loss of each row.

    Parameters
    ----------
    name : of the other model: "baseline", or "version 3"
    positions : of the compared rows (m,) among the test rows
    scores : of the other model (m, k), in the order of the candidate's classes
    metric : to name in the sentence
    threshold : from which the other model predicts the positive class, on all compared rows or on each (m,)
    """
    target, own = rows.target[positions], rows.scores.scores[positions]
    losses = row_losses(scores, target, rows.task)
    comparison = compare(row_losses(own, target, rows.task), losses, rows.units.take(positions))
    metrics, _ = measure(scores, target, rows.task, threshold)
    candidate_metrics, _ = measure(own, target, rows.task, of_rows(rows.threshold, positions))
    value, own_value = metrics.get(metric), candidate_metrics.get(metric)
    if name != "baseline":
        figures = (
            ""
            if value is None or own_value is None
            else (f": {metric.replace('_', ' ')} {figure(value)}, this model {figure(own_value)},")
        )
        name, value = f"{name}{figures} on {len(positions):,} rows that neither had seen", None
    loss = float(np.mean(losses)) if len(losses) else 0.0
    contrary = ""
    if value is not None and own_value is not None and not is_better(metric, own_value, value):
        contrary = f"{metric.replace('_', ' ')} {figure(own_value)}"
    reference = ReferenceModel(name, value, comparison, loss, LOSS_NAMES[rows.task], contrary)
    return Compared(reference, metrics, candidate_metrics, positions, scores, threshold)


def beyond_a_constant(rows: JudgedRows) -> Comparison:
    """Compare the candidate with a constant, both moved to the mean of these rows.

    If the rows have another mean than those that a model without features knows, any constant nearer to it is better
    than that model. Here only what the candidate says about single rows counts.
    """
    target = rows.target
    if rows.task == "regression":
        truth = target.astype(np.float64)[:, None]
    else:
        truth = np.eye(rows.scores.scores.shape[1])[target]
    scores = rows.scores.scores.astype(np.float64)
    centred = scores - scores.mean(axis=0) + truth.mean(axis=0)
    constant = np.tile(truth.mean(axis=0), (len(target), 1))
    return compare(row_losses(centred, target, rows.task), row_losses(constant, target, rows.task), rows.units)


def worse_than_none(champion: Compared, baseline: Compared, rows: JudgedRows, metric: str, version: int) -> str:
    """Return a sentence if the champion is worse than a model without features, beyond chance; else an empty text.

    A version that went live was better than that. So rows, labels or units have changed since, and being better than
    such a champion is no evidence for the candidate.
    """
    positions, units = champion.positions, rows.units.take(champion.positions)
    target, without = rows.target[positions], baseline.scores[positions]
    losses = row_losses(without, target, rows.task)
    if compare(row_losses(champion.scores, target, rows.task), losses, units).verdict != "worse":
        return ""
    name, own = LOSS_NAMES[rows.task], champion.reference.loss
    other = float(losses.mean())
    shown, shown_other = (
        champion.metrics.get(metric),
        measure(without, target, rows.task, baseline.threshold)[0].get(metric),
    )
    if shown is not None and shown_other is not None and is_better(metric, shown_other, shown):
        name, own, other = metric.replace("_", " "), shown, shown_other
    figures = f"{name} {figure(own)}, {figure(other)} without a model"
    return (
        f"version {version} is worse than no model on these rows: {figures}: labels, units or columns may have changed"
    )
