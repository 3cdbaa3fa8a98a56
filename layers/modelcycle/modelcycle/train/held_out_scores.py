"""The scores of held-out rows: what a trial is judged by, and what calibration, thresholds and blends are made from."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from statistics import median
from time import monotonic
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.messages import Trial
from modelcycle.model import pipeline
from modelcycle.model.plan import FeaturePlan
from modelcycle.spec import Task
from modelcycle.train.splits import Split

# boosting ends when the held-out loss has not improved for this many iterations
PATIENCE = 25


@dataclass(frozen=True)
class Rows:
    """Rows to learn from.

    Parameters
    ----------
    frame : DataFrame (n, inputs) of `pipeline.frame`
    target : class codes or numbers (n,)
    weights : of the rows (n,); None: all are equal
    """

    frame: Any
    target: npt.NDArray[Any]
    weights: npt.NDArray[np.float64] | None = None

    def take(self, positions: npt.NDArray[np.int64]) -> Rows:
        """Return the rows at these positions."""
        weights = None if self.weights is None else self.weights[positions]
        return Rows(self.frame.iloc[positions], self.target[positions], weights)


@dataclass(frozen=True)
class HeldOutScores:
    """Scores of the rows that the splits judge.

    Parameters
    ----------
    trial : with parameters from which the same model can be fitted on other rows: the number of iterations is fixed
    positions : of the judged rows (m,)
    scores : float32 (m, classes) or (m, 1)
    """

    trial: Trial
    positions: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]


def score_held_out(
    trial: Trial, plan: FeaturePlan, task: Task, n_classes: int, rows: Rows, splits: list[Split],
    stop_at: float | None = None,
) -> HeldOutScores:  # fmt: skip
    """Fit a trial on each split, and score the rows that the split holds out.

    Boosting stops early by the held-out loss. All splits are scored at the same number of iterations, the median of the
    best ones, because this number becomes part of the trial: an optimum of each split would promise too much.

    Parameters
    ----------
    n_classes : 0 for regression
    stop_at : when boosting stops, in seconds of `time.monotonic`; with fewer iterations the trial is still complete
    """
    positions = np.concatenate([split.judge for split in splits])
    if trial.algorithm != "hist_gradient_boosting":
        scores = []
        for split in splits:
            learned = rows.take(split.fit)
            fitted = pipeline.fit(_model(trial, plan, task), learned.frame, learned.target, learned.weights)
            scores.append(pipeline.scores(fitted, rows.take(split.judge).frame, n_classes))
        return HeldOutScores(trial, positions, np.concatenate(scores))
    boosted = []
    for number, split in enumerate(splits):
        fold_stops_at = None if stop_at is None else _share(stop_at, len(splits) - number)
        boosted.append(_boost(trial, plan, task, rows.take(split.fit), rows.take(split.judge), fold_stops_at))
    iterations = max(1, round(median(fit.best_iteration for fit in boosted)))
    fixed = trial.model_copy(update={"parameters": trial.parameters | {"max_iter": iterations}})
    return HeldOutScores(fixed, positions, np.concatenate([fit.scores(iterations, n_classes) for fit in boosted]))


def _model(trial: Trial, plan: FeaturePlan, task: Task) -> Any:
    return pipeline.build(plan, task, trial.algorithm, trial.parameters, trial.seed)


@dataclass(frozen=True)
class _Boosted:
    """A fit of boosting that has stopped early.

    Parameters
    ----------
    judged : features (m, k) of the held-out rows
    mean, scale : of the target, in its unit; the estimator's target is standardised
    """

    estimator: Any
    judged: npt.NDArray[np.float64]
    mean: float
    scale: float

    @property
    def best_iteration(self) -> int:
        # the first score is that of no iteration; scikit-learn's scores are negative losses
        return int(np.argmax(self.estimator.validation_score_[1:])) + 1

    def scores(self, iterations: int, n_classes: int) -> npt.NDArray[np.float32]:
        """Return the held-out scores after a number of iterations, or after all if there are fewer."""
        last = min(iterations, self.estimator.n_iter_) - 1
        if not n_classes:
            staged = self.estimator.staged_predict(self.judged)
            values: npt.NDArray[np.float64] = next(islice(staged, last, None)) * self.scale + self.mean
            return values.reshape(-1, 1).astype(np.float32)
        probabilities = np.zeros((len(self.judged), n_classes), dtype=np.float32)
        staged = self.estimator.staged_predict_proba(self.judged)
        probabilities[:, self.estimator.classes_.astype(int)] = next(islice(staged, last, None))
        return probabilities


def _boost(trial: Trial, plan: FeaturePlan, task: Task, fit: Rows, judge: Rows, stop_at: float | None) -> _Boosted:
    from threadpoolctl import threadpool_limits

    model = _model(trial, plan, task)
    mean, scale = 0.0, 1.0
    target, judge_target = fit.target, judge.target
    if task == "regression":
        model, mean, scale = model.regressor, float(target.mean()), float(target.std()) or 1.0
        target, judge_target = (target - mean) / scale, (judge_target - mean) / scale
    features, fitted = pipeline.fit_features(model, fit.frame, target)
    judged = features.transform(pipeline.in_double_precision(judge.frame))
    # a class that the fit does not know has no loss; its rows still get scores
    known = np.isin(judge_target, np.unique(target)) if task != "regression" else np.ones(len(judged), dtype=bool)
    estimator = model[-1]
    with threadpool_limits(1):
        if known.any():
            estimator.set_params(early_stopping=True, n_iter_no_change=PATIENCE, scoring="loss")
            held_out: dict[str, Any] = {"X_val": judged[known], "y_val": judge_target[known]}
            if judge.weights is not None:
                held_out["sample_weight_val"] = judge.weights[known]
        else:
            held_out = {}
        for limit in _limits(estimator.max_iter, stop_at):
            estimator.set_params(max_iter=limit, warm_start=stop_at is not None)
            estimator.fit(fitted, target, fit.weights, **held_out)
            if estimator.n_iter_ < limit or (stop_at is not None and monotonic() > stop_at):
                break
    return _Boosted(estimator, judged, mean, scale)


def _share(stop_at: float, splits: int) -> float:
    """Return when the next of some splits stops: all get the same time, or the last ones would learn too little."""
    now = monotonic()
    return now + max(stop_at - now, 0) / splits


def _limits(iterations: int, stop_at: float | None) -> list[int]:
    """Return the numbers of iterations after which boosting looks at the time: each time twice as many."""
    if stop_at is None:
        return [iterations]
    return [limit for limit in (50, 100, 200, 400, 800) if limit < iterations] + [iterations]
