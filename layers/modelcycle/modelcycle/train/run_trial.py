"""One trial: fit on the training rows, score the validation rows."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.messages import RunTrialRequest, Trial, TrialResult
from modelcycle.model import pipeline
from modelcycle.model.losses import log_loss
from modelcycle.registry import Results
from modelcycle.steps import reuse_or_run
from modelcycle.store import Store, put_json
from modelcycle.train.training_data import TrainingData, read_training_data

NO_MODEL = 1e300  # the loss of a diverging trial, worse than any real one; JSON has no infinity


def run_trial(request: RunTrialRequest, *, artifacts: Store, results: Results, code: str) -> TrialResult:
    """Return a trial's loss on the validation rows: log loss (nats), or root mean squared error (the target's unit).

    A diverging trial gets the loss `NO_MODEL`.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused
    """

    def work() -> TrialResult:
        data = read_training_data(request, artifacts)
        started = time.perf_counter()
        held_out = None
        try:
            model = fit_trial(request.trial, data)
            scores = pipeline.scores(model, data.validation_frame, data.n_classes)
            loss = validation_loss(scores, data.validation.target)
            file = io.BytesIO()
            np.savez_compressed(file, scores=scores, rows=data.train.rows + np.arange(len(scores)))
            held_out = artifacts.put(request.run.key("train", f"scores-{request.trial.number:03}.npz"), file.getvalue())
        except np.linalg.LinAlgError:
            loss = NO_MODEL
        return TrialResult(
            trial=request.trial, loss=loss, scores=held_out, seconds=round(time.perf_counter() - started, 3)
        )

    result = reuse_or_run(
        work, TrialResult, step="run_trial", request=request, parameters=None, code=code,
        results=results, artifacts=artifacts,
    )  # fmt: skip
    # one small object per trial shows the progress of the search
    put_json(artifacts, request.run.key("train", f"trial-{result.trial.number:03}.json"), result.wire())
    return result


def fit_trial(trial: Trial, data: TrainingData) -> Any:
    """Return the trial's model, fitted on the training rows; every call gives the same model."""
    model = pipeline.build(data.plan, data.signature.task, trial.algorithm, trial.parameters, trial.seed)
    return pipeline.fit(model, data.train_frame, data.train.target)


def validation_loss(scores: npt.NDArray[np.float32], target: npt.NDArray[Any] | None) -> float:
    """Return the log loss or the root mean squared error, `NO_MODEL` for scores that are not finite.

    Parameters
    ----------
    scores : probabilities (n, classes), or values (n, 1)
    target : class codes, int (n,); or numbers, float (n,)
    """
    from sklearn.metrics import root_mean_squared_error

    assert target is not None
    if not np.isfinite(scores).all():
        return NO_MODEL
    if target.dtype.kind == "i":
        return log_loss(scores, target)
    loss = float(root_mean_squared_error(target, scores[:, 0].astype(np.float64)))
    return loss if np.isfinite(loss) else NO_MODEL
