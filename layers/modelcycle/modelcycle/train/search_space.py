"""The parameters of each algorithm: a portfolio of good ones, tried first, and the distributions of all others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from modelcycle.spec import Task

Draw = Callable[[Any], float | int | str]
"""Draws one value from a numpy Generator."""

Parameters = dict[str, Any]

MAX_TREE_ROWS = 30_000  # each tree of a forest sees at most this many
MAX_FOREST_LEAVES = (
    60_000  # limits a forest's graph to some 8 MB, and with it the memory of the function that serves it
)
MAX_TREE_LEAVES = 1_000
MAX_TREES, MIN_TREES = 150, 60
MAX_ITERATIONS = 1_000  # of boosting, which stops early
MAX_BOOSTED_LEAVES = 120_000  # over all iterations and classes; limits the graph to some 16 MB
MANY_ROWS = 40_000  # from here on, trees of boosting may be large, and a drawn trial is the best of several candidates
CANDIDATES = 4
FORESTS = ("random_forest", "extra_trees")


def portfolio(algorithm: str, task: Task, rows: int, *, by_target: bool) -> Iterator[Parameters]:
    """Yield parameters that work well on most tables, the best first.

    Parameters
    ----------
    rows : number of training rows
    by_target : whether categories may be encoded by their mean target
    """
    defaults = default_parameters(algorithm, task, rows)
    if algorithm == "hist_gradient_boosting":
        variants: list[Parameters] = [
            {},
            {"encoding": "target", "learning_rate": 0.05, "max_leaf_nodes": 6, "l2_regularization": 5},
            {"encoding": "target", "max_features": 0.6},
            {"learning_rate": 0.04, "max_leaf_nodes": 48, "min_samples_leaf": 8, "max_features": 0.4},
        ]
        if rows >= MANY_ROWS:
            variants[1:] = [
                {"encoding": "target"},
                {"learning_rate": 0.1, "max_leaf_nodes": 120, "max_features": 0.4, "l2_regularization": 10},
                {"encoding": "target", "max_leaf_nodes": 120, "min_samples_leaf": 100, "max_features": 0.4},
            ]
    elif algorithm == "extra_trees":
        variants = [{}, {"encoding": "target", "min_samples_leaf": 1, "max_features": 0.7}]
    elif algorithm == "random_forest":
        variants = [{}, {"encoding": "target", "min_samples_leaf": 10, "max_features": 0.4}]
    else:
        variants = [{}, {"alpha": 30}, {"alpha": 0.03}] if task == "regression" else [{}, {"C": 0.03}, {"C": 20}]
    for variant in variants:
        if not by_target:
            variant = {name: value for name, value in variant.items() if name != "encoding"}
        yield defaults | variant


def default_parameters(algorithm: str, task: Task, rows: int) -> Parameters:
    """Return the parameters of an algorithm's first trial.

    Parameters
    ----------
    rows : number of training rows
    """
    if algorithm == "hist_gradient_boosting":
        size: Parameters = {"learning_rate": 0.08, "max_leaf_nodes": 16, "min_samples_leaf": 20}
        if rows >= MANY_ROWS:
            size = {"learning_rate": 0.15, "max_leaf_nodes": 64, "min_samples_leaf": 40, "max_features": 0.6}
        return {"max_iter": MAX_ITERATIONS, "l2_regularization": 1} | size
    if algorithm in FORESTS:
        leaves = min(MAX_TREE_LEAVES, max(rows, 2))
        trees = min(MAX_TREES, max(MIN_TREES, MAX_FOREST_LEAVES // leaves))
        row_limit = {"max_samples": MAX_TREE_ROWS, "bootstrap": True} if rows > MAX_TREE_ROWS else {}
        max_features = 0.5 if task == "regression" else "sqrt"
        forest = {"n_estimators": trees, "max_leaf_nodes": leaves}
        return forest | row_limit | {"min_samples_leaf": 3, "max_features": max_features}
    return {"alpha": 1} if task == "regression" else {"C": 1, "max_iter": 300}


def bounded(parameters: Parameters, classes: int) -> Parameters:
    """Return parameters of boosting with as many iterations as the size of a graph allows.

    Parameters
    ----------
    classes : 0 for regression; of more than two, each has its own tree in every iteration

    Examples
    --------
    >>> bounded({"max_iter": 1000, "max_leaf_nodes": 16}, classes=2)
    {'max_iter': 1000, 'max_leaf_nodes': 16}
    >>> bounded({"max_iter": 1000, "max_leaf_nodes": 16}, classes=100)
    {'max_iter': 75, 'max_leaf_nodes': 16}
    """
    if "max_leaf_nodes" not in parameters or "max_iter" not in parameters:
        return parameters
    leaves = parameters["max_leaf_nodes"] * (classes if classes > 2 else 1)
    return parameters | {"max_iter": max(1, min(parameters["max_iter"], MAX_BOOSTED_LEAVES // leaves))}


def search_space(algorithm: str, task: Task, rows: int, *, by_target: bool) -> dict[str, Draw]:
    """Return the distribution of each parameter that the search varies.

    No float drawn here is integral: JSON may turn 1.0 into 1, and as max_features 1 means one feature, 1.0 all.

    Parameters
    ----------
    rows : number of training rows
    by_target : whether categories may be encoded by their mean target
    """
    encoding: dict[str, Draw] = {"encoding": _choice("codes", "target")} if by_target else {}
    if algorithm == "hist_gradient_boosting":
        return encoding | {
            "learning_rate": _log_uniform(0.05, 0.25) if rows >= MANY_ROWS else _log_uniform(0.02, 0.15),
            "max_leaf_nodes": _log_uniform_int(16, 250) if rows >= MANY_ROWS else _log_uniform_int(4, 80),
            "min_samples_leaf": _log_uniform_int(3, 60),
            "l2_regularization": _log_uniform(0.001, 30),
            "max_features": _choice(0.3, 0.5, 0.7, 0.9),
        }
    if algorithm in FORESTS:
        return encoding | {
            "min_samples_leaf": _log_uniform_int(1, 20),
            "max_features": _choice("sqrt", 0.3, 0.5, 0.7, 0.9),
        }
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
