"""The metrics of each task, of scores and true targets alone. scikit-learn's own functions, never rewritten ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.scoring import chosen
from modelcycle.spec import Task

NAMES: dict[Task, tuple[str, ...]] = {
    "binary": ("accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "log_loss", "brier"),
    "multiclass": ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc_ovr", "log_loss"),
    "regression": ("rmse", "mae", "median_absolute_error", "mape", "r2"),
}
ERRORS = frozenset({"log_loss", "brier", "rmse", "mae", "median_absolute_error", "mape"})  # lower is better
DECIDING: dict[Task, str] = {"binary": "accuracy", "multiclass": "accuracy", "regression": "rmse"}

Array = npt.NDArray[Any]


def measure(scores: Array, target: Array, task: Task) -> tuple[dict[str, float], dict[str, str]]:
    """All metrics of a task.

    Parameters
    ----------
    scores : probabilities (n, k) in the order of the target's codes, or values (n, 1)
    target : codes (n,), or numbers (n,)

    Returns
    -------
    metrics, each finite; and for each that cannot be worked out on these rows, why
    """
    metrics: dict[str, float] = {}
    left_out: dict[str, str] = {}
    if not len(target):
        return {}, dict.fromkeys(NAMES[task], "there are no test rows")
    for name, work in _functions(scores, target, task).items():
        reason = _impossible(name, target, scores.shape[1])
        value = math.nan if reason else float(work())
        if math.isfinite(value):
            metrics[name] = value
        else:
            left_out[name] = reason or "it is not a finite number on these rows"
    return metrics, left_out


def losses(scores: Array, target: Array, task: Task) -> npt.NDArray[np.float64]:
    """What each row (n,) costs: Brier's quadratic score (Brier 1950; 0 to 2), or the squared error.

    Models are compared by these, pair by pair. Not by log loss, which one overconfident row may rule without limit: on
    some dozens of test rows it hides a model that is right on all others.
    """
    if task == "regression":
        return np.square(scores[:, 0].astype(np.float64) - target)
    truth = np.zeros(scores.shape)
    truth[np.arange(len(target)), target] = 1.0
    costs: npt.NDArray[np.float64] = np.square(scores.astype(np.float64) - truth).sum(axis=1)
    return costs


def _log_loss(scores: Array, target: Array) -> float:
    smallest = float(np.finfo(np.float32).eps)  # as scikit-learn's log_loss clips float32 probabilities
    said = scores[np.arange(len(target)), target].astype(np.float64)
    return float(-np.log(np.clip(said, smallest, 1.0)).mean())


def _functions(scores: Array, target: Array, task: Task) -> dict[str, Callable[[], Any]]:
    from sklearn import metrics as sk

    if task == "regression":
        said = scores[:, 0].astype(np.float64)
        return {
            "rmse": lambda: sk.root_mean_squared_error(target, said),
            "mae": lambda: sk.mean_absolute_error(target, said),
            "median_absolute_error": lambda: sk.median_absolute_error(target, said),
            "mape": lambda: sk.mean_absolute_percentage_error(target, said),
            "r2": lambda: sk.r2_score(target, said),
        }
    label, mean_loss = chosen(scores), lambda: _log_loss(scores, target)
    if task == "binary":
        positive = scores[:, 1].astype(np.float64)
        return {
            "accuracy": lambda: sk.accuracy_score(target, label),
            "precision": lambda: sk.precision_score(target, label, zero_division=np.nan),
            "recall": lambda: sk.recall_score(target, label, zero_division=np.nan),
            "f1": lambda: sk.f1_score(target, label, zero_division=np.nan),
            "roc_auc": lambda: sk.roc_auc_score(target, positive),
            "average_precision": lambda: sk.average_precision_score(target, positive),
            "log_loss": mean_loss,
            "brier": lambda: np.square(positive - target).mean(),
        }
    codes = np.arange(scores.shape[1])
    exact = scores.astype(np.float64)
    return {
        "accuracy": lambda: sk.accuracy_score(target, label),
        "balanced_accuracy": lambda: sk.balanced_accuracy_score(target, label),
        # over the classes that these rows hold or that were said; of any other nothing is known
        "macro_f1": lambda: sk.f1_score(target, label, average="macro", zero_division=0.0),
        "roc_auc_ovr": lambda: sk.roc_auc_score(
            target, exact / exact.sum(axis=1, keepdims=True), multi_class="ovr", labels=codes
        ),
        "log_loss": mean_loss,
    }


def _impossible(name: str, target: Array, classes: int) -> str:
    """Why a metric means nothing on these rows; empty where it does."""
    if name in ("roc_auc", "average_precision") and len(np.unique(target)) < 2:
        return "the test rows hold one class only"
    if name == "roc_auc_ovr" and len(np.unique(target)) < classes:
        return "the test rows do not hold every class"
    if name == "mape" and bool((target == 0).any()):
        return "the target is zero in a test row"
    if name == "r2" and (len(target) < 2 or float(np.ptp(target)) == 0.0):
        return "the target is the same in all test rows"
    return ""
