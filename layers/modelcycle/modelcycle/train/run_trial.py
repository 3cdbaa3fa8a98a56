from __future__ import annotations

import time
from typing import Any

from modelcycle.messages import RunTrialRequest, TrialResult
from modelcycle.model.columns import Columns
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.registry import Runs
from modelcycle.steps import taken_over
from modelcycle.store import Store, put_json, read_json


def run_trial(request: RunTrialRequest, *, artifacts: Store, runs: Runs, code: str) -> TrialResult:
    """Fit one trial on the training rows; its loss is that of the validation rows."""
    trial, run = request.trial, request.run

    def work() -> TrialResult:
        from modelcycle.model import pipeline

        began = time.monotonic()
        signature, plan = read(artifacts, request)
        train = Columns.from_bytes(artifacts.read(request.preprocess.train))
        validation = Columns.from_bytes(artifacts.read(request.preprocess.validation))
        model = pipeline.build(plan, signature.task, trial.algorithm, dict(trial.parameters), trial.seed)
        pipeline.fit(model, pipeline.frame(signature, train), train.target)
        scores = pipeline.scores(model, pipeline.frame(signature, validation), len(signature.classes))
        return TrialResult(
            trial=trial, loss=loss(scores, validation.target), seconds=round(time.monotonic() - began, 3)
        )

    result = taken_over(runs, code, "run_trial", request, None, TrialResult, work)
    # one small object a trial: what shows how far the search is
    put_json(artifacts, run.key("train", f"trial-{trial.number:03}.json"), result.wire())
    return result


def read(artifacts: Store, request: Any) -> tuple[Signature, FeaturePlan]:
    """Signature and plan of a request of this step."""
    features = request.engineer_features
    return (
        Signature.model_validate(read_json(artifacts, features.signature)),
        FeaturePlan.model_validate(read_json(artifacts, features.plan)),
    )


def loss(scores: Any, target: Any) -> float:
    """Log loss of probabilities (n, k), or root mean squared error of values (n, 1); lower is better.

    A model that answers with no number at all gets the largest float: it loses, and JSON can hold it.
    """
    import numpy as np

    if scores.shape[1] == 1:
        error = float(np.sqrt(np.mean((scores[:, 0].astype(np.float64) - target) ** 2)))
    else:
        chosen = scores[np.arange(len(target)), target].astype(np.float64)
        error = float(-np.mean(np.log(np.clip(chosen, 1e-15, 1))))
    return error if np.isfinite(error) else float(np.finfo(np.float64).max)
