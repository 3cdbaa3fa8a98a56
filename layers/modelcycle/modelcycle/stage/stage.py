from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from modelcycle.faults import NotAllowed
from modelcycle.messages import Artifact, Staged, StageRequest
from modelcycle.model.answer import load_version
from modelcycle.model.columns import Columns
from modelcycle.model.scoring import Scores
from modelcycle.registry import Registry, Standing, State, keys, state_in_words
from modelcycle.spec import Pipeline
from modelcycle.stage.rehearsal import Rehearsal, rehearse
from modelcycle.steps import pipeline_of
from modelcycle.store import Store, put_json, read_json


class Reasons(NamedTuple):
    """Why a version may not go live. Faults of the model are final; circumstances may be better in a later run."""

    model: list[str]
    circumstances: list[str]


def stage(request: StageRequest, *, artifacts: Store, registry: Registry) -> Staged:
    """Load the version as `predict` does, replay test rows, and check its answers and times against the limits.

    The first report of a run is kept: a second delivery reads it and moves nothing again. A version that an earlier run
    has staged keeps its state. One with a final verdict (wrong answers, a person's rejection or rollback) is refused
    again: that a run made the same model once more does not change the verdict. One whose rehearsal was slow, or whose
    rollout died, is staged again.

    Raises
    ------
    Unknown : no such version, or one of its artifacts is gone
    """
    model, version = request.run.model, request.register_.version
    moves = registry.routes.get(model).moves  # read first: a decision made after this has priority over the rollout
    pipeline = pipeline_of(artifacts, request.run)
    artifact = _rehearse(request, pipeline, moves, artifacts, registry)
    report = read_json(artifacts, artifact)  # that of the first delivery
    ask = pipeline.approval.required or bool(request.validate_.ask)
    standing = _move_version(request, report, ask, registry)
    verdict, reasons = report["verdict"], report["reasons"]
    if standing.final and verdict == "passed":
        verdict = "refused"
        state = state_in_words(standing.state)
        reasons = [f"version {version} was {state} before: {standing.why or f'by {standing.by}'}"]
    return Staged(
        verdict=verdict,
        reasons=reasons,
        rows=report["rows"],
        p50_ms=report["p50_ms"],
        p99_ms=report["p99_ms"],
        differences=report["differences"],
        # a version that waits for approval keeps waiting, whatever a later pipeline file says
        approval=standing.state == "awaiting_approval" or (ask and standing.state == "staged"),
        moves=report.get("moves"),
        report=artifact,
    )


def _rehearse(request: StageRequest, pipeline: Pipeline, moves: int, artifacts: Store, registry: Registry) -> Artifact:
    """Rehearse the version and write the report; return the first report of this run."""
    model, number = request.run.model, request.register_.version
    version = registry.versions.get(model, number)
    test_rows = Columns.from_bytes(artifacts.read(request.preprocess.test_features))
    scores = Scores.from_bytes(artifacts.read(request.refit.scores or request.score_candidate.scores)).scores
    rehearsal = rehearse(load_version(version, artifacts), test_rows, scores, pipeline.staging.rows)
    reasons = _reasons(rehearsal, pipeline)
    return put_json(
        artifacts,
        request.run.key("stage", f"report-{number}.json"),
        {
            "model": model,
            "version": number,
            "verdict": "refused" if reasons.model or reasons.circumstances else "passed",
            "reasons": reasons.model + reasons.circumstances,
            "final": bool(reasons.model),
            "moves": moves,
            "rows": rehearsal.rows,
            "unreadable": rehearsal.unreadable,
            "differences": rehearsal.differences,
            "p50_ms": rehearsal.quantile(0.5),
            "p99_ms": rehearsal.quantile(0.99),
            "limits": pipeline.staging.model_dump(),
        },
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
        reasons.circumstances.append(f"p99 is {p99:.1f} ms, above the limit of {limit:g} ms (staging.p99_ms)")
    return reasons


def _move_version(
    request: StageRequest, report: dict[str, Any], approval_required: bool, registry: Registry
) -> Standing:
    """Move the version to the state of its verdict, unless that was done before; return its state now."""
    model, version, run_id = request.run.model, request.register_.version, request.run.run_id
    passed = report["verdict"] == "passed"

    def move(state: State, why: str = "", final: bool = False) -> Standing:
        # named by the run: a late delivery does not undo what later runs and people have decided
        name = keys.decision_in_run(run_id, state)
        return registry.standings.move(model, version, state, f"run {run_id}", why, final=final, name=name)

    standing = registry.standings.get(model, version)
    # NotAllowed: another delivery has moved the version on, and its outcome is kept
    with contextlib.suppress(NotAllowed):
        if standing.state in ("registered", "refused", "rolled_back") and not standing.final:
            if passed:
                standing = move("staged")
            else:
                standing = move("refused", "; ".join(report["reasons"]), report.get("final", False))
        # a version that was approved is `staged` too, by the person who approved it
        if passed and approval_required and not standing.approved and standing.state in ("staged", "retired"):
            standing = move("awaiting_approval", "; ".join(request.validate_.ask))
        return standing
    return registry.standings.get(model, version)
