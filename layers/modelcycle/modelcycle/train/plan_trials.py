"""Plan a random search (Bergstra and Bengio, 2012): all trials are drawn from the seed before any is fitted.

The first trial of each algorithm has its default parameters. Boosting gets the larger share of the other trials: it is
the best on most tables, and it has the most parameters to tune.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

from modelcycle.messages import PlannedTrials, PlanTrialsRequest, Trial
from modelcycle.spec import Task
from modelcycle.steps import pipeline_of
from modelcycle.store import Store
from modelcycle.train.search_space import default_parameters, search_space

MAX_REFIT_ROWS = 10_000  # with more rows, a model that has also learned from the test rows is hardly better
ALGORITHM_CYCLE = (
    "hist_gradient_boosting", "random_forest", "hist_gradient_boosting", "linear", "hist_gradient_boosting",
    "hist_gradient_boosting",
)  # fmt: skip
"""The order of the algorithms after the default trials; algorithms that the pipeline file leaves out are skipped."""


def plan_trials(request: PlanTrialsRequest, *, artifacts: Store) -> PlannedTrials:
    """Plan the trials, numbered from 1 to `training.trials`. The same seed gives the same trials."""
    pipeline = pipeline_of(artifacts, request.run)
    training = pipeline.training
    task, rows = request.preprocess.task, request.preprocess.split[0]
    few = request.preprocess.kept < MAX_REFIT_ROWS or pipeline.time_column is not None
    drawn = draw_trials(list(dict.fromkeys(training.algorithms)), task, rows, training.seed)
    return PlannedTrials(
        metric="rmse" if task == "regression" else "log loss",
        refit=training.refit == "all" or (training.refit == "auto" and few),
        trials=[
            Trial(number=number, algorithm=algorithm, parameters=parameters, seed=seed)
            for number, (algorithm, parameters, seed) in zip(range(1, training.trials + 1), drawn, strict=False)
        ],
    )


def draw_trials(
    algorithms: Sequence[str], task: Task, rows: int, seed: int
) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Yield algorithm, parameters and seed of one trial after the other, without end.

    Parameters
    ----------
    algorithms : without repetition
    rows : number of training rows
    seed : of the search

    Examples
    --------
    >>> from itertools import islice
    >>> for algorithm, parameters, seed in islice(draw_trials(["linear"], "binary", 1000, seed=0), 3):
    ...     print(algorithm, parameters, seed)
    linear {'C': 1, 'max_iter': 300} 1826701615
    linear {'C': 0.02233, 'max_iter': 300} 1367864807
    linear {'C': 0.001603, 'max_iter': 300} 161576974
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    for algorithm in algorithms:
        yield algorithm, default_parameters(algorithm, task, rows), int(generator.integers(2**31))
    for algorithm in cycle([name for name in ALGORITHM_CYCLE if name in algorithms]):
        drawn = {name: draw(generator) for name, draw in search_space(algorithm, task).items()}
        yield algorithm, default_parameters(algorithm, task, rows) | drawn, int(generator.integers(2**31))
