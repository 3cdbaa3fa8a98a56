"""What the search may draw, for each algorithm, and the first trial of each, which is good on most tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from modelcycle.spec import Task

Draw = Callable[[Any], float | int | str]

MOST_ROWS_OF_A_TREE = 50_000  # in a forest
# bounds a forest's graph to some 8 MB, and so the memory of what serves it
FOREST = {"n_estimators": 60, "max_leaf_nodes": 1000}


def first(algorithm: str, task: Task, rows: int) -> dict[str, Any]:
    if algorithm == "hist_gradient_boosting":
        return {
            "max_iter": 200,
            "learning_rate": 0.1,
            "max_leaf_nodes": 12,
            "min_samples_leaf": 20,
            "l2_regularization": 1,
        }
    if algorithm == "random_forest":
        most = {"max_samples": MOST_ROWS_OF_A_TREE} if rows > MOST_ROWS_OF_A_TREE else {}
        return FOREST | most | {"min_samples_leaf": 3, "max_features": 0.5 if task == "regression" else "sqrt"}
    return {"alpha": 1} if task == "regression" else {"C": 1, "max_iter": 300}


def space(algorithm: str, task: Task) -> dict[str, Draw]:
    # no float drawn here is whole: JSON may hand 1.0 on as 1, which as max_features is one feature and not all of them
    if algorithm == "hist_gradient_boosting":
        return {
            "max_iter": _whole(80, 400),
            "learning_rate": _log(0.03, 0.2),
            "max_leaf_nodes": _whole(6, 40),
            "min_samples_leaf": _whole(5, 60),
            "l2_regularization": _log(0.001, 10),
            "max_features": _one_of(0.4, 0.6, 0.8),
        }
    if algorithm == "random_forest":
        return {"min_samples_leaf": _whole(1, 20), "max_features": _one_of("sqrt", 0.3, 0.5, 0.7)}
    return {"alpha": _log(0.001, 1000)} if task == "regression" else {"C": _log(0.001, 100)}


def _log(low: float, high: float) -> Draw:
    """Evenly on a logarithmic scale, to four digits."""

    def draw(generator: Any) -> float | int:
        drawn = float(f"{math.exp(generator.uniform(math.log(low), math.log(high))):.4g}")
        return int(drawn) if drawn.is_integer() else drawn

    return draw


def _whole(low: int, high: int) -> Draw:
    return lambda generator: round(math.exp(generator.uniform(math.log(low), math.log(high))))


def _one_of(*choices: float | str) -> Draw:
    return lambda generator: choices[int(generator.integers(len(choices)))]
