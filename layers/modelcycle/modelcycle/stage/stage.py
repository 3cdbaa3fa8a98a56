"""Stage a version: rehearsal, load test, replay of captured requests; then the state of its verdict."""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass
from typing import Any

from modelcycle.faults import Fault, NotAllowed, Throttled, Transient
from modelcycle.invocations import Invocations
from modelcycle.key_service import KeyService
from modelcycle.messages import Artifact, Message, Staged, StageRequest
from modelcycle.model.answer import LoadedVersion, load_version
from modelcycle.model.columns import Columns
from modelcycle.model.scoring import Scores
from modelcycle.policy import UNKNOWN, Shelf, approvals_needed
from modelcycle.registry import Registry, Route, Standing, State, keys, state_in_words
from modelcycle.spec import Pipeline
from modelcycle.stage.candidate import Candidate
from modelcycle.stage.captured_requests import captured_requests
from modelcycle.stage.expected_answers import ExpectedAnswers
from modelcycle.stage.findings import Findings
from modelcycle.stage.load_test import load_test
from modelcycle.stage.rehearsal import rehearse
from modelcycle.stage.shadow_replay import replay
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, put_json, read_json

MAX_ANSWERS_ON_RECORD = 50  # rows of a version
STACK_ASKS = "every version of this stack needs an approval"
PIPELINE_ASKS = "the pipeline file requires approval"
EARLIER_RUN_ASKS = "an earlier run asked for it"


@dataclass(frozen=True)
class Places:
    """What staging reads and calls.

    Parameters
    ----------
    artifacts, data : the buckets
    candidate : the function that serves any registered version
    keys : check the versions' signatures
    code : version of the code
    approval : whether a person has to approve each version here, whatever its pipeline file says
    policies : that are deployed; None: none of them asks for approvals
    """

    artifacts: Store
    data: Store
    registry: Registry
    candidate: Invocations
    keys: KeyService
    code: str
    approval: bool = False
    policies: Shelf | None = None


class _Reported(Message):
    report: Artifact


def stage(request: StageRequest, places: Places) -> Staged:
    """Load the version as `predict` does, replay test rows, load the function that serves it, and compare it with the
    champion on captured requests; then check what was measured against the limits.

    The first report of a run is kept: a second delivery reads it and moves nothing again. A version that an earlier run
    has staged keeps its state. One with a final verdict (wrong answers, a person's rejection or rollback) is refused
    again: that a run made the same model once more does not change the verdict. One whose rehearsal was slow, or whose
    rollout died, is staged again.

    Raises
    ------
    Unknown : no such version, or one of its artifacts is gone
    """
    registry, artifacts = places.registry, places.artifacts
    version = request.register_.version
    pipeline = pipeline_of(artifacts, request.run)
    artifact = reuse_or_run(
        lambda: _Reported(report=_report(request, pipeline, places)),
        _Reported,
        step="stage", request=request, parameters=request.run.run_id, code=places.code,
        results=registry.results, artifacts=artifacts,
    ).report  # fmt: skip
    report = read_json(artifacts, artifact)  # that of the first delivery
    reasons_to_ask = [
        *request.validate_.ask,
        *([STACK_ASKS] if places.approval else []),
        *_policy_asks(request, places),
    ]
    ask = pipeline.approval.required or bool(reasons_to_ask)
    standing = _move_version(request, report, ask, reasons_to_ask, registry)
    verdict, reasons = report["verdict"], report["reasons"]
    if standing.final and verdict == "passed":
        verdict = "refused"
        state = state_in_words(standing.state)
        reasons = [f"version {version} was {state} before: {standing.why or f'by {standing.by}'}"]
    # a version that waits for approval keeps waiting, whatever a later pipeline file says
    approval = standing.state == "awaiting_approval" or (ask and standing.state == "staged")
    asks = [*reasons_to_ask, *([PIPELINE_ASKS] if pipeline.approval.required else [])] or [EARLIER_RUN_ASKS]
    return Staged(
        verdict=verdict,
        reasons=reasons,
        rows=report["rows"],
        p50_ms=report["p50_ms"],
        p99_ms=report["p99_ms"],
        differences=report["differences"],
        approval=approval,
        ask=asks if approval else [],
        moves=report.get("moves"),
        report=artifact,
        **_figures(report),
    )


def _policy_asks(request: StageRequest, places: Places) -> list[str]:
    """Return why the policy wants approvals, as a sentence; nothing if it wants none."""
    policy = places.policies.policy_of(request.run.model) if places.policies else None
    needed = approvals_needed(policy, request.run.author or UNKNOWN) if policy else 0
    if policy is None or not needed:
        return []
    sentence = f"{policy.title} asks for {needed} approval{'s by different people' if needed > 1 else ''}"
    if not policy.approvals.four_eyes:
        return [sentence]
    author = request.run.author
    return [f"{sentence}, not by {author}" if author else f"{sentence}: nobody knows who started the run"]


def _figures(report: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of the load test and the replay that the result has."""
    load, replayed = report.get("load"), report.get("replay")
    figures: dict[str, Any] = {"notes": report.get("notes", [])}
    if load and load["source"]:
        best = max([*load["levels"], *([load["soak"]] if load["soak"] else [])], key=lambda one: one["rows_per_second"])
        figures |= {"rows_per_second": best["rows_per_second"], "at_once": best["concurrency"]}
        figures |= {name: load[name] for name in ("own_p99_ms", "memory_mb", "cold_start_ms")}
    if replayed and replayed["rows"]:
        figures |= {
            "replayed": replayed["rows"], "disagreements": replayed["disagreements"],
            "disagreement": replayed["interval"], "champion": replayed["champion"],
        }  # fmt: skip
    return figures


def _report(request: StageRequest, pipeline: Pipeline, places: Places) -> Artifact:
    """Measure the version and write the report; return the first report of this run."""
    artifacts, registry = places.artifacts, places.registry
    model, number = request.run.model, request.register_.version
    route = registry.routes.get(model)  # a decision made after this has priority over the rollout
    version = registry.versions.get(model, number)
    served = load_version(version, artifacts, places.keys)
    test_rows = Columns.from_bytes(artifacts.read(request.preprocess.test_features))
    scores = Scores.from_bytes(artifacts.read(request.refit.scores or request.score_candidate.scores)).scores
    expected = ExpectedAnswers.of(served.signature, test_rows, scores, pipeline.staging.rows)
    started = time.monotonic()
    findings = Findings(pipeline.staging, rehearse(served, expected))
    took = {"rehearsal": time.monotonic() - started}
    if not findings.reasons().model:  # what serves wrong answers needs no load
        _load(findings, places.candidate, model, number, expected)
        took["load"] = time.monotonic() - started - sum(took.values())
        _replay(findings, request, pipeline, served, route, places)
        took["replay"] = time.monotonic() - started - sum(took.values())
        on_record = expected.on_record(MAX_ANSWERS_ON_RECORD)
        if on_record["too_large"]:
            kept = f"{len(on_record['rows'])} test rows are on record for checks of new code"
            findings.notes.append(f"{kept}, {on_record['too_large']} are too large for it")
        put_json(artifacts, version.answers_key, on_record)
    head = {"model": model, "version": number, "run_id": request.run.run_id, "moves": route.moves, "took": took}
    return put_json(artifacts, _key(request, "report"), head | findings.report())


def _key(request: StageRequest, name: str) -> str:
    """Return the key of an object that is kept with the version."""
    run, version = request.run, request.register_.version
    return f"{run.model}/staging/{version:08d}/{run.run_id}/{name}.json"


def _load(findings: Findings, function: Invocations, model: str, version: int, expected: ExpectedAnswers) -> None:
    if not findings.limits.concurrency:
        findings.notes.append("no load test (staging.concurrency is empty)")
    elif expected.instances:
        findings.load = load_test(Candidate(function, model, version), expected, findings.limits)
        if not findings.load.source:
            findings.notes.append("load test: nothing was measured")


def _replay(
    findings: Findings, request: StageRequest, pipeline: Pipeline, served: LoadedVersion, route: Route, places: Places
) -> None:
    wanted = pipeline.staging.replay
    if not wanted or route.champion is None or route.champion == served.version:
        reason = "staging.replay is 0" if not wanted else "no other version is live"
        findings.notes.append(f"no captured requests replayed: {reason}")
        return
    captures = captured_requests(places.data, request.run.model, wanted)
    if captures.unread:
        findings.notes.append(f"{captures.unread} objects with captured requests could not be read")
    if not captures.requests:
        findings.notes.append(f"no captured requests to replay in the last {captures.days} days")
        return
    champion = _champion(findings, request.run.model, route.champion, places)
    if champion is None:
        return
    if champion.signature.task != served.signature.task:
        findings.notes.append(f"no captured requests replayed: version {champion.version} has another kind of target")
        return
    findings.replay = replay(captures.requests, champion, served)
    rows = [asdict(row) for row in findings.replay.rows]
    findings.rows_of_replay = put_json(places.artifacts, _key(request, "replay"), rows)


def _champion(findings: Findings, model: str, number: int, places: Places) -> LoadedVersion | None:
    """Load the champion; one that is gone is no reason against the candidate."""
    try:
        return load_version(places.registry.versions.get(model, number), places.artifacts, places.keys)
    except (Transient, Throttled):
        raise
    except Fault as fault:
        findings.notes.append(f"no captured requests replayed: version {number} cannot be loaded: {fault.what}")
        return None


def _move_version(
    request: StageRequest, report: dict[str, Any], approval_required: bool, why: list[str], registry: Registry
) -> Standing:
    """Move the version to the state of its verdict, unless that was done before; return its state now."""
    model, version, run_id = request.run.model, request.register_.version, request.run.run_id
    passed = report["verdict"] == "passed"

    def move(state: State, why: str = "", final: bool = False, author: str | None = None) -> Standing:
        # named by the run: a late delivery does not undo what later runs and people have decided
        name = keys.decision_in_run(run_id, state)
        return registry.standings.move(
            model, version, state, f"run {run_id}", why, final=final, name=name, author=author
        )

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
            standing = move("awaiting_approval", "; ".join(why), author=request.run.author)
        return standing
    return registry.standings.get(model, version)
