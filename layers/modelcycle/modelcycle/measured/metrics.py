"""The metrics of each task from scores and true targets, by scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.measured.reliability import calibration
from modelcycle.model.group_cutoffs import Cutoffs
from modelcycle.model.losses import log_loss
from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import DEFAULT_THRESHOLD
from modelcycle.spec import METRICS, Task

Array = npt.NDArray[Any]


def measure(
    scores: Array, target: Array, task: Task, threshold: Cutoffs = DEFAULT_THRESHOLD
) -> tuple[dict[str, float], dict[str, str]]:
    """Compute all metrics of a task (`spec.METRICS`).

    Parameters
    ----------
    scores : probabilities (n, k) in the order of the target's codes, or values (n, 1)
    target : codes (n,), or numbers (n,)
    threshold : probability from which the second of two classes is predicted

    Returns
    -------
    metrics : finite values by name
    left_out : for each other metric, why it is undefined on these rows

    Examples
    --------
    >>> metrics, left_out = measure(np.array([[10.0], [22.0]]), np.array([10.0, 20.0]), "regression")
    >>> round(metrics["rmse"], 3), metrics["mae"], left_out
    (1.414, 1.0, {})
    """
    if not len(target):
        return {}, dict.fromkeys(METRICS[task], "there are no test rows")
    metrics: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for name, compute in _functions(scores, target, task, threshold).items():
        reason = _undefined_reason(name, target, scores.shape[1])
        value = math.nan if reason else float(compute())
        if math.isfinite(value):
            metrics[name] = value
        else:
            left_out[name] = reason or "it is not a finite number on these rows"
    return metrics, left_out


def measure_one(
    name: str, scores: Array, target: Array, task: Task, threshold: Cutoffs = DEFAULT_THRESHOLD
) -> float | None:
    """Return one metric of `measure`; None if it is undefined on these rows, or not one of the task.

    Examples
    --------
    >>> measure_one("rmse", np.array([[10.0], [22.0]]), np.array([10.0, 20.0]), "regression")
    1.4142135623730951
    """
    if not len(target) or name not in METRICS[task] or _undefined_reason(name, target, scores.shape[1]):
        return None
    value = float(_functions(scores, target, task, threshold)[name]())
    return value if math.isfinite(value) else None


def _functions(scores: Array, target: Array, task: Task, threshold: Cutoffs) -> dict[str, Callable[[], Any]]:
    """Return the computation of each metric of a task."""
    if task == "regression":
        return _regression_functions(scores[:, 0].astype(np.float64), target)
    return _binary_functions(scores, target, threshold) if task == "binary" else _multiclass_functions(scores, target)


def _regression_functions(predicted: Array, target: Array) -> dict[str, Callable[[], Any]]:
    from sklearn import metrics as sk

    return {
        "rmse": lambda: sk.root_mean_squared_error(target, predicted),
        "mae": lambda: sk.mean_absolute_error(target, predicted),
        "median_absolute_error": lambda: sk.median_absolute_error(target, predicted),
        "mape": lambda: sk.mean_absolute_percentage_error(target, predicted),
        "r2": lambda: sk.r2_score(target, predicted),
    }


def _binary_functions(scores: Array, target: Array, threshold: Cutoffs) -> dict[str, Callable[[], Any]]:
    from sklearn import metrics as sk

    predicted, positive = predicted_codes(scores, threshold), scores[:, 1].astype(np.float64)
    return {
        "accuracy": lambda: sk.accuracy_score(target, predicted),
        "precision": lambda: sk.precision_score(target, predicted, zero_division=np.nan),
        "recall": lambda: sk.recall_score(target, predicted, zero_division=np.nan),
        "f1": lambda: sk.f1_score(target, predicted, zero_division=np.nan),
        "balanced_accuracy": lambda: sk.balanced_accuracy_score(target, predicted),
        "roc_auc": lambda: sk.roc_auc_score(target, positive),
        "average_precision": lambda: sk.average_precision_score(target, positive),
        "log_loss": lambda: log_loss(scores, target),
        # brier_score_loss refuses a probability of 1.0000001, to which a graph may round
        "brier": lambda: sk.mean_squared_error(target, positive),
        "expected_calibration_error": lambda: expected_calibration_error(scores, target),
    }


def _multiclass_functions(scores: Array, target: Array) -> dict[str, Callable[[], Any]]:
    from sklearn import metrics as sk

    predicted, exact = predicted_codes(scores), scores.astype(np.float64)
    return {
        "accuracy": lambda: sk.accuracy_score(target, predicted),
        "balanced_accuracy": lambda: sk.balanced_accuracy_score(target, predicted),
        # over the classes that these rows have or that were predicted; the others cannot be measured
        "macro_f1": lambda: sk.f1_score(target, predicted, average="macro", zero_division=0.0),
        "roc_auc_ovr": lambda: sk.roc_auc_score(
            target,
            exact / exact.sum(axis=1, keepdims=True),  # float32 sums to one too roughly for scikit-learn
            multi_class="ovr",
            labels=np.arange(scores.shape[1]),
        ),
        "log_loss": lambda: log_loss(scores, target),
        "expected_calibration_error": lambda: expected_calibration_error(scores, target),
    }


def expected_calibration_error(scores: Array, target: Array) -> float:
    """Return the mean distance of predicted probability and observed frequency (Naeini et al. 2015).

    Over the bins of `reliability.calibration`, weighted by their rows. On few rows it is above zero by chance alone.

    Parameters
    ----------
    scores : (n, k)
    target : codes (n,)

    Examples
    --------
    >>> expected_calibration_error(np.array([[0.25, 0.75], [0.25, 0.75]]), np.array([1, 0]))
    0.25
    """
    bins = calibration(scores, target)
    return sum(part["rows"] * abs(part["said"] - part["true"]) for part in bins) / len(target)


def _undefined_reason(name: str, target: Array, n_classes: int) -> str:
    """Return why a metric is undefined on these rows, or ""."""
    if name in ("roc_auc", "average_precision", "balanced_accuracy") and n_classes == 2 and len(np.unique(target)) < 2:
        return "the test rows have only one class"
    if name == "roc_auc_ovr" and len(np.unique(target)) < n_classes:
        return "the test rows do not have every class"
    if name == "mape" and bool((target == 0).any()):
        return "the target is zero in a test row"
    if name == "r2" and (len(target) < 2 or float(np.ptp(target)) == 0.0):
        return "the target is the same in all test rows"
    return ""
