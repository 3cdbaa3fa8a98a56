"""The step: rehearse the version, keep the report, move the version to where its verdict puts it."""

from __future__ import annotations

import contextlib
from typing import Any

from modelcycle.faults import NotAllowed
from modelcycle.messages import Staged, StageRequest
from modelcycle.model.answer import load
from modelcycle.model.columns import Columns
from modelcycle.model.scoring import Scores
from modelcycle.registry import Registry, Standing
from modelcycle.spec import Pipeline
from modelcycle.stage.rehearsal import Rehearsal, rehearse
from modelcycle.steps import pipeline_of
from modelcycle.store import Store, put_json, read_json

DISMISSED = ("refused", "rejected", "rolled_back")  # states that no run takes a version out of again


def stage(request: StageRequest, *, artifacts: Store, registry: Registry) -> Staged:
    """Load the version as `predict` does, replay test rows, hold answers and times against the limits.

    The first report of a run stands: delivered twice, the step reads its first verdict and moves nothing a second
    time. A version that an earlier run has staged keeps its place; one that was refused, rejected or rolled back is
    refused again, since making the same model once more is no reason to forget why.
    """
    model, number = request.run.model, request.register_.version
    pipeline = pipeline_of(artifacts, request.run)
    version = registry.versions.get(model, number)
    test = Columns.from_bytes(artifacts.read(request.preprocess.test_features))
    judged = Scores.from_bytes(artifacts.read(request.score_candidate.scores)).scores
    rehearsal = rehearse(load(version, artifacts), test, judged, pipeline.staging.rows)
    reasons = _reasons(rehearsal, pipeline)
    report = put_json(
        artifacts,
        request.run.key("stage", f"report-{number}.json"),
        {
            "model": model,
            "version": number,
            "verdict": "refused" if reasons else "passed",
            "reasons": reasons,
            "rows": rehearsal.rows,
            "unreadable": rehearsal.unreadable,
            "differences": rehearsal.differences,
            "p50_ms": rehearsal.quantile(0.5),
            "p99_ms": rehearsal.quantile(0.99),
            "limits": pipeline.staging.model_dump(),
        },
    )
    first = read_json(artifacts, report)
    standing = _moved(registry, request, first, pipeline.approval.required)
    verdict, reasons = first["verdict"], first["reasons"]
    if standing.state in DISMISSED and verdict == "passed":
        state = standing.state.replace("_", " ")
        verdict, reasons = "refused", [f"version {number} was {state} before: {standing.why or f'by {standing.by}'}"]
    return Staged(
        verdict=verdict,
        reasons=reasons,
        rows=first["rows"],
        p50_ms=first["p50_ms"],
        p99_ms=first["p99_ms"],
        differences=first["differences"],
        # a version that waits for a person goes on waiting, whatever a later pipeline file says
        approval=pipeline.approval.required or standing.state == "awaiting_approval",
        report=report,
    )


def _reasons(rehearsal: Rehearsal, pipeline: Pipeline) -> list[str]:
    limit, p99 = pipeline.staging.p99_ms, rehearsal.quantile(0.99)
    reasons = list(rehearsal.broken)
    if not rehearsal.rows:
        reasons.append("there are no test rows to replay")
    if rehearsal.differences:
        reasons.append(
            f"{rehearsal.differences} of {rehearsal.rows} rows are answered differently alone and in a batch"
        )
    if p99 > limit:
        reasons.append(f"p99 {p99:.1f} ms: {limit:g} ms is the slowest allowed (staging.p99_ms)")
    return reasons


def _moved(registry: Registry, request: StageRequest, first: dict[str, Any], approval: bool) -> Standing:
    """Move the version along, unless that has happened; the standing it then has."""
    model, number, by = request.run.model, request.register_.version, f"run {request.run.run_id}"
    standing = registry.versions.standing(model, number)
    # a state that another delivery has left meanwhile cannot be moved from: its outcome stands
    with contextlib.suppress(NotAllowed):
        if standing.state == "registered" and first["verdict"] == "refused":
            standing = registry.versions.move(model, number, "refused", by, "; ".join(first["reasons"]))
        elif standing.state == "registered":
            standing = registry.versions.move(model, number, "staged", by)
        # a person's approval puts a version back to `staged`, under that person's name
        if standing.state == "staged" and standing.by.startswith("run ") and approval:
            standing = registry.versions.move(model, number, "awaiting_approval", by)
        return standing
    return registry.versions.standing(model, number)
