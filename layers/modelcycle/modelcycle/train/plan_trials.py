from __future__ import annotations

from modelcycle.messages import PlannedTrials, PlanTrialsRequest, Trial
from modelcycle.spec import Training
from modelcycle.steps import pipeline_of
from modelcycle.store import Store
from modelcycle.train.spaces import DEFAULTS, SHARES, SPACES


def plan_trials(request: PlanTrialsRequest, *, artifacts: Store) -> PlannedTrials:
    """The trials of the search: each algorithm's default, then draws; the same seed gives the same trials."""
    training = pipeline_of(artifacts, request.run).training
    metric = "rmse" if request.preprocess.task == "regression" else "log loss"
    return PlannedTrials(metric=metric, trials=draw(training, regression=metric == "rmse"))


def draw(training: Training, *, regression: bool) -> list[Trial]:
    """`training.trials` trials, numbered from 1."""
    import numpy as np

    random = np.random.default_rng(training.seed)
    algorithms = [name for name in DEFAULTS if name in training.algorithms]
    shares = np.array([SHARES[name] for name in algorithms], dtype=float)
    trials = []
    for number in range(1, training.trials + 1):
        if number <= len(algorithms):
            algorithm = algorithms[number - 1]
            parameters = dict(DEFAULTS[algorithm])
        else:
            algorithm = algorithms[int(random.choice(len(algorithms), p=shares / shares.sum()))]
            parameters = {name: one(random) for name, one in SPACES[algorithm].items()}
        trials.append(
            Trial(number=number, algorithm=algorithm, parameters=_named(parameters, regression), seed=training.seed)
        )
    return trials


def _named(parameters: dict[str, object], regression: bool) -> dict[str, object]:
    """scikit-learn's own names: the strength of a linear model's penalty is `alpha`, or `C`, its inverse."""
    named = dict(parameters)
    if "strength" in named:
        strength = float(str(named.pop("strength")))
        named |= {"alpha": strength} if regression else {"C": round(1 / strength, 6), "max_iter": 300}
    return named
