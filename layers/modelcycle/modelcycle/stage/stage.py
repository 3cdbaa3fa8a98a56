"""The step: rehearse the version, keep the report, move the version to where its verdict puts it."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from modelcycle.faults import NotAllowed
from modelcycle.messages import Staged, StageRequest
from modelcycle.model.answer import load_version
from modelcycle.model.columns import Columns
from modelcycle.model.scoring import Scores
from modelcycle.registry import Registry, Standing, State
from modelcycle.spec import Pipeline
from modelcycle.stage.rehearsal import Rehearsal, rehearse
from modelcycle.steps import pipeline_of
from modelcycle.store import Store, put_json, read_json


class Reasons(NamedTuple):
    """Why a version may not go live. What is wrong with the model stays wrong; the circumstances may pass."""

    model: list[str]
    circumstances: list[str]


def stage(request: StageRequest, *, artifacts: Store, registry: Registry) -> Staged:
    """Load the version as `predict` does, replay test rows, hold answers and times against the limits.

    The first report of a run stands: delivered twice, the step reads its first verdict and moves nothing a second
    time. A version that an earlier run has staged keeps its place. One that was dismissed for what it is (wrong
    answers, a person's rejection or rollback) is refused again, since making the same model once more is no reason to
    forget why; one that met a slow moment, or whose rollout died, is staged again.
    """
    model, number = request.run.model, request.register_.version
    moves = registry.routes.get(model).moves  # before anything else is looked at: a decision after it stands above
    pipeline = pipeline_of(artifacts, request.run)
    version = registry.versions.get(model, number)
    test = Columns.from_bytes(artifacts.read(request.preprocess.test_features))
    judged = Scores.from_bytes(artifacts.read(request.score_candidate.scores)).scores
    rehearsal = rehearse(load_version(version, artifacts), test, judged, pipeline.staging.rows)
    found = _reasons(rehearsal, pipeline)
    reasons = found.model + found.circumstances
    report = put_json(
        artifacts,
        request.run.key("stage", f"report-{number}.json"),
        {
            "model": model,
            "version": number,
            "verdict": "refused" if reasons else "passed",
            "reasons": reasons,
            "final": bool(found.model),
            "moves": moves,
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
    if standing.final and verdict == "passed":
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
        approval=standing.state == "awaiting_approval" or (pipeline.approval.required and standing.state == "staged"),
        moves=first.get("moves"),
        report=report,
    )


def _reasons(rehearsal: Rehearsal, pipeline: Pipeline) -> Reasons:
    limit, p99 = pipeline.staging.p99_ms, rehearsal.quantile(0.99)
    reasons = Reasons(list(rehearsal.broken), [])
    if not rehearsal.rows:
        reasons.circumstances.append("there are no test rows to replay")
    if rehearsal.differences:
        reasons.model.append(
            f"{rehearsal.differences} of {rehearsal.rows} rows are answered differently alone and in a batch"
        )
    if p99 > limit:
        reasons.circumstances.append(f"p99 {p99:.1f} ms: {limit:g} ms is the slowest allowed (staging.p99_ms)")
    return reasons


def _moved(registry: Registry, request: StageRequest, first: dict[str, Any], approval: bool) -> Standing:
    """Move the version along, unless that has happened; the standing it then has."""
    model, number, run_id = request.run.model, request.register_.version, request.run.run_id

    def move(to: State, why: str = "", final: bool = False) -> Standing:
        # keyed by the run: a late delivery does not move what later runs and people have moved since
        key = f"RUN#{run_id}#{to}"
        return registry.versions.move(model, number, to, f"run {run_id}", why, final=final, key=key)

    standing = registry.versions.standing(model, number)
    # a state that another delivery has left meanwhile cannot be moved from: its outcome stands
    with contextlib.suppress(NotAllowed):
        if standing.state in ("registered", "refused", "rolled_back") and not standing.final:
            if first["verdict"] == "refused":
                standing = move("refused", "; ".join(first["reasons"]), first.get("final", False))
            else:
                standing = move("staged")
        # an approved version is staged, by the person who approved it
        waits = approval and first["verdict"] == "passed" and not standing.approved
        if waits and standing.state in ("staged", "retired"):
            standing = move("awaiting_approval")
        return standing
    return registry.versions.standing(model, number)
