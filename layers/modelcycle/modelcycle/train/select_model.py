"""The best trial becomes a model: fitted again, exported, and scored for the parity check."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from modelcycle.faults import BadData
from modelcycle.messages import Artifact, Member, Recipe, SelectedModel, SelectModelRequest
from modelcycle.model import export, pipeline
from modelcycle.model.columns import concatenate
from modelcycle.model.recipe import fit_recipe
from modelcycle.registry import Results
from modelcycle.steps import reuse_or_run
from modelcycle.store import Store, put_json
from modelcycle.train.parity_rows import parity_rows
from modelcycle.train.run_trial import NO_MODEL
from modelcycle.train.training_data import TrainingData, read_training_data

STEP = "select_model"


def select_model(request: SelectModelRequest, *, artifacts: Store, results: Results, code: str) -> SelectedModel:
    """Fit the trial with the lowest loss again, and write the model with what later steps check it against.

    It is fitted on training and validation rows. Of equal losses the first trial wins.

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
        recipe = Recipe(members=[Member(trial=best.trial)])
        rows = concatenate([data.train, data.validation])
        model = fit_recipe(recipe, data.plan, data.signature, pipeline.frame(data.signature, rows), rows.target)
        scores = model.scores(data.validation_frame, data.n_classes)
        probes = parity_rows(data.signature, data.validation, scores)
        probe_scores = model.scores(pipeline.frame(data.signature, probes), data.n_classes)
        signature = data.signature.model_dump_json().encode()

        def put(name: str, body: bytes) -> Artifact:
            return artifacts.put(request.run.key(STEP, name), body)

        return SelectedModel(
            onnx=put("model.onnx", model.to_onnx(data.signature)),
            skops=put("model.skops", model.to_skops()),
            signature=put("signature.json", signature),
            recipe=recipe,
            baseline=put_json(artifacts, request.run.key(STEP, "baseline.json"), baseline(data, rows.target)),
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


def baseline(data: TrainingData, target: Any) -> dict[str, Any]:
    """Return the prediction of a model without features: the class shares of the target (n,), or its mean."""
    target = np.asarray(target)
    if not data.n_classes:
        return {"mean": float(target.mean())}
    shares = np.bincount(target, minlength=data.n_classes) / len(target)
    return {"classes": data.signature.classes, "probabilities": shares.tolist()}


def _npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()
