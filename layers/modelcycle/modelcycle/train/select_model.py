from __future__ import annotations

import io
from typing import Any

from modelcycle.messages import SelectedModel, SelectModelRequest
from modelcycle.model.columns import Columns
from modelcycle.model.signature import Signature
from modelcycle.registry import Runs
from modelcycle.steps import taken_over
from modelcycle.store import Store, put_json
from modelcycle.train.probes import probes
from modelcycle.train.run_trial import read


def select_model(request: SelectModelRequest, *, artifacts: Store, runs: Runs, code: str) -> SelectedModel:
    """Fit the best trial once more and make it serve: ONNX, skops, and scikit-learn's own scores to hold ONNX against."""
    run = request.run
    best = min(request.trials, key=lambda result: (result.loss, result.trial.number))

    def work() -> SelectedModel:
        import numpy as np

        from modelcycle.model import export, pipeline

        signature, plan = read(artifacts, request)
        train = Columns.from_bytes(artifacts.read(request.preprocess.train))
        validation = Columns.from_bytes(artifacts.read(request.preprocess.validation))
        trial = best.trial
        model = pipeline.build(plan, signature.task, trial.algorithm, dict(trial.parameters), trial.seed)
        pipeline.fit(model, pipeline.frame(signature, train), train.target)
        classes = len(signature.classes)
        onnx = artifacts.put(run.key("select_model", "model.onnx"), export.to_onnx(model, signature))
        skops = artifacts.put(run.key("select_model", "model.skops"), export.to_skops(model))
        scores = pipeline.scores(model, pipeline.frame(signature, validation), classes)
        odd = probes(validation, signature, scores)
        file = io.BytesIO()
        np.savez_compressed(
            file, validation=scores, probes=pipeline.scores(model, pipeline.frame(signature, odd), classes)
        )
        return SelectedModel(
            onnx=onnx,
            skops=skops,
            baseline=put_json(artifacts, run.key("select_model", "baseline.json"), _baseline(signature, train.target)),
            reference=artifacts.put(run.key("select_model", "reference.npz"), file.getvalue()),
            probes=artifacts.put(run.key("select_model", "probes.npz"), odd.to_bytes()),
            best=trial,
            loss=best.loss,
            trials=len(request.trials),
            opset=export.OPSET,
            packages=export.packages(),
        )

    return taken_over(runs, code, "select_model", request, None, SelectedModel, work)


def _baseline(signature: Signature, target: Any) -> dict[str, Any]:
    """What a model that sees no feature would answer to every row."""
    import numpy as np

    if signature.task == "regression":
        return {"task": signature.task, "mean": float(np.mean(target)), "median": float(np.median(target))}
    counts = np.bincount(target, minlength=len(signature.classes))
    shares = [float(share) for share in counts / counts.sum()]
    return {"task": signature.task, "classes": signature.classes, "probabilities": shares}
