"""The best trial becomes a model: fitted again, exported, and scored for the parity check."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from modelcycle.faults import BadData
from modelcycle.messages import Artifact, SelectedModel, SelectModelRequest
from modelcycle.model import export, pipeline
from modelcycle.registry import Results
from modelcycle.steps import reuse_or_run
from modelcycle.store import Store, put_json
from modelcycle.train.parity_rows import parity_rows
from modelcycle.train.run_trial import NO_MODEL, fit_trial
from modelcycle.train.training_data import TrainingData, read_training_data

STEP = "select_model"


def select_model(request: SelectModelRequest, *, artifacts: Store, results: Results, code: str) -> SelectedModel:
    """Fit the trial with the lowest loss again, and write the model with what later steps check it against.

    It is fitted on the training rows only, since the parity check uses the validation rows. Of equal losses the first
    trial wins.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused

    Raises
    ------
    BadData : every trial diverged
    NotExportable : names the step that has no ONNX converter
    """
    best = min(request.trials, key=lambda result: (result.loss, result.trial.number))
    if best.loss >= NO_MODEL:
        raise BadData("no trial has a finite loss", "train", "check the target and the columns for extreme numbers")

    def work() -> SelectedModel:
        data = read_training_data(request, artifacts)
        model = fit_trial(best.trial, data)
        scores = pipeline.scores(model, data.validation_frame, data.n_classes)
        probes = parity_rows(data.signature, data.validation, scores)
        probe_scores = pipeline.scores(model, pipeline.frame(data.signature, probes), data.n_classes)

        def put(name: str, body: bytes) -> Artifact:
            return artifacts.put(request.run.key(STEP, name), body)

        return SelectedModel(
            onnx=put("model.onnx", export.to_onnx(model, data.signature)),
            skops=put("model.skops", export.to_skops(model)),
            baseline=put_json(artifacts, request.run.key(STEP, "baseline.json"), baseline(data)),
            reference=put("reference.npz", _npz(validation=scores, probes=probe_scores)),
            probes=put("probes.npz", probes.to_bytes()),
            best=best.trial,
            loss=best.loss,
            trials=len(request.trials),
            opset=export.OPSET,
            packages=export.package_versions(),
        )

    return reuse_or_run(
        work, SelectedModel, step=STEP, request=request, parameters=None, code=code,
        results=results, artifacts=artifacts,
    )  # fmt: skip


def baseline(data: TrainingData) -> dict[str, Any]:
    """Return the prediction of a model without features: the training target's class shares, or its mean."""
    target = np.asarray(data.train.target)
    if not data.n_classes:
        return {"mean": float(target.mean())}
    shares = np.bincount(target, minlength=data.n_classes) / len(target)
    return {"classes": data.signature.classes, "probabilities": shares.tolist()}


def _npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()
