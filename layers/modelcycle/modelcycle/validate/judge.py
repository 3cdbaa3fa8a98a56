"""The step: from scores and true targets to a verdict with its reasons."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import BadMessage
from modelcycle.messages import Validated, ValidateRequest
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.scoring import Scores
from modelcycle.registry import Registry
from modelcycle.spec import Pipeline
from modelcycle.steps import pipeline_of, taken_over
from modelcycle.store import Store, put_json, read_json
from modelcycle.validate import report as tables
from modelcycle.validate.evidence import LEVEL, Comparison, compare, interval
from modelcycle.validate.gates import Rival, check_names, judge
from modelcycle.validate.groups import by_group
from modelcycle.validate.metrics import DECIDING, losses, measure

Array = npt.NDArray[Any]


def validate(request: ValidateRequest, *, artifacts: Store, registry: Registry, code: str) -> Validated:
    """Judge the candidate on the test rows. The one step that reads their labels.

    Accuracy, or the root mean squared error, is what people are shown first; models are compared by the loss of each
    row (quadratic score, squared error), paired, since that tells two models apart with far fewer rows.

    Raises
    ------
    BadPipeline : `gates.minimum` names a metric that the task does not have
    """
    pipeline = pipeline_of(artifacts, request.run)
    check_names(pipeline.gates, request.preprocess.task)

    def work() -> Validated:
        return _judged(request, pipeline, artifacts, registry)

    parameters = pipeline.gates.model_dump(mode="json")
    return taken_over(registry.runs, artifacts, code, "validate", request, parameters, Validated, work)


def _judged(request: ValidateRequest, pipeline: Pipeline, artifacts: Store, registry: Registry) -> Validated:
    task, scored = request.preprocess.task, request.score_candidate
    table = TableSchema.model_validate_json(artifacts.read(request.preprocess.table))
    target = Columns.from_bytes(artifacts.read(request.preprocess.test_labels)).target
    candidate = Scores.from_bytes(artifacts.read(scored.scores))
    if target is None or len(target) != len(candidate.scores):
        raise BadMessage("the labels are not those of the scored rows", "validate", "start a new run")
    deciding = DECIDING[task]
    metrics, left_out = measure(candidate.scores, target, task)
    own = losses(candidate.scores, target, task)

    baseline_scores = _baseline(read_json(artifacts, request.select_model.baseline), table.classes, len(target))
    baseline_metrics, _ = measure(baseline_scores, target, task)
    against_baseline = compare(own, losses(baseline_scores, target, task))
    baseline = Rival("baseline", baseline_metrics.get(deciding), against_baseline)

    champion_metrics: dict[str, float] | None = None
    against_champion: Comparison | None = None
    champion: Rival | None = None
    if scored.champion is not None and not scored.champion_lost:
        if scored.champion_scores is not None:
            theirs = Scores.from_bytes(artifacts.read(scored.champion_scores)).scores
            champion_metrics, _ = measure(theirs, target, task)
            against_champion = compare(own, losses(theirs, target, task))
        champion = Rival("champion", (champion_metrics or {}).get(deciding), against_champion)

    gates = judge(pipeline.gates, metrics, baseline, champion)
    failed = [gate.detail for gate in gates if not gate.holds]
    reasons = failed or [gate.detail for gate in gates]
    if scored.champion_lost:
        reasons = [*reasons, f"version {scored.champion} is live, but its artifacts are gone: not compared with it"]
    verdict = "refused" if failed else "passed"
    if _is_champion(request, registry):
        verdict, reasons = "unchanged", [f"the same model as version {scored.champion}, which is live"]
    low, high = interval(candidate.scores, target, task)
    report = {
        "model": request.run.model,
        "task": task,
        "verdict": verdict,
        "reasons": reasons,
        "gates": [dataclasses.asdict(gate) for gate in gates],
        "rows": dict(zip(("train", "validation", "test"), request.preprocess.split, strict=True)),
        "metric": deciding,
        "interval": {"level": LEVEL, "low": low, "high": high},
        "metrics": {"candidate": metrics, "baseline": baseline_metrics, "champion": champion_metrics},
        "left_out": left_out,
        "champion": scored.champion,
        "comparisons": {"baseline": _told(against_baseline), "champion": _told(against_champion)},
        "parity": {"rows": scored.rows, "max_difference": scored.max_difference, "flips": scored.flips},
        "groups": by_group(candidate.scores, target, task, candidate.groups),
    }
    if len(target) and task == "regression":
        report["residuals"] = tables.residuals(candidate.scores, target)
    elif len(target):
        report["confusion"] = tables.confusion(candidate.scores, target, table.classes)
        report["calibration"] = tables.calibration(candidate.scores, target)
    return Validated(
        verdict=verdict,
        reasons=reasons,
        metric=deciding,
        metrics=metrics,
        baseline=baseline_metrics,
        champion=champion_metrics,
        interval=(low, high),
        report=put_json(artifacts, request.run.key("validate", "report.json"), report),
    )


def _is_champion(request: ValidateRequest, registry: Registry) -> bool:
    """Whether the champion is this very model: the same graph behind the same signature, and still there."""
    if request.score_candidate.champion is None or request.score_candidate.champion_lost:
        return False
    champion = registry.versions.get(request.run.model, request.score_candidate.champion)
    return (champion.onnx.sha256, champion.signature.sha256) == (
        request.select_model.onnx.sha256,
        request.engineer_features.signature.sha256,
    )


def _baseline(told: dict[str, Any], classes: list[str], rows: int) -> Array:
    """Scores (n, k) of a model that sees no feature: the target's distribution, or its mean."""
    if "mean" in told:
        return np.full((rows, 1), told["mean"], dtype=np.float64)
    share = dict(zip(told["classes"], told["probabilities"], strict=True))
    return np.tile(np.array([share.get(name, 0.0) for name in classes], dtype=np.float64), (rows, 1))


def _told(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return dataclasses.asdict(comparison) | {"verdict": comparison.verdict}
