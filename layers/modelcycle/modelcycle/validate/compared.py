"""The candidate beside another model, on rows that neither has learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.losses import row_losses
from modelcycle.model.scoring import Scores
from modelcycle.spec import Task
from modelcycle.validate.gates import ReferenceModel
from modelcycle.validate.metrics import measure
from modelcycle.validate.significance import compare
from modelcycle.validate.units import Units

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
    threshold: float
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
    threshold: float

    @property
    def rows(self) -> int:
        """Number of compared rows."""
        return len(self.positions)


def compare_models(
    name: str, rows: JudgedRows, positions: Array, scores: Array, metric: str, threshold: float
) -> Compared:
    """Compare the candidate with another model by the loss of each row.

    Parameters
    ----------
    name : of the other model: "baseline", or "version 3"
    positions : of the compared rows (m,) among the test rows
    scores : of the other model (m, k), in the order of the candidate's classes
    metric : to name in the sentence
    threshold : from which the other model predicts the positive class
    """
    target, own = rows.target[positions], rows.scores.scores[positions]
    losses = row_losses(scores, target, rows.task)
    comparison = compare(row_losses(own, target, rows.task), losses, rows.units.take(positions))
    metrics, _ = measure(scores, target, rows.task, threshold)
    candidate_metrics, _ = measure(own, target, rows.task, rows.threshold)
    value, own_value = metrics.get(metric), candidate_metrics.get(metric)
    if name != "baseline":
        figures = "" if value is None or own_value is None else f": {metric} {value:.3g}, this model {own_value:.3g},"
        name, value = f"{name}{figures} on {len(positions):,} rows that neither had seen", None
    loss = float(np.mean(losses)) if len(losses) else 0.0
    return Compared(
        ReferenceModel(name, value, comparison, loss), metrics, candidate_metrics, positions, scores, threshold
    )
