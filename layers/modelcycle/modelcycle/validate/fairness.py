"""Metrics of each group of the sensitive columns, by fairlearn."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import DEFAULT_THRESHOLD
from modelcycle.spec import Task
from modelcycle.validate.sensitive_groups import MIN_NAMED_ROWS, Grouping

MIN_COMPARED_ROWS = 30  # a smaller group is reported, but enters no difference between groups
Array = npt.NDArray[Any]


def group_metrics(
    scores: Array, target: Array, task: Task, groupings: Sequence[Grouping], threshold: Any = DEFAULT_THRESHOLD
) -> dict[str, dict[str, Any]]:
    """Compute the metrics of each group, and the largest difference between two groups.

    Parameters
    ----------
    scores : probabilities (n, k), or values (n, 1)
    target : codes (n,), or numbers (n,)
    groupings : of the rows
    threshold : probability from which the second of two classes is predicted; or one for each row (n,)

    Returns
    -------
    {title: {"groups": {group: {metric: value}}, "differences": {metric: value}}}. A metric that is undefined in a
    group (recall without positives) is left out there.
    """
    from fairlearn.metrics import MetricFrame

    if not len(target):
        return {}
    predicted = scores[:, 0].astype(np.float64) if task == "regression" else predicted_codes(scores, threshold)
    metrics = _metrics(task)
    report: dict[str, dict[str, Any]] = {}
    for grouping in groupings:
        frame = MetricFrame(metrics=metrics, y_true=target, y_pred=predicted, sensitive_features=grouping.codes)
        of_code = {int(code): _finite(values) for code, values in frame.by_group.to_dict(orient="index").items()}
        compared_codes = [code for code, values in of_code.items() if values["rows"] >= MIN_COMPARED_ROWS]
        differences: dict[str, float] = {}
        if len(compared_codes) > 1:
            compared = frame.by_group.loc[compared_codes].astype(float)
            differences = _finite((compared.max() - compared.min()).drop("rows").to_dict())
        by_group = {
            grouping.names[code]: values
            for code, values in of_code.items()
            if values["rows"] >= MIN_NAMED_ROWS or code not in grouping.comparable
        }
        report[grouping.title] = {"groups": by_group, "differences": differences}
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
            "mean_error": lambda target, predicted: float(np.mean(np.asarray(predicted) - np.asarray(target))),
        }
    metrics = {"rows": fl.count, "accuracy": sk.accuracy_score}
    if task == "binary":
        metrics |= {
            "selection_rate": fl.selection_rate,
            "true_positive_rate": _rate(fl.true_positive_rate, 1),
            "false_positive_rate": _rate(fl.false_positive_rate, 0),
            "precision": lambda target, predicted: sk.precision_score(target, predicted, zero_division=np.nan),
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
