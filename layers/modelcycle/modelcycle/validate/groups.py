"""Metrics of each group of the sensitive columns, by fairlearn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Texts
from modelcycle.model.scoring import chosen
from modelcycle.spec import Task

MISSING = "(no value)"
FEWEST_ROWS = 30  # of a group that differences are taken over; a smaller one is shown alone


def by_group(
    scores: npt.NDArray[Any], target: npt.NDArray[Any], task: Task, groups: dict[str, Texts]
) -> dict[str, dict[str, Any]]:
    """For each sensitive column the metrics of each group, and the largest difference between groups.

    Returns
    -------
    {column: {"groups": {group: {metric: value}}, "differences": {metric: value}}}; what a group's rows cannot say
    (a recall without positives) is left out
    """
    from fairlearn.metrics import MetricFrame

    said = scores[:, 0].astype(np.float64) if task == "regression" else chosen(scores)
    report: dict[str, dict[str, Any]] = {}
    for column, texts in groups.items():
        if not len(target):
            continue
        names = texts.strings(missing=MISSING)
        frame = MetricFrame(metrics=_metrics(task), y_true=target, y_pred=said, sensitive_features=names)
        table = {str(name): _finite(row) for name, row in frame.by_group.to_dict(orient="index").items()}
        large = np.isin(names, [name for name, row in table.items() if row["rows"] >= FEWEST_ROWS])
        differences: dict[str, float] = {}
        if len(set(names[large])) > 1:
            compared = MetricFrame(
                metrics=_metrics(task), y_true=target[large], y_pred=said[large], sensitive_features=names[large]
            )
            found = compared.difference(method="between_groups").to_dict()
            differences = _finite({name: value for name, value in found.items() if name != "rows"})
        report[column] = {"groups": table, "differences": differences}
    return report


def _metrics(task: Task) -> dict[str, Any]:
    from fairlearn import metrics as fair
    from sklearn import metrics as sk

    if task == "regression":
        return {
            "rows": fair.count,
            "rmse": sk.root_mean_squared_error,
            "mae": sk.mean_absolute_error,
            "mean_prediction": fair.mean_prediction,
        }
    shared = {"rows": fair.count, "accuracy": sk.accuracy_score}
    if task == "multiclass":
        return shared
    return shared | {
        "selection_rate": fair.selection_rate,
        "true_positive_rate": _rate(fair.true_positive_rate, 1),
        "false_positive_rate": _rate(fair.false_positive_rate, 0),
    }


def _rate(rate: Any, needs: int) -> Any:
    def among(target: npt.NDArray[Any], said: npt.NDArray[Any]) -> float:
        # fairlearn says 0 where a group has no row of the class; nobody can know
        return float(rate(target, said, pos_label=1)) if (np.asarray(target) == needs).any() else math.nan

    return among


def _finite(row: dict[Any, Any]) -> dict[str, float]:
    return {str(name): float(value) for name, value in row.items() if math.isfinite(float(value))}
