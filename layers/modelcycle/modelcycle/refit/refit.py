"""The recipe of the judged model, fitted on training, validation and test rows."""

from __future__ import annotations

from typing import Any

from modelcycle.faults import Fault, NotExportable
from modelcycle.messages import Artifact, RefitRequest, Refitted
from modelcycle.model.columns import Columns, concatenate
from modelcycle.model.npz import to_npz
from modelcycle.model.pipeline import frame
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.recipe import FittedRecipe, fit_recipe
from modelcycle.model.signature import Signature
from modelcycle.model.training_need import training_need
from modelcycle.refit.twin import compared_rows, worse_than_twin
from modelcycle.registry import Results
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store
from modelcycle.workplace import Workplace

STEP = "refit"


def refit(
    request: RefitRequest, *, artifacts: Store, results: Results, code: str, workplace: Workplace | None = None
) -> Refitted:
    """Fit the recipe of the judged model on all rows. Besides `validate`, only this step reads the test labels.

    The result is not judged again: no rows are left that it has not learned from. It is compared with the judged model,
    its twin, on rows that both know. If it is worse there, or cannot be fitted or exported, `worse` says why, and the
    twin goes live.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused
    workplace : where the model may be fitted; None: here, whatever it takes
    """
    pipeline = pipeline_of(artifacts, request.run)
    drifting = pipeline.time_column is not None

    def work() -> Refitted:
        rows = _Rows(request, artifacts)
        try:
            return _refit(request, rows, drifting, artifacts)
        except (ValueError, ArithmeticError, NotExportable) as error:
            # the text of a library's error may have values of rows
            why = error.what if isinstance(error, Fault) else f"it cannot be fitted ({type(error).__name__})"
            return _keep_twin(request, rows.all.rows, f"the model that has learned from all rows is left out: {why}")

    return reuse_or_run(
        work, Refitted, step=STEP, request=request, parameters=drifting, code=code,
        results=results, artifacts=artifacts, workplace=workplace,
        need=training_need(
            request.preprocess, request.engineer_features, pipeline.training.where,
            {member.trial.algorithm for member in request.select_model.recipe.members},
        ),
    )  # fmt: skip


class _Rows:
    """The rows of all three parts, with their targets."""

    def __init__(self, request: RefitRequest, artifacts: Store) -> None:
        def read(artifact: Artifact) -> Columns:
            return Columns.from_bytes(artifacts.read(artifact))

        self.validation = read(request.preprocess.validation)
        self.known = concatenate([read(request.preprocess.train), self.validation])
        self.test = Columns(read(request.preprocess.test_features).values, read(request.preprocess.test_labels).target)
        self.all = concatenate([self.known, self.test])


def _refit(request: RefitRequest, rows: _Rows, drifting: bool, artifacts: Store) -> Refitted:
    """Fit, compare with the twin, and write the model.

    Parameters
    ----------
    drifting : whether the rows are ordered by time

    Raises
    ------
    ValueError, ArithmeticError : scikit-learn cannot fit it, or cannot score a row that a client may send
    NotExportable : it has no ONNX graph, or too large a one
    """
    plan = FeaturePlan.model_validate_json(artifacts.read(request.engineer_features.plan))
    signature = Signature.model_validate_json(artifacts.read(request.select_model.signature))
    classes = len(signature.classes)
    model = fit_recipe(
        request.select_model.recipe, plan, signature, frame(signature, rows.all), rows.all.target, rows.all.values
    )

    def scores(table: Columns) -> Any:
        return model.finite_scores(frame(signature, table), classes)

    twin = FittedRecipe.from_skops(artifacts.read(request.select_model.skops))
    known = compared_rows(rows.known)
    assert known.target is not None
    worse = worse_than_twin(scores(known), twin.scores(frame(signature, known), classes), known.target, drifting)
    if worse:
        return _keep_twin(request, rows.all.rows, worse)
    probes = Columns.from_bytes(artifacts.read(request.select_model.probes))
    reference = to_npz(validation=scores(rows.validation), probes=scores(probes), test=scores(rows.test))
    onnx, skops = model.to_files(signature)

    def put(name: str, body: bytes) -> Artifact:
        return artifacts.put(request.run.key(STEP, name), body)

    return Refitted(
        onnx=put("model.onnx", onnx),
        skops=put("model.skops", skops),
        reference=put("reference.npz", reference),
        rows=rows.all.rows,
    )


def _keep_twin(request: RefitRequest, rows: int, why: str) -> Refitted:
    """Return the twin's artifacts, with the reason why it goes live."""
    selected = request.select_model
    return Refitted(onnx=selected.onnx, skops=selected.skops, reference=selected.reference, rows=rows, worse=why)
