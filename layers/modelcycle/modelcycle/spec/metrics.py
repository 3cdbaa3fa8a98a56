"""The metrics of each task, and which direction of each is better."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

Task = Literal["binary", "multiclass", "regression"]
Direction = Literal["higher", "lower"]

METRICS: dict[Task, dict[str, Direction]] = {
    "binary": {
        "accuracy": "higher",
        "precision": "higher",
        "recall": "higher",
        "f1": "higher",
        "balanced_accuracy": "higher",
        "roc_auc": "higher",
        "average_precision": "higher",
        "log_loss": "lower",
        "brier": "lower",
        "expected_calibration_error": "lower",
    },
    "multiclass": {
        "accuracy": "higher",
        "balanced_accuracy": "higher",
        "macro_f1": "higher",
        "roc_auc_ovr": "higher",
        "log_loss": "lower",
        "expected_calibration_error": "lower",
    },
    "regression": {
        "rmse": "lower",
        "mae": "lower",
        "median_absolute_error": "lower",
        "mape": "lower",
        "r2": "higher",
    },
}
"""Each metric of a task, and the direction in which it is better."""

HEADLINE_METRIC: dict[Task, str] = {"binary": "accuracy", "multiclass": "accuracy", "regression": "rmse"}
"""The metric that screens and registry show for a model, unless a class is rare; see `headline_metric`."""

MAX_RARE_SHARE = 0.2  # of the rarer of two classes; below it, a model that never predicts it is right in 80 % of rows
MAX_COMMON_SHARE = 0.8  # of the most common of several classes
MAX_IMBALANCE = 10.0  # rows of the most common of several classes for one row of the rarest


def headline_metric(task: Task, shares: Sequence[float] = ()) -> str:
    """Return the metric to show for a model. Accuracy says little where one class is rare.

    Parameters
    ----------
    shares : of the classes among the rows that the model learned from

    Examples
    --------
    >>> headline_metric("binary", [0.76, 0.24]), headline_metric("binary", [0.94, 0.06])
    ('accuracy', 'roc_auc')
    >>> headline_metric("multiclass", [0.5, 0.3, 0.2]), headline_metric("multiclass", [0.9, 0.06, 0.04])
    ('accuracy', 'balanced_accuracy')
    """
    if task == "binary" and shares and min(shares) < MAX_RARE_SHARE:
        return "roc_auc"
    if task == "multiclass" and shares:
        present = [share for share in shares if share > 0]
        if max(present) > MAX_COMMON_SHARE or max(present) > MAX_IMBALANCE * min(present):
            return "balanced_accuracy"
    return HEADLINE_METRIC[task]


def is_better(metric: str, value: float, other: float) -> bool:
    """Return whether a value of a metric is better than another; a metric has one direction in all tasks.

    Examples
    --------
    >>> is_better("accuracy", 0.9, 0.8), is_better("rmse", 0.9, 0.8)
    (True, False)
    """
    direction = next(metrics[metric] for metrics in METRICS.values() if metric in metrics)
    return value > other if direction == "higher" else value < other


def unknown_metric(name: str, tasks: Iterable[Task]) -> str | None:
    """Return the sentence for a metric that none of the tasks has, or None when one has it.

    Examples
    --------
    >>> unknown_metric("acuracy", ["binary"])
    'gates.minimum: acuracy is not a metric of a binary task, did you mean accuracy?'
    >>> unknown_metric("rmse", ["binary", "regression"])
    """
    tasks = list(tasks)
    known = list(dict.fromkeys(metric for task in tasks for metric in METRICS[task]))
    if name in known:
        return None
    of_task = f" of a {tasks[0]} task" if len(tasks) == 1 else ""
    import difflib  # not needed to answer predictions

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(known)}"
    return f"gates.minimum: {name} is not a metric{of_task}, {hint}"
