"""One trial: fit on some rows, score held-out rows."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from typing import Any

import numpy as np

from modelcycle.messages import Artifact, RunTrialRequest, Trial, TrialResult
from modelcycle.model.npz import to_npz
from modelcycle.model.training_need import training_need
from modelcycle.registry import Results
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, put_json
from modelcycle.train.halving import best_of_candidates
from modelcycle.train.held_out_loss import NO_MODEL, validation_loss
from modelcycle.train.held_out_scores import Rows, score_held_out
from modelcycle.train.search_space import MANY_ROWS
from modelcycle.train.splits import read_splits
from modelcycle.train.training_data import TrainingData, read_training_data
from modelcycle.workplace import Workplace

MAX_REASON_CHARACTERS = 200
MAX_BOOSTING_SECONDS = 400.0  # a function may run 900 s
SHARE_OF_REST = 0.6  # of the search's remaining time, for one trial


def run_trial(
    request: RunTrialRequest, *, artifacts: Store, results: Results, code: str, workplace: Workplace | None = None
) -> TrialResult:
    """Return a trial's loss on held-out rows: log loss (nats), or root mean squared error (the target's unit).

    The rows are held out by cross-validation if `request.folds` is not 0, else they are the validation rows. The
    result's trial has all parameters that a fit on other rows needs; the number of boosting iterations is found here.

    A trial that cannot be fitted, or whose scores are not finite, gets the loss `NO_MODEL` and says why; so does one
    that would start after `request.ends_at`, unless an earlier run has its result.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused
    workplace : where the trial may be fitted; None: here, whatever it takes
    """
    pipeline = pipeline_of(artifacts, request.run)
    ordered = pipeline.time_column is not None
    need = training_need(
        request.preprocess, request.engineer_features, pipeline.training.where, [request.trial.algorithm]
    )
    is_hurried = workplace is None or workplace.takes(need) == "function"
    # what a trial finds depends on the time that it has: with more seconds it is run again
    parameters: dict[str, Any] = {"ordered": ordered, "seconds": pipeline.training.seconds}
    if not is_hurried and request.preprocess.kept >= MANY_ROWS:
        parameters["hurried"] = False
    if pipeline.fairness.mitigate == "reweighing":
        parameters["reweigh"] = pipeline.sensitive_columns

    def is_over() -> bool:
        return request.ends_at is not None and datetime.now(UTC) > request.ends_at

    def work() -> TrialResult:
        if is_over():
            raise _OutOfTime
        data = read_training_data(request, artifacts, pipeline)
        started = time.perf_counter()
        try:
            trial, loss, scores = _evaluate(request, data, artifacts, ordered, is_hurried)
            failed = "" if loss < NO_MODEL else "its scores are not finite"
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            trial, loss, scores, failed = request.trial, NO_MODEL, None, _reason(error)
        return TrialResult(
            trial=trial, loss=loss, scores=scores if loss < NO_MODEL else None, failed=failed,
            seconds=round(time.perf_counter() - started, 3),
        )  # fmt: skip

    try:
        result = reuse_or_run(
            work, TrialResult, step="run_trial", request=request, parameters=parameters, code=code,
            results=results, artifacts=artifacts, workplace=None if is_over() else workplace, need=need, area="train",
        )  # fmt: skip
    except _OutOfTime:
        # not recorded: a later run may have the time
        result = TrialResult(trial=request.trial, loss=NO_MODEL, seconds=0, failed="skipped: training.seconds is over")
    # one small object per trial shows the progress of the search
    put_json(artifacts, request.run.key("train", f"trial-{result.trial.number:03}.json"), result.wire())
    return result


class _OutOfTime(Exception):
    """The search's time was over before the trial began."""


def _evaluate(
    request: RunTrialRequest, data: TrainingData, artifacts: Store, ordered: bool, is_hurried: bool
) -> tuple[Trial, float, Artifact]:
    """Return the trial with all parameters, its loss, and the artifact of its held-out scores."""
    rows = Rows(*data.all_rows(), data.weights())
    splits = read_splits(request.preprocess, artifacts, rows.target, request.folds, ordered=ordered)
    if not splits:
        raise ValueError("no fold leaves rows of two classes to learn from")
    task = data.signature.task
    trial = best_of_candidates(request.trial, data.plan, data.signature, rows, splits[0])
    stop_at = _stop_at(request.ends_at, len(rows.target), is_hurried)
    held_out = score_held_out(trial, data.plan, task, data.n_classes, rows, splits, stop_at)
    body = to_npz(scores=held_out.scores, rows=held_out.positions)
    # by its content: a second delivery may have had less time, and must not take the scores of the first
    digest = hashlib.sha256(body).hexdigest()[:16]
    key = request.run.key("train", f"scores-{request.trial.number:03}-{digest}.npz")
    loss = validation_loss(held_out.scores, rows.target[held_out.positions])
    return held_out.trial, loss, artifacts.put(key, body)


def _stop_at(ends_at: datetime | None, rows: int, is_hurried: bool) -> float | None:
    """Return when a trial stops boosting, in seconds of `time.monotonic`; None: it does not look at the time.

    It leaves some of the search's time to later trials; and on many rows it ends before its function would time out.

    Parameters
    ----------
    is_hurried : whether it runs in a function, which has a time-out
    """
    if ends_at is None:
        return time.monotonic() + MAX_BOOSTING_SECONDS if is_hurried and rows >= MANY_ROWS else None
    return time.monotonic() + SHARE_OF_REST * max((ends_at - datetime.now(UTC)).total_seconds(), 0)


def _reason(error: Exception) -> str:
    """Return why a fit failed; quoted text is left out, because it may be a value of a row."""
    text = str(error).split("\n")[0]
    detail = "" if "'" in text or '"' in text else f": {text}"
    return f"not fitted, {type(error).__name__}{detail}"[:MAX_REASON_CHARACTERS]
