"""Plan the search: all trials are drawn from the seed before any is fitted.

First come the portfolios of the algorithms, then random draws (random search, Bergstra and Bengio, 2012). Boosting gets
the larger share: it is the best on most tables, and it has the most parameters to tune.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

from modelcycle.messages import PlannedTrials, PlanTrialsRequest, Trial
from modelcycle.model.pipeline import MAX_TARGET_CLASSES
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.spec import Task
from modelcycle.steps import pipeline_of
from modelcycle.store import Store
from modelcycle.train.search_space import CANDIDATES, MANY_ROWS, bounded, default_parameters, portfolio, search_space
from modelcycle.train.splits import count_folds
from modelcycle.train.threshold import check_decide

MAX_REFIT_ROWS = 10_000  # with more rows, a model that has also learned from the test rows is hardly better
ALGORITHM_CYCLE = (
    "hist_gradient_boosting", "hist_gradient_boosting", "extra_trees", "linear", "hist_gradient_boosting",
    "hist_gradient_boosting", "linear", "hist_gradient_boosting", "random_forest",
)  # fmt: skip
"""The order of the algorithms after the default trials; algorithms that the pipeline file leaves out are skipped."""
FIRST_OF_MANY = ("hist_gradient_boosting", "hist_gradient_boosting", "linear", "hist_gradient_boosting")
"""On many rows the first trials: boosting wins there, and the others may not fit into the search's seconds."""


def plan_trials(request: PlanTrialsRequest, *, artifacts: Store) -> PlannedTrials:
    """Plan the trials, numbered from 1 to `training.trials`. The same seed gives the same trials.

    Raises
    ------
    BadPipeline : `training.decide` for a task that is not binary; `fairness` for one that has no classes
    """
    pipeline = pipeline_of(artifacts, request.run)
    training = pipeline.training
    task, rows = request.preprocess.task, request.preprocess.split[0]
    check_decide(training.decide, task, f"pipelines/{request.run.model}.yaml")
    pipeline.fairness.check(task)
    ordered = pipeline.time_column is not None
    few = request.preprocess.kept < MAX_REFIT_ROWS or ordered
    plan = FeaturePlan.model_validate_json(artifacts.read(request.engineer_features.plan))
    signature = Signature.model_validate_json(artifacts.read(request.engineer_features.signature))
    drawn = draw_trials(
        list(dict.fromkeys(training.algorithms)),
        task,
        rows,
        training.seed,
        by_target=has_target_encoding(plan, signature),
    )
    return PlannedTrials(
        metric="rmse" if task == "regression" else "log loss",
        folds=count_folds(request.preprocess, ordered),
        refit=training.refit == "all" or (training.refit == "auto" and few),
        trials=[
            Trial(number=number, algorithm=algorithm, parameters=bounded(parameters, len(signature.classes)), seed=seed)
            for number, (algorithm, parameters, seed) in zip(range(1, training.trials + 1), drawn, strict=False)
        ],
        ends_at=datetime.now(UTC) + timedelta(seconds=training.seconds) if training.seconds is not None else None,
    )


def has_target_encoding(plan: FeaturePlan, signature: Signature) -> bool:
    """Return whether trees may read the mean target of a category: there are categories, and few classes."""
    return bool(plan.inputs("category", "high_cardinality")) and len(signature.classes) <= MAX_TARGET_CLASSES


def draw_trials(
    algorithms: Sequence[str], task: Task, rows: int, seed: int, *, by_target: bool = True
) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Yield algorithm, parameters and seed of one trial after the other, without end.

    Parameters
    ----------
    algorithms : without repetition
    rows : number of training rows
    seed : of the search
    by_target : whether categories may be encoded by their mean target

    Examples
    --------
    >>> from itertools import islice
    >>> for algorithm, parameters, seed in islice(draw_trials(["linear"], "binary", 1000, seed=0), 3):
    ...     print(algorithm, parameters, seed)
    linear {'C': 1, 'max_iter': 300} 1826701615
    linear {'C': 0.03, 'max_iter': 300} 1367864807
    linear {'C': 20, 'max_iter': 300} 1097657232
    """
    import numpy as np

    generator = np.random.default_rng(seed)
    portfolios = {name: portfolio(name, task, rows, by_target=by_target) for name in algorithms}
    spaces = {name: search_space(name, task, rows, by_target=by_target) for name in algorithms}
    first = [name for name in FIRST_OF_MANY if name in algorithms] if rows >= MANY_ROWS else []
    for algorithm in [*first, *(name for name in algorithms if name not in first)]:
        yield algorithm, next(portfolios[algorithm]), int(generator.integers(2**31))
    for algorithm in cycle([name for name in ALGORITHM_CYCLE if name in algorithms]):
        parameters = next(portfolios[algorithm], None)
        if parameters is None:
            drawn = {name: draw(generator) for name, draw in spaces[algorithm].items()}
            parameters = default_parameters(algorithm, task, rows) | drawn
            if algorithm == "hist_gradient_boosting" and rows >= MANY_ROWS:
                parameters["candidates"] = CANDIDATES
        yield algorithm, parameters, int(generator.integers(2**31))
