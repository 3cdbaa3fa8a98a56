"""From scores and true targets to a verdict with its reasons."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modelcycle.faults import BadMessage
from modelcycle.measured.intervals import CONFIDENCE_LEVEL, metric_interval
from modelcycle.measured.metrics import measure
from modelcycle.measured.reliability import calibration
from modelcycle.measured.units import Units
from modelcycle.messages import Chain, Run, Validated, ValidateRequest
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.distances import prediction_distance
from modelcycle.model.evidence import Evidence
from modelcycle.model.group_cutoffs import Cutoffs, of_rows
from modelcycle.model.npz import from_npz
from modelcycle.model.scoring import Scores
from modelcycle.model.signature import DEFAULT_THRESHOLD, Signature
from modelcycle.model.slices import Slices
from modelcycle.registry import Registry, Version
from modelcycle.spec import HEADLINE_METRIC, Pipeline, Task, headline_metric
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, put_json, read_json
from modelcycle.validate.chain import extend
from modelcycle.validate.compared import Compared, JudgedRows, beyond_a_constant, compare_models, worse_than_none
from modelcycle.validate.evidence import evidence_report
from modelcycle.validate.gates import (
    Gate,
    baseline_gate,
    champion_gates,
    check_metric_names,
    minimum_gates,
    uncompared_gate,
)
from modelcycle.validate.judged_fairness import judge_fairness
from modelcycle.validate.new_rows import compare_on_new_rows
from modelcycle.validate.older_slices import lost_older_slices
from modelcycle.validate.report import confusion, residuals
from modelcycle.validate.significance import ranking
from modelcycle.validate.slices import SlicedChampion, SliceReport, slice_report

STEP = "validate"
ASKED_BY_LIVE_ROWS = frozenset({"degraded", "outcomes"})  # kinds of triggers
Array = npt.NDArray[Any]


def validate(request: ValidateRequest, *, artifacts: Store, registry: Registry, code: str) -> Validated:
    """Validate the candidate on the test rows. Only a refit after this verdict may read their labels too.

    People see the headline metric: accuracy, or what fits better where a class is rare, or root mean squared error.
    Models are compared by the loss of each row (quadratic score, squared error), paired: that needs far fewer rows to
    find a difference. The champion is compared on the rows that it has not learned from.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused

    Raises
    ------
    BadPipeline : `gates.minimum` names a metric that the task does not have, or `fairness` asks for what it has not
    """
    pipeline = pipeline_of(artifacts, request.run)
    check_metric_names(pipeline.gates, request.preprocess.task)
    pipeline.fairness.check(request.preprocess.task)

    def work() -> Validated:
        return _validate(request, pipeline, artifacts, registry)

    parameters = {
        "gates": pipeline.gates.model_dump(mode="json"), "fairness": pipeline.fairness.model_dump(mode="json"),
        "refit": pipeline.training.refit,
        "capture": pipeline.capture.model_dump(mode="json"), "must_win": _must_win(request.run),
    }  # fmt: skip
    return reuse_or_run(
        work, Validated, step=STEP, request=request, parameters=parameters, code=code,
        results=registry.results, artifacts=artifacts,
    )  # fmt: skip


def _must_win(run: Run) -> bool:
    """Return whether the candidate has to be better on new rows: the run is to end what live rows show."""
    return run.trigger.kind in ASKED_BY_LIVE_ROWS


def _validate(request: ValidateRequest, pipeline: Pipeline, artifacts: Store, registry: Registry) -> Validated:
    task, scored = request.preprocess.task, request.score_candidate
    rows = _read_judged(request, artifacts)
    metrics, left_out = measure(rows.scores.scores, rows.target, task, rows.threshold)
    metric = _shown_metric(task, rows.baseline, metrics)
    against_baseline = _compare_with_baseline(rows, metric)
    champion = None
    if scored.champion is not None and not request.find_unseen.champion_lost:
        champion = registry.versions.get(request.run.model, scored.champion)
    against_champion, uncompared = _compare_with_champion(request, champion, rows, metric, artifacts)
    on_new_rows = None

    gates = minimum_gates(pipeline.gates.minimum, task, metrics)
    if pipeline.gates.beats_baseline:
        ranked = ranking(rows.scores.scores, rows.target, task, rows.units)
        gates = [baseline_gate(against_baseline.reference, beyond_a_constant(rows), ranked, task), *gates]
    chain = Chain()
    if champion is not None and against_champion is not None:
        chain = extend(champion.chain, champion.version, against_champion.reference.comparison)
        gates += champion_gates(pipeline.gates, against_champion.reference, chain)
        recent = _recent(request, against_champion, artifacts)
        on_new_rows = compare_on_new_rows(
            rows, against_champion, recent, pipeline.gates.margin, metric, champion.version,
            must_win=_must_win(request.run),
        )  # fmt: skip
        gates += [on_new_rows.gate] if on_new_rows else []
        worse = worse_than_none(against_champion, against_baseline, rows, metric, champion.version)
        uncompared = [worse] if worse else []
    if uncompared:
        gates.append(uncompared_gate(pipeline.gates, uncompared))
    slices = _slices(request, rows, against_champion, pipeline.gates.margin, artifacts)
    if slices is not None:
        gates += [Gate("gates.slices", False, sentence) for sentence in slices.lost]
    gates += [Gate("gates.older_slices", False, sentence) for sentence in _lost_older(request, pipeline, artifacts)]
    left_out_why = request.find_unseen.older_left_out
    if left_out_why:
        gates.append(Gate("gates.older_slices", True, f"not compared on rows before the window: {left_out_why}"))
    fair = judge_fairness(
        rows, pipeline.fairness, gates, against_champion, scored.champion,
        common=_signature(request, artifacts).threshold, trained=request.select_model.mitigated,
    )  # fmt: skip
    gates = fair.gates
    verdict, reasons = _verdict(gates)
    ask = uncompared if verdict == "passed" and pipeline.gates.uncompared == "ask" else []
    if verdict == "passed":
        ask = [*request.preprocess.ask, *ask, *fair.ask]
    if request.find_unseen.champion_lost:
        reasons = [*reasons, f"version {scored.champion} is live, but its artifacts are gone: not compared with it"]
    if champion is not None and _is_champion(request, pipeline, champion):
        broken = [gate.detail for gate in gates if not gate.holds and gate.name.startswith("fairness.")]
        reasons = [f"the same model as version {champion.version}, which is live", *broken]
        verdict, ask = "unchanged", []

    intervals = {
        name: interval
        for name in metrics
        if (interval := metric_interval(name, rows.scores.scores, rows.target, task, rows.units, rows.threshold))
    }
    shown = intervals.get(metric, (metrics.get(metric, 0.0),) * 2)
    report = {
        "model": request.run.model,
        "task": task,
        "verdict": verdict,
        "reasons": reasons,
        "ask": ask,
        "gates": [dataclasses.asdict(gate) for gate in gates],
        "rows": dict(zip(("train", "validation", "test"), request.preprocess.split, strict=True)),
        "independent": rows.units.count,
        "metric": metric,
        "threshold": rows.threshold if task == "binary" and isinstance(rows.threshold, float) else None,
        "interval": {"level": CONFIDENCE_LEVEL, "low": shown[0], "high": shown[1]},
        "intervals": intervals,
        "metrics": {
            "candidate": metrics,
            "baseline": against_baseline.metrics,
            "champion": against_champion.metrics if against_champion else None,
            "candidate_on_compared": against_champion.candidate_metrics if against_champion else None,
        },
        "left_out": left_out,
        "champion": scored.champion,
        "prediction_distance": _prediction_distance(rows, against_champion),
        "compared": against_champion.rows if against_champion else 0,
        "uncompared": uncompared,
        "chain": chain.model_dump(),
        "comparisons": {
            "baseline": _comparison_json(against_baseline),
            "champion": _comparison_json(against_champion),
            "new_rows": _comparison_json(on_new_rows.compared if on_new_rows else None),
        },
        "parity": {"rows": scored.rows, "max_difference": scored.max_difference, "flips": scored.flips},
        "groups": fair.groups,
        "fairness": fair.report,
        "slices": slices.json if slices is not None else None,
        "evidence": _evidence(request, rows, artifacts),
    } | _tables(rows)
    return Validated(
        verdict=verdict,
        reasons=reasons,
        ask=ask,
        compared=against_champion.rows if against_champion else 0,
        chain=chain,
        metric=metric,
        metrics=metrics,
        baseline=against_baseline.metrics,
        champion=against_champion.metrics if against_champion else None,
        interval=shown,
        figures=fair.figures,
        notes=fair.notes,
        report=put_json(artifacts, request.run.key(STEP, "report.json"), report),
    )


def _read_judged(request: ValidateRequest, artifacts: Store) -> JudgedRows:
    labels = Columns.from_bytes(artifacts.read(request.preprocess.test_labels))
    scores = Scores.from_bytes(artifacts.read(request.score_candidate.scores))
    if labels.target is None or len(labels.target) != len(scores.scores):
        raise BadMessage("the labels do not belong to the scored rows", STEP, "start a new run")
    clusters = labels.values.get("cluster")
    return JudgedRows(
        task=request.preprocess.task,
        classes=TableSchema.model_validate_json(artifacts.read(request.preprocess.table)).classes,
        target=labels.target,
        scores=scores,
        units=Units.of(len(labels.target), None if clusters is None else np.asarray(clusters)),
        threshold=_cutoffs(scores, _signature(request, artifacts)),
        baseline=read_json(artifacts, request.select_model.baseline),
    )


def _signature(request: ValidateRequest, artifacts: Store) -> Signature:
    return Signature.model_validate_json(artifacts.read(request.select_model.signature))


def _cutoffs(scores: Scores, signature: Signature) -> Cutoffs:
    return signature.threshold if scores.cutoffs is None else scores.cutoffs


def _shown_metric(task: Task, baseline: dict[str, Any], metrics: dict[str, float]) -> str:
    """Return the metric to show; the usual one of the task where the better one is undefined on these rows."""
    metric = headline_metric(task, baseline.get("probabilities", []))
    return metric if metric in metrics else HEADLINE_METRIC[task]


def _compare_with_baseline(rows: JudgedRows, metric: str) -> Compared:
    scores = _baseline_scores(rows.baseline, rows.task, rows.classes, len(rows.target))
    return compare_models("baseline", rows, np.arange(len(rows.target)), scores, metric, DEFAULT_THRESHOLD)


def _compare_with_champion(
    request: ValidateRequest, champion: Version | None, rows: JudgedRows, metric: str, artifacts: Store
) -> tuple[Compared | None, list[str]]:
    """Compare with the champion on the test rows that it has not learned from.

    Parameters
    ----------
    champion : None if no version is live, or if its artifacts are gone

    Returns
    -------
    comparison : None without a champion, or if the two cannot be compared
    uncompared : why they cannot be, as sentences
    """
    scored, unseen = request.score_candidate, request.find_unseen
    if champion is None:
        return None, []
    name = f"version {champion.version}"
    sentences = list(dict.fromkeys([*unseen.uncompared, *scored.uncompared]))
    if scored.champion_scores is None or unseen.positions is None or sentences:
        sentences = sentences or [f"{name} cannot score these rows"]
        return None, [f"not compared with {name}: {sentence}" for sentence in sentences]
    positions = from_npz(artifacts.read(unseen.positions))["positions"]
    stored = Scores.from_bytes(artifacts.read(scored.champion_scores))
    scores = stored.scores
    if len(scores) != len(positions):
        raise BadMessage("the champion's scores do not belong to the unseen rows", STEP, "start a new run")
    if rows.units.take(positions).count < 2:
        one = f" but {len(positions):,}, which belong together" if len(positions) else ""
        return None, [f"not compared with {name}: it has learned from all test rows{one}"]
    threshold = _cutoffs(stored, Signature.model_validate_json(artifacts.read(champion.signature)))
    return compare_models(name, rows, positions, scores, metric, threshold), []


def _recent(request: ValidateRequest, champion: Compared, artifacts: Store) -> Array:
    """Return which of the compared rows (m,) came after those that the champion has learned from."""
    assert request.find_unseen.positions is not None
    stored = from_npz(artifacts.read(request.find_unseen.positions))
    return stored.get("recent", np.zeros(len(champion.positions), dtype=np.bool_))


def _prediction_distance(rows: JudgedRows, champion: Compared | None) -> float | None:
    """Return how far the predictions of both lie apart; a rollout is judged by what goes beyond that."""
    if champion is None:
        return None
    own = rows.scores.scores[champion.positions]
    return prediction_distance(
        champion.scores, own, rows.task, (champion.threshold, of_rows(rows.threshold, champion.positions))
    )


def _verdict(gates: list[Gate]) -> tuple[Literal["passed", "refused", "unchanged"], list[str]]:
    """Return the verdict and its reasons: the gates that failed, or else all."""
    failed = [gate.detail for gate in gates if not gate.holds]
    return ("refused", failed) if failed else ("passed", [gate.detail for gate in gates])


def _slices(
    request: ValidateRequest, rows: JudgedRows, against_champion: Compared | None, margin: float, artifacts: Store
) -> SliceReport | None:
    scored = request.score_candidate
    if scored.slices is None:
        return None
    champion = None
    if against_champion is not None:
        assert scored.champion is not None
        champion = SlicedChampion(
            scored.champion, against_champion.scores, against_champion.positions, against_champion.threshold
        )
    return slice_report(
        Slices.from_bytes(artifacts.read(scored.slices)), rows.scores.scores, rows.target, rows.task, champion,
        margin=margin, threshold=rows.threshold, clusters=rows.units.clusters,
    )  # fmt: skip


def _lost_older(request: ValidateRequest, pipeline: Pipeline, artifacts: Store) -> list[str]:
    """Return what the candidate has lost of what lies before the window that it learned from, as sentences."""
    scored, older, labels = request.score_candidate, request.find_unseen.older, request.preprocess.older_labels
    if older is None or scored.older is None or labels is None or scored.champion is None:
        return []
    stored, chosen = from_npz(artifacts.read(scored.older)), from_npz(artifacts.read(older.positions))
    target = from_npz(artifacts.read(labels))["target"][chosen["positions"]]
    known = target >= 0 if request.preprocess.task != "regression" else np.isfinite(target)
    slices = Slices.from_bytes(stored["slices"].tobytes())
    kept = np.concatenate([np.ones(slices.codes.shape[1] - len(target), dtype=np.bool_), known])
    return lost_older_slices(
        Slices(slices.columns, slices.groups, slices.codes[:, kept]), stored["candidate"][known],
        stored["champion"][known], target[known], np.unique(chosen["cluster"][known], return_inverse=True)[1],
        request.preprocess.task, margin=pipeline.gates.margin, version=scored.champion,
    )  # fmt: skip


def _evidence(request: ValidateRequest, rows: JudgedRows, artifacts: Store) -> dict[str, Any] | None:
    evidence, curve = request.score_candidate.evidence, request.select_model.learning_curve
    found: dict[str, Any] = {}
    if evidence is not None:
        stored = Evidence.from_bytes(artifacts.read(evidence))
        found = evidence_report(stored, rows.scores.scores, rows.target, rows.task)
    return found | ({} if curve is None else {"learning_curve": curve.model_dump(mode="json")}) or None


def _tables(rows: JudgedRows) -> dict[str, Any]:
    scores, target = rows.scores.scores, rows.target
    if not len(target):
        return {}
    if rows.task == "regression":
        return {"residuals": residuals(scores, target)}
    return {
        "confusion": confusion(scores, target, rows.classes, rows.threshold),
        "calibration": calibration(scores, target),
    }


def _is_champion(request: ValidateRequest, pipeline: Pipeline, champion: Version) -> bool:
    """Return whether the candidate is the champion: the same graph with the same signature, and not to be replaced
    because the pipeline file now says so: by its own refit, or the other way round, or captured in another way.
    """
    if pipeline.capture != champion.capture:
        return False
    if pipeline.training.refit == ("judged" if champion.twin is not None else "all"):
        return False
    return (champion.judged.sha256, champion.signature.sha256) == (
        request.select_model.onnx.sha256,
        request.select_model.signature.sha256,
    )


def _baseline_scores(baseline: dict[str, Any], task: Task, classes: list[str], rows: int) -> Array:
    """Return the scores (rows, k) of a model without features: the target's class shares, or its mean."""
    if task == "regression":
        return np.full((rows, 1), baseline["mean"], dtype=np.float64)
    share = dict(zip(baseline["classes"], baseline["probabilities"], strict=True))
    return np.tile(np.array([share.get(name, 0.0) for name in classes], dtype=np.float64), (rows, 1))


def _comparison_json(compared: Compared | None) -> dict[str, Any] | None:
    if compared is None:
        return None
    comparison = compared.reference.comparison
    return dataclasses.asdict(comparison) | {"verdict": comparison.verdict, "rows": compared.rows}
