"""One trial: fit on the training rows, judge on the validation rows."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.messages import RunTrialRequest, Trial, TrialResult
from modelcycle.model import pipeline
from modelcycle.registry import Runs
from modelcycle.steps import taken_over
from modelcycle.store import Store, put_json
from modelcycle.train.rows import Rows, read

NO_MODEL = 1e300  # the loss of a trial that gave none; JSON has no infinity
SMALLEST = 1e-7  # float32's last digit: a probability of 0 may be as large as this


def run_trial(request: RunTrialRequest, *, artifacts: Store, runs: Runs, code: str) -> TrialResult:
    """Log loss (nats) or root mean squared error (the target's unit) on the validation rows.

    A trial whose numbers run away ends with the loss `NO_MODEL`, which no other trial loses to.
    """

    def work() -> TrialResult:
        rows = read(request, artifacts)
        started = time.perf_counter()
        try:
            model = fitted(request.trial, rows)
            loss = loss_of(pipeline.scores(model, rows.validation_frame, rows.classes), rows.validation.target)
        except np.linalg.LinAlgError:
            loss = NO_MODEL
        return TrialResult(trial=request.trial, loss=loss, seconds=round(time.perf_counter() - started, 3))

    result = taken_over(runs, artifacts, code, "run_trial", request, None, TrialResult, work)
    # one small object a trial: what shows how far the search is
    put_json(artifacts, request.run.key("train", f"trial-{result.trial.number:03}.json"), result.wire())
    return result


def fitted(trial: Trial, rows: Rows) -> Any:
    """The trial's model, fitted on the training rows: the same in every call."""
    model = pipeline.build(rows.plan, rows.signature.task, trial.algorithm, trial.parameters, trial.seed)
    return pipeline.fit(model, rows.train_frame, rows.train.target)


def loss_of(scores: npt.NDArray[np.float32], target: npt.NDArray[Any] | None) -> float:
    """Mean loss of scores (n, classes) against codes (n,), or (n, 1) against numbers (n,)."""
    assert target is not None
    exact = scores.astype(np.float64)
    if target.dtype.kind == "i":
        loss = float(-np.log(np.clip(exact[np.arange(len(target)), target], SMALLEST, 1)).mean())
    else:
        loss = float(np.sqrt(((exact[:, 0] - target) ** 2).mean()))
    return loss if np.isfinite(loss) else NO_MODEL
