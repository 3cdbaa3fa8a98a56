"""From scores and true targets to a verdict with its reasons."""

from __future__ import annotations

import dataclasses
import io
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modelcycle.faults import BadMessage
from modelcycle.messages import ScoredCandidate, Validated, ValidateRequest
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.evidence import Evidence
from modelcycle.model.losses import row_losses
from modelcycle.model.scoring import Scores
from modelcycle.model.slices import Slices
from modelcycle.registry import Registry
from modelcycle.spec import HEADLINE_METRIC, Pipeline, Task
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, put_json, read_json
from modelcycle.validate.evidence import evidence_report
from modelcycle.validate.fairness import group_metrics
from modelcycle.validate.gates import Gate, ReferenceModel, check_gates, check_metric_names
from modelcycle.validate.metrics import measure
from modelcycle.validate.report import calibration, confusion, residuals
from modelcycle.validate.significance import CONFIDENCE_LEVEL, Comparison, compare, headline_interval
from modelcycle.validate.slices import SlicedChampion, SliceReport, slice_report

STEP = "validate"
Array = npt.NDArray[Any]


def validate(request: ValidateRequest, *, artifacts: Store, registry: Registry, code: str) -> Validated:
    """Validate the candidate on the test rows. No other step reads their labels.

    People see the headline metric, accuracy or root mean squared error. Models are compared by the loss of each row
    (quadratic score, squared error), paired: that needs far fewer rows to find a difference.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused

    Raises
    ------
    BadPipeline : `gates.minimum` names a metric that the task does not have
    """
    pipeline = pipeline_of(artifacts, request.run)
    check_metric_names(pipeline.gates, request.preprocess.task)

    def work() -> Validated:
        return _validate(request, pipeline, artifacts, registry)

    parameters = pipeline.gates.model_dump(mode="json")
    return reuse_or_run(
        work, Validated, step=STEP, request=request, parameters=parameters, code=code,
        results=registry.results, artifacts=artifacts,
    )  # fmt: skip


def _validate(request: ValidateRequest, pipeline: Pipeline, artifacts: Store, registry: Registry) -> Validated:
    task, scored = request.preprocess.task, request.score_candidate
    classes = TableSchema.model_validate_json(artifacts.read(request.preprocess.table)).classes
    target = Columns.from_bytes(artifacts.read(request.preprocess.test_labels)).target
    candidate = Scores.from_bytes(artifacts.read(scored.scores))
    if target is None or len(target) != len(candidate.scores):
        raise BadMessage("the labels do not belong to the scored rows", STEP, "start a new run")
    metrics, left_out = measure(candidate.scores, target, task)
    losses = row_losses(candidate.scores, target, task)

    baseline_scores = _baseline_scores(read_json(artifacts, request.select_model.baseline), task, classes, len(target))
    baseline_metrics, baseline = _measure_reference("baseline", baseline_scores, losses, target, task)
    champion_metrics: dict[str, float] | None = None
    champion: ReferenceModel | None = None
    compared: SlicedChampion | None = None
    if scored.champion_scores is not None:
        assert request.find_unseen.positions is not None
        with np.load(io.BytesIO(artifacts.read(request.find_unseen.positions)), allow_pickle=False) as stored:
            unseen = stored["positions"]
        champion_scores = Scores.from_bytes(artifacts.read(scored.champion_scores)).scores
        compared = SlicedChampion(scored.champion or 0, champion_scores, unseen)
        champion_metrics, champion = _measure_reference(
            "champion", champion_scores, losses[unseen], target[unseen], task
        )
    elif scored.champion is not None and not request.find_unseen.champion_lost:
        champion = ReferenceModel("champion", None, None)

    gates = check_gates(pipeline.gates, task, metrics, baseline, champion)
    slices: SliceReport | None = None
    if scored.slices is not None:
        slices = slice_report(
            Slices.from_bytes(artifacts.read(scored.slices)), candidate.scores, target, task, compared,
            margin=pipeline.gates.margin,
        )  # fmt: skip
        gates += [Gate("gates.slices", False, sentence) for sentence in slices.lost]
    verdict, reasons = _verdict(gates)
    if request.find_unseen.champion_lost:
        reasons = [*reasons, f"version {scored.champion} is live, but its artifacts are gone: not compared with it"]
    if _is_champion(request, registry):
        verdict, reasons = "unchanged", [f"the same model as version {scored.champion}, which is live"]
    low, high = headline_interval(candidate.scores, target, task)
    report = {
        "model": request.run.model,
        "task": task,
        "verdict": verdict,
        "reasons": reasons,
        "gates": [dataclasses.asdict(gate) for gate in gates],
        "rows": dict(zip(("train", "validation", "test"), request.preprocess.split, strict=True)),
        "metric": HEADLINE_METRIC[task],
        "interval": {"level": CONFIDENCE_LEVEL, "low": low, "high": high},
        "metrics": {"candidate": metrics, "baseline": baseline_metrics, "champion": champion_metrics},
        "left_out": left_out,
        "champion": scored.champion,
        "comparisons": {
            "baseline": _comparison_json(baseline.comparison),
            "champion": _comparison_json(champion.comparison if champion else None),
        },
        "parity": {"rows": scored.rows, "max_difference": scored.max_difference, "flips": scored.flips},
        "groups": group_metrics(candidate.scores, target, task, candidate.groups),
        "slices": slices.json if slices is not None else None,
        "evidence": _evidence(scored, candidate.scores, target, task, artifacts),
    } | _tables(candidate.scores, target, task, classes)
    return Validated(
        verdict=verdict,
        reasons=reasons,
        metric=HEADLINE_METRIC[task],
        metrics=metrics,
        baseline=baseline_metrics,
        champion=champion_metrics,
        interval=(low, high),
        report=put_json(artifacts, request.run.key(STEP, "report.json"), report),
    )


def _measure_reference(
    name: str, scores: Array, candidate_losses: Array, target: Array, task: Task
) -> tuple[dict[str, float], ReferenceModel]:
    """Return the metrics of a reference model with scores (n, k), and the candidate's comparison with it."""
    metrics, _ = measure(scores, target, task)
    comparison = compare(candidate_losses, row_losses(scores, target, task))
    return metrics, ReferenceModel(name, metrics.get(HEADLINE_METRIC[task]), comparison)


def _verdict(gates: list[Gate]) -> tuple[Literal["passed", "refused", "unchanged"], list[str]]:
    """Return the verdict and its reasons: the gates that failed, or else all."""
    failed = [gate.detail for gate in gates if not gate.holds]
    return ("refused", failed) if failed else ("passed", [gate.detail for gate in gates])


def _evidence(
    scored: ScoredCandidate, scores: Array, target: Array, task: Task, artifacts: Store
) -> dict[str, Any] | None:
    if scored.evidence is None:
        return None
    return evidence_report(Evidence.from_bytes(artifacts.read(scored.evidence)), scores, target, task)


def _tables(scores: Array, target: Array, task: Task, classes: list[str]) -> dict[str, Any]:
    if not len(target):
        return {}
    if task == "regression":
        return {"residuals": residuals(scores, target)}
    return {"confusion": confusion(scores, target, classes), "calibration": calibration(scores, target)}


def _is_champion(request: ValidateRequest, registry: Registry) -> bool:
    """Return whether the candidate is the champion: the same graph with the same signature, and not lost."""
    if request.score_candidate.champion is None or request.find_unseen.champion_lost:
        return False
    champion = registry.versions.get(request.run.model, request.score_candidate.champion)
    judged = champion.twin or champion.onnx
    return (judged.sha256, champion.signature.sha256) == (
        request.select_model.onnx.sha256,
        request.select_model.signature.sha256,
    )


def _baseline_scores(baseline: dict[str, Any], task: Task, classes: list[str], rows: int) -> Array:
    """Return the scores (rows, k) of a model without features: the target's class shares, or its mean."""
    if task == "regression":
        return np.full((rows, 1), baseline["mean"], dtype=np.float64)
    share = dict(zip(baseline["classes"], baseline["probabilities"], strict=True))
    return np.tile(np.array([share.get(name, 0.0) for name in classes], dtype=np.float64), (rows, 1))


def _comparison_json(comparison: Comparison | None) -> dict[str, Any] | None:
    return None if comparison is None else dataclasses.asdict(comparison) | {"verdict": comparison.verdict}
