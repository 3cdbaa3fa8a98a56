"""Random search (Bergstra and Bengio, 2012): which parameters are tried, drawn before any fit.

The first trial of each algorithm is one that is good on most tables; the others are drawn. Boosting gets the larger
share, since it is the best on most tables and has the most to tune.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

from modelcycle.messages import PlannedTrials, PlanTrialsRequest, Trial
from modelcycle.spec import Task
from modelcycle.steps import pipeline_of
from modelcycle.store import Store

Draw = Callable[[Any], float | int | str]

TURNS = (
    "hist_gradient_boosting", "random_forest", "hist_gradient_boosting", "linear", "hist_gradient_boosting",
    "hist_gradient_boosting",
)  # fmt: skip
MOST_ROWS_OF_A_TREE = 50_000  # in a forest
# bounds a forest's graph to some 8 MB, and so the memory of what serves it
FOREST = {"n_estimators": 60, "max_leaf_nodes": 1000}


def plan_trials(request: PlanTrialsRequest, *, artifacts: Store) -> PlannedTrials:
    """Name the trials, 1 to `training.trials`; the same seed names the same."""
    training = pipeline_of(artifacts, request.run).training
    task, rows = request.preprocess.task, request.preprocess.split[0]
    named = _named(list(dict.fromkeys(training.algorithms)), task, rows, training.seed)
    return PlannedTrials(
        metric="root mean squared error" if task == "regression" else "log loss",
        trials=[
            Trial(number=number, algorithm=algorithm, parameters=parameters, seed=seed)
            for number, (algorithm, parameters, seed) in zip(range(1, training.trials + 1), named, strict=False)
        ],
    )


def _named(algorithms: list[str], task: Task, rows: int, seed: int) -> Iterator[tuple[str, dict[str, Any], int]]:
    import numpy as np

    generator = np.random.default_rng(seed)
    for algorithm in algorithms:
        yield algorithm, _first(algorithm, task, rows), int(generator.integers(2**31))
    for algorithm in cycle([turn for turn in TURNS if turn in algorithms]):
        drawn = {name: draw(generator) for name, draw in _space(algorithm, task).items()}
        yield algorithm, _first(algorithm, task, rows) | drawn, int(generator.integers(2**31))


def _first(algorithm: str, task: Task, rows: int) -> dict[str, Any]:
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


def _space(algorithm: str, task: Task) -> dict[str, Draw]:
    # no float here is whole: JSON may hand 1.0 on as 1, which is one feature and not all of them
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
    return lambda generator: float(f"{math.exp(generator.uniform(math.log(low), math.log(high))):.4g}")


def _whole(low: int, high: int) -> Draw:
    return lambda generator: round(math.exp(generator.uniform(math.log(low), math.log(high))))


def _one_of(*choices: float | str) -> Draw:
    return lambda generator: choices[int(generator.integers(len(choices)))]
