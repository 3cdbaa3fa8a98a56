"""The best trials become a model: fitted again, exported, and scored for the parity check."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import BadData, Fault, NotExportable
from modelcycle.messages import (
    Artifact,
    LearningCurve,
    Mitigated,
    Recipe,
    SelectedModel,
    SelectModelRequest,
    TrialResult,
)
from modelcycle.model import export, pipeline
from modelcycle.model.columns import Columns, concatenate
from modelcycle.model.npz import to_npz
from modelcycle.model.recipe import decided, fit_recipe
from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import Signature
from modelcycle.model.training_need import training_need
from modelcycle.registry import Results
from modelcycle.spec import Decide, Pipeline
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, put_json
from modelcycle.train.choose_recipe import ChosenRecipe, choose_recipe
from modelcycle.train.held_out import HeldOut, read_held_out
from modelcycle.train.held_out_loss import NO_MODEL
from modelcycle.train.held_out_scores import Rows, score_held_out
from modelcycle.train.learning_curve import learning_curve
from modelcycle.train.mitigate import Mitigation, told
from modelcycle.train.parity_rows import parity_rows
from modelcycle.train.splits import count_folds, read_splits
from modelcycle.train.training_data import TrainingData, read_training_data
from modelcycle.workplace import Workplace

STEP = "select_model"
MAX_FAILED_MODELS = 3  # after so many, the reason lies in the data
MAX_PRICED_SECONDS = 60.0  # of the best trial, which is fitted once more without weights
_NOT_MEASURED = "mitigated by reweighing: what that costs is not measured, since a fit without weights takes too long"


def select_model(
    request: SelectModelRequest, *, artifacts: Store, results: Results, code: str, workplace: Workplace | None = None
) -> SelectedModel:
    """Choose a recipe by the trials' held-out scores, fit it, and write it with what later steps check it against.

    It is fitted on training and validation rows. Of equal losses the first trial wins. Where the best model cannot be
    fitted, scored or exported, the next best trial takes its place.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused
    workplace : where the model may be fitted; None: here, whatever it takes

    Raises
    ------
    BadData : every trial diverged, or none could be fitted again
    NotExportable : names the step that has no ONNX converter
    """
    pipeline_file = pipeline_of(artifacts, request.run)
    decide, ordered = pipeline_file.training.decide, pipeline_file.time_column is not None
    finished = sorted(
        (result for result in request.trials if result.loss < NO_MODEL),
        key=lambda result: (result.loss, result.trial.number),
    )
    if not finished:
        raise BadData("no trial has a finite loss", "train", "check the target and the columns for extreme numbers")

    def work() -> SelectedModel:
        data = read_training_data(request, artifacts, pipeline_file)
        rows = concatenate([data.train, data.validation])
        assert rows.target is not None
        held_out = read_held_out(finished, rows.target, artifacts)
        mitigation = _mitigation(pipeline_file, rows, held_out)
        chosen = choose_recipe(held_out, data.signature, decide, mitigation)
        fitted, notes = _fit_best(chosen, held_out, data, rows, decide, mitigation)
        mitigated = fitted.mitigated
        if mitigation is not None and mitigation.reweigh:
            mitigated = _price(fitted.best, held_out, data, mitigation, request, artifacts, ordered=ordered)
            notes = [*notes, _NOT_MEASURED if mitigated is None else told(mitigated)]

        def put(name: str, body: bytes) -> Artifact:
            return artifacts.put(request.run.key(STEP, name), body)

        return SelectedModel(
            onnx=put("model.onnx", fitted.onnx),
            skops=put("model.skops", fitted.skops),
            signature=put("signature.json", fitted.signature.model_dump_json().encode()),
            recipe=fitted.recipe,
            baseline=put_json(artifacts, request.run.key(STEP, "baseline.json"), baseline(data, rows.target)),
            reference=put("reference.npz", to_npz(validation=fitted.scores, probes=fitted.probe_scores)),
            probes=put("probes.npz", fitted.probes.to_bytes()),
            best=fitted.best.trial,
            loss=fitted.best.loss,
            trials=len(request.trials),
            opset=export.OPSET,
            packages=export.package_versions(),
            notes=notes + (workplace.notes if workplace is not None else []),
            learning_curve=_learning_curve(fitted.best, held_out, data, request, artifacts, ordered=ordered),
            mitigated=mitigated,
        )

    parameters = decide.model_dump(mode="json")
    if pipeline_file.fairness.mitigate != "none":
        parameters["fairness"] = pipeline_file.fairness.model_dump(mode="json")
        parameters["sensitive"] = pipeline_file.sensitive_columns
    return reuse_or_run(
        work, SelectedModel, step=STEP, request=request, parameters=parameters, code=code,
        results=results, artifacts=artifacts, workplace=workplace,
        need=training_need(
            request.preprocess, request.engineer_features, pipeline_file.training.where,
            {result.trial.algorithm for result in finished},
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class _Fitted:
    """A fitted and exported recipe, with its scores of validation rows and parity rows."""

    recipe: Recipe
    best: TrialResult
    signature: Signature
    onnx: bytes
    skops: bytes
    scores: npt.NDArray[np.float32]
    probes: Columns
    probe_scores: npt.NDArray[np.float32]
    mitigated: Mitigated | None = None


def _mitigation(pipeline_file: Pipeline, rows: Columns, held_out: HeldOut) -> Mitigation | None:
    """Return what the pipeline file asks for against unfairness, with the sensitive columns of the held-out rows."""
    sensitive = [name for name in pipeline_file.sensitive_columns if name in rows.values]
    if pipeline_file.fairness.mitigate == "none" or not sensitive:
        return None
    told_apart = Columns({name: rows.values[name] for name in sensitive}).take(held_out.rows)
    return Mitigation(pipeline_file.fairness, sensitive, told_apart)


def _price(
    best: TrialResult, held_out: HeldOut, data: TrainingData, mitigation: Mitigation, request: SelectModelRequest,
    artifacts: Store, *, ordered: bool,
) -> Mitigated | None:  # fmt: skip
    """Return what reweighing changed: the best trial beside the same one without weights, on the same held-out rows."""
    if best.seconds > MAX_PRICED_SECONDS:
        return None
    rows = Rows(*data.all_rows())
    splits = read_splits(
        request.preprocess, artifacts, rows.target, count_folds(request.preprocess, ordered), ordered=ordered
    )
    try:
        plain = score_held_out(best.trial, data.plan, data.signature.task, data.n_classes, rows, splits)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None
    order = np.argsort(plain.positions, kind="stable")
    scores = plain.scores[order[np.searchsorted(plain.positions[order], held_out.rows)]]
    weighed = held_out.scores[held_out.trials.index(best)]
    return mitigation.measured(predicted_codes(scores), predicted_codes(weighed), held_out.target)


def _learning_curve(
    best: TrialResult, held_out: HeldOut, data: TrainingData, request: SelectModelRequest, artifacts: Store, *,
    ordered: bool,
) -> LearningCurve | None:  # fmt: skip
    rows = Rows(*data.all_rows(), data.weights())
    folds = count_folds(request.preprocess, ordered)
    splits = read_splits(request.preprocess, artifacts, rows.target, folds, ordered=ordered)
    full = held_out.scores[held_out.trials.index(best)]
    return learning_curve(best, data.plan, data.signature, rows, splits, full)


def _fit_best(
    chosen: ChosenRecipe,
    held_out: HeldOut,
    data: TrainingData,
    rows: Columns,
    decide: Decide,
    mitigation: Mitigation | None,
) -> tuple[_Fitted, list[str]]:
    """Fit the chosen recipe; where that fails, the best trial alone, and then the next ones, at most MAX_FAILED_MODELS.

    Returns
    -------
    the first that can be fitted, scored and exported; sentences for people, with the reasons of those that cannot
    """
    failures: list[str] = []
    last: Exception | None = None
    for candidate, best in islice(_candidates(chosen, held_out, data.signature, decide, mitigation), MAX_FAILED_MODELS):
        try:
            fitted = _fit(candidate, best, data, rows)
        except (ValueError, ArithmeticError, NotExportable) as error:
            last = error
            failures.append(f"the model of {_named(candidate.recipe)} is left out: {_reason(error)}")
            continue
        return fitted, failures + candidate.notes
    if isinstance(last, Fault):
        raise last
    raise BadData(failures[-1], "train", "check the target and the columns for extreme numbers") from last


def _candidates(
    chosen: ChosenRecipe, held_out: HeldOut, signature: Signature, decide: Decide, mitigation: Mitigation | None
) -> Iterator[tuple[ChosenRecipe, TrialResult]]:
    """Yield the chosen recipe, then each trial alone, with the best trial of each."""
    yield chosen, held_out.trials[0]
    for position in range(0 if len(chosen.recipe.members) > 1 else 1, len(held_out.trials)):
        alone = HeldOut([held_out.trials[position]], held_out.scores[[position]], held_out.target, held_out.rows)
        yield choose_recipe(alone, signature, decide, mitigation), held_out.trials[position]


def _fit(chosen: ChosenRecipe, best: TrialResult, data: TrainingData, rows: Columns) -> _Fitted:
    """Fit, score and export a recipe.

    Raises
    ------
    ValueError, ArithmeticError : scikit-learn cannot fit it, or cannot score a row that a client may send
    NotExportable : it has no ONNX graph, or too large a one
    """
    recipe, signature = chosen.recipe, decided(data.signature, chosen.recipe)
    model = fit_recipe(recipe, data.plan, signature, pipeline.frame(signature, rows), rows.target, rows.values)
    scores = model.finite_scores(data.validation_frame, data.n_classes)
    probes = parity_rows(signature, data.validation, scores)
    probe_scores = model.finite_scores(pipeline.frame(signature, probes), data.n_classes)
    onnx, skops = model.to_files(signature)
    return _Fitted(recipe, best, signature, onnx, skops, scores, probes, probe_scores, chosen.mitigated)


def _named(recipe: Recipe) -> str:
    return " and ".join(
        f"trial {member.trial.number} ({member.trial.algorithm.replace('_', ' ')})" for member in recipe.members
    )


def _reason(error: Exception) -> str:
    # the text of a library's error may have values of rows
    if isinstance(error, Fault):
        return error.what
    return f"it cannot be fitted and scored on numbers of this size ({type(error).__name__})"


def baseline(data: TrainingData, target: Any) -> dict[str, Any]:
    """Return the prediction of a model without features: the class shares of the target (n,), or its mean."""
    target = np.asarray(target)
    if not data.n_classes:
        return {"mean": float(target.mean())}
    shares = np.bincount(target, minlength=data.n_classes) / len(target)
    return {"classes": data.signature.classes, "probabilities": shares.tolist()}
