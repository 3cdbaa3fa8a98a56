"""The best trial becomes a model: refitted, exported, and its scores written down for the parity gate."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from modelcycle.faults import BadData
from modelcycle.messages import SelectedModel, SelectModelRequest
from modelcycle.model import export, pipeline
from modelcycle.registry import Runs
from modelcycle.steps import taken_over
from modelcycle.store import Store, put_json
from modelcycle.train.probes import probes
from modelcycle.train.rows import Rows, read
from modelcycle.train.run_trial import NO_MODEL, fitted

STEP = "select_model"


def select_model(request: SelectModelRequest, *, artifacts: Store, runs: Runs, code: str) -> SelectedModel:
    """Refit the trial with the lowest loss (of equals the first) on the training rows, and write it down.

    Validation rows stay unseen: parity and later steps use them.

    Raises
    ------
    BadData : no trial gave a model
    NotExportable : names the step without an ONNX form
    """
    best = min(request.trials, key=lambda result: (result.loss, result.trial.number))
    if best.loss >= NO_MODEL:
        raise BadData(
            "no trial gave a model with a finite loss",
            "train",
            "look for extreme numbers in the target or in the columns",
        )

    def work() -> SelectedModel:
        rows = read(request, artifacts)
        model = fitted(best.trial, rows)
        scores = pipeline.scores(model, rows.validation_frame, rows.classes)
        odd = probes(rows.signature, rows.validation, scores)
        odd_scores = pipeline.scores(model, pipeline.frame(rows.signature, odd), rows.classes)

        def put(name: str, body: bytes) -> Any:
            return artifacts.put(request.run.key(STEP, name), body)

        return SelectedModel(
            onnx=put("model.onnx", export.to_onnx(model, rows.signature)),
            skops=put("model.skops", export.to_skops(model)),
            baseline=put_json(artifacts, request.run.key(STEP, "baseline.json"), baseline(rows)),
            reference=put("reference.npz", _npz(validation=scores, probes=odd_scores)),
            probes=put("probes.npz", odd.to_bytes()),
            best=best.trial,
            loss=best.loss,
            trials=len(request.trials),
            opset=export.OPSET,
            packages=export.packages(),
        )

    return taken_over(runs, artifacts, code, STEP, request, None, SelectedModel, work)


def baseline(rows: Rows) -> dict[str, Any]:
    """What a model that sees no feature would answer: the training target's distribution."""
    target = np.asarray(rows.train.target)
    if rows.classes:
        shares = np.bincount(target, minlength=rows.classes) / len(target)
        return {"task": rows.signature.task, "classes": rows.signature.classes, "probabilities": shares.tolist()}
    return {"task": rows.signature.task, "mean": float(target.mean()), "median": float(np.median(target))}


def _npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()
