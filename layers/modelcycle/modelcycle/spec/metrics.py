"""The metrics of each task, and which direction of each is better."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

Task = Literal["binary", "multiclass", "regression"]
Direction = Literal["higher", "lower"]

METRICS: dict[Task, dict[str, Direction]] = {
    "binary": {
        "accuracy": "higher",
        "precision": "higher",
        "recall": "higher",
        "f1": "higher",
        "roc_auc": "higher",
        "average_precision": "higher",
        "log_loss": "lower",
        "brier": "lower",
    },
    "multiclass": {
        "accuracy": "higher",
        "balanced_accuracy": "higher",
        "macro_f1": "higher",
        "roc_auc_ovr": "higher",
        "log_loss": "lower",
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
"""The metric that screens and registry show for a model."""


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
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(known)}"
    return f"gates.minimum: {name} is not a metric{of_task}, {hint}"
