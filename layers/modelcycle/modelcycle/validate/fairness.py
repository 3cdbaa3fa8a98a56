"""Metrics of each group of the sensitive columns, by fairlearn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Texts
from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import DEFAULT_THRESHOLD
from modelcycle.spec import Task

MISSING_GROUP = "(missing)"
MIN_COMPARED_ROWS = 30  # a smaller group is reported, but enters no difference between groups
Array = npt.NDArray[Any]


def group_metrics(
    scores: Array, target: Array, task: Task, groups: dict[str, Texts], threshold: float = DEFAULT_THRESHOLD
) -> dict[str, dict[str, Any]]:
    """Compute the metrics of each group, and the largest difference between two groups.

    Parameters
    ----------
    scores : probabilities (n, k), or values (n, 1)
    target : codes (n,), or numbers (n,)
    groups : by sensitive column, the group (n,) of each row
    threshold : probability from which the second of two classes is predicted

    Returns
    -------
    {column: {"groups": {group: {metric: value}}, "differences": {metric: value}}}. A metric that is undefined in a
    group (recall without positives) is left out there.
    """
    from fairlearn.metrics import MetricFrame

    if not len(target):
        return {}
    predicted = scores[:, 0].astype(np.float64) if task == "regression" else predicted_codes(scores, threshold)
    metrics = _metrics(task)
    report: dict[str, dict[str, Any]] = {}
    for column, texts in groups.items():
        names = texts.strings(missing=MISSING_GROUP)
        frame = MetricFrame(metrics=metrics, y_true=target, y_pred=predicted, sensitive_features=names)
        by_group = {str(name): _finite(values) for name, values in frame.by_group.to_dict(orient="index").items()}
        compared_names = [name for name, values in by_group.items() if values["rows"] >= MIN_COMPARED_ROWS]
        differences: dict[str, float] = {}
        if len(compared_names) > 1:
            rows = np.isin(names, compared_names)
            compared = MetricFrame(
                metrics=metrics, y_true=target[rows], y_pred=predicted[rows], sensitive_features=names[rows]
            )
            differences = _finite(compared.difference(method="between_groups").drop("rows").to_dict())
        report[column] = {"groups": by_group, "differences": differences}
    return report


def _metrics(task: Task) -> dict[str, Any]:
    from fairlearn import metrics as fl
    from sklearn import metrics as sk

    if task == "regression":
        return {
            "rows": fl.count,
            "rmse": sk.root_mean_squared_error,
            "mae": sk.mean_absolute_error,
            "mean_prediction": fl.mean_prediction,
        }
    metrics = {"rows": fl.count, "accuracy": sk.accuracy_score}
    if task == "binary":
        metrics |= {
            "selection_rate": fl.selection_rate,
            "true_positive_rate": _rate(fl.true_positive_rate, 1),
            "false_positive_rate": _rate(fl.false_positive_rate, 0),
        }
    return metrics


def _rate(rate: Callable[..., Any], required: int) -> Callable[[Array, Array], float]:
    """Return a rate that is NaN, where fairlearn gives 0, for a group without rows of the required class."""

    def rate_or_nan(target: Array, predicted: Array) -> float:
        defined = (np.asarray(target) == required).any()
        return float(rate(target, predicted, pos_label=1)) if defined else math.nan

    return rate_or_nan


def _finite(values: dict[Any, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in values.items() if math.isfinite(float(value))}
