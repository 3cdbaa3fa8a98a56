"""Random search (Bergstra and Bengio, 2012): all trials are drawn from the seed before any is fitted.

The first trial of each algorithm is its default. Boosting gets the larger share of the others, since it is the best on
most tables and has the most to tune.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

from modelcycle.messages import PlannedTrials, PlanTrialsRequest, Trial
from modelcycle.spec import Task
from modelcycle.steps import pipeline_of
from modelcycle.store import Store
from modelcycle.train.spaces import first, space

TURNS = (
    "hist_gradient_boosting", "random_forest", "hist_gradient_boosting", "linear", "hist_gradient_boosting",
    "hist_gradient_boosting",
)  # fmt: skip


def plan_trials(request: PlanTrialsRequest, *, artifacts: Store) -> PlannedTrials:
    """Name the trials, 1 to `training.trials`; the same seed names the same."""
    training = pipeline_of(artifacts, request.run).training
    task, rows = request.preprocess.task, request.preprocess.split[0]
    endless = named(list(dict.fromkeys(training.algorithms)), task, rows, training.seed)
    return PlannedTrials(
        metric="rmse" if task == "regression" else "log loss",
        trials=[
            Trial(number=number, algorithm=algorithm, parameters=parameters, seed=seed)
            for number, (algorithm, parameters, seed) in zip(range(1, training.trials + 1), endless, strict=False)
        ],
    )


def named(algorithms: list[str], task: Task, rows: int, seed: int) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Algorithm, parameters and seed of one trial after the other, without end."""
    import numpy as np

    generator = np.random.default_rng(seed)
    for algorithm in algorithms:
        yield algorithm, first(algorithm, task, rows), int(generator.integers(2**31))
    for algorithm in cycle([turn for turn in TURNS if turn in algorithms]):
        drawn = {name: draw(generator) for name, draw in space(algorithm, task).items()}
        yield algorithm, first(algorithm, task, rows) | drawn, int(generator.integers(2**31))
