"""The parameters of each algorithm: the defaults of its first trial, and the distributions of all others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from modelcycle.spec import Task

Draw = Callable[[Any], float | int | str]
"""Draws one value from a numpy Generator."""

MAX_TREE_ROWS = 50_000  # each tree of a forest sees at most this many
# limits a forest's graph to some 8 MB, and with it the memory of the function that serves it
FOREST_SIZE = {"n_estimators": 60, "max_leaf_nodes": 1000}


def default_parameters(algorithm: str, task: Task, rows: int) -> dict[str, Any]:
    """Return the parameters of an algorithm's first trial, which work well on most tables.

    Parameters
    ----------
    rows : number of training rows
    """
    if algorithm == "hist_gradient_boosting":
        return {
            "max_iter": 200,
            "learning_rate": 0.1,
            "max_leaf_nodes": 12,
            "min_samples_leaf": 20,
            "l2_regularization": 1,
        }
    if algorithm == "random_forest":
        row_limit = {"max_samples": MAX_TREE_ROWS} if rows > MAX_TREE_ROWS else {}
        max_features = 0.5 if task == "regression" else "sqrt"
        return FOREST_SIZE | row_limit | {"min_samples_leaf": 3, "max_features": max_features}
    return {"alpha": 1} if task == "regression" else {"C": 1, "max_iter": 300}


def search_space(algorithm: str, task: Task) -> dict[str, Draw]:
    """Return the distribution of each parameter that the search varies.

    No float drawn here is integral: JSON may turn 1.0 into 1, and as max_features 1 means one feature, 1.0 all.
    """
    if algorithm == "hist_gradient_boosting":
        return {
            "max_iter": _log_uniform_int(80, 400),
            "learning_rate": _log_uniform(0.03, 0.2),
            "max_leaf_nodes": _log_uniform_int(6, 40),
            "min_samples_leaf": _log_uniform_int(5, 60),
            "l2_regularization": _log_uniform(0.001, 10),
            "max_features": _choice(0.4, 0.6, 0.8),
        }
    if algorithm == "random_forest":
        return {"min_samples_leaf": _log_uniform_int(1, 20), "max_features": _choice("sqrt", 0.3, 0.5, 0.7)}
    return {"alpha": _log_uniform(0.001, 1000)} if task == "regression" else {"C": _log_uniform(0.001, 100)}


def _log_uniform(low: float, high: float) -> Draw:
    """Draw from a log-uniform distribution, rounded to four digits."""

    def draw(generator: Any) -> float | int:
        drawn = float(f"{math.exp(generator.uniform(math.log(low), math.log(high))):.4g}")
        return int(drawn) if drawn.is_integer() else drawn

    return draw


def _log_uniform_int(low: int, high: int) -> Draw:
    return lambda generator: round(math.exp(generator.uniform(math.log(low), math.log(high))))


def _choice(*values: float | str) -> Draw:
    return lambda generator: values[int(generator.integers(len(values)))]
