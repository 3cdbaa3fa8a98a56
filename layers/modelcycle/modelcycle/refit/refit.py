"""The recipe of the judged model, fitted on training, validation and test rows."""

from __future__ import annotations

import io

import numpy as np

from modelcycle.messages import Artifact, RefitRequest, Refitted
from modelcycle.model.columns import Columns, concatenate
from modelcycle.model.pipeline import frame
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.recipe import fit_recipe
from modelcycle.model.signature import Signature
from modelcycle.registry import Results
from modelcycle.steps import reuse_or_run
from modelcycle.store import Store

STEP = "refit"


def refit(request: RefitRequest, *, artifacts: Store, results: Results, code: str) -> Refitted:
    """Fit the recipe of the judged model on all rows. Besides `validate`, only this step reads the test labels.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused
    """

    def work() -> Refitted:
        plan = FeaturePlan.model_validate_json(artifacts.read(request.engineer_features.plan))
        signature = Signature.model_validate_json(artifacts.read(request.select_model.signature))
        train = Columns.from_bytes(artifacts.read(request.preprocess.train))
        validation = Columns.from_bytes(artifacts.read(request.preprocess.validation))
        test = Columns.from_bytes(artifacts.read(request.preprocess.test_features))
        labels = Columns.from_bytes(artifacts.read(request.preprocess.test_labels))
        rows = concatenate([train, validation, Columns(test.values, labels.target)])
        model = fit_recipe(request.select_model.recipe, plan, signature, frame(signature, rows), rows.target)
        probes = Columns.from_bytes(artifacts.read(request.select_model.probes))
        classes = len(signature.classes)
        reference = io.BytesIO()
        np.savez_compressed(
            reference,
            validation=model.scores(frame(signature, validation), classes),
            probes=model.scores(frame(signature, probes), classes),
            test=model.scores(frame(signature, test), classes),
        )

        def put(name: str, body: bytes) -> Artifact:
            return artifacts.put(request.run.key(STEP, name), body)

        return Refitted(
            onnx=put("model.onnx", model.to_onnx(signature)),
            skops=put("model.skops", model.to_skops()),
            reference=put("reference.npz", reference.getvalue()),
            rows=rows.rows,
        )

    return reuse_or_run(
        work, Refitted, step=STEP, request=request, parameters=None, code=code, results=results, artifacts=artifacts,
    )  # fmt: skip
