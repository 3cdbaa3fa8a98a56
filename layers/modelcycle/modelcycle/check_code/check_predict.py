"""Asks new code of `predict` for test rows of live models, and compares its answers with those on record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modelcycle.check_code.verdict import Places, Reply, ask, reported, verdict
from modelcycle.faults import Tampered, Unknown
from modelcycle.messages import Artifact, CheckCodeRequest, CodeChecked
from modelcycle.model.columns import Columns
from modelcycle.model.expected_answers import ExpectedAnswers
from modelcycle.model.scoring import Scores
from modelcycle.model.signature import Signature
from modelcycle.proxy_requests import CHECK, proxy_request
from modelcycle.registry import Version
from modelcycle.store import Store, read_json

MAX_ROWS = 50  # of each model, in one request
MAX_SECONDS = 200.0  # then the models that are left are named; the function has 300
LIVE = "/v2/health/live"


def check_predict(
    request: CheckCodeRequest, places: Places, clock: Callable[[], float] = time.monotonic
) -> CodeChecked:
    """Check that the new code answers test rows of each live model as its champion was judged by.

    The scores on record are those that `stage` compares with, too: those of the graph that serves. Where the live code
    gives the same wrong answer, the new code is not the reason, and is let through with a note.
    """
    return reported(request, places.deployments, lambda: _check(request, places, clock))


@dataclass
class _Findings:
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    models: int = 0
    rows: int = 0


def _check(request: CheckCodeRequest, places: Places, clock: Callable[[], float]) -> CodeChecked:
    reply = ask(places.new, proxy_request("GET", LIVE, LIVE, {}, f"check-{request.deployment}", stage=CHECK))
    if reply.failure or reply.status != 200:
        return verdict([f"{LIVE}: {reply.failure or f'it answers {reply.status} instead of 200'}"], [])
    findings, ends = _Findings(), clock() + MAX_SECONDS
    for model in places.registry.runs.models():
        champion = places.registry.routes.get(model).champion
        if champion is None:
            continue
        if clock() > ends:
            findings.notes.append(f"{model} was not asked: {MAX_SECONDS:.0f} seconds were over")
            continue
        _ask_model(model, champion, request, places, findings)
    if not findings.models:
        findings.notes.append("no live model could be asked")
    return verdict(findings.reasons, findings.notes, models=findings.models, rows=findings.rows)


def _ask_model(model: str, champion: int, request: CheckCodeRequest, places: Places, findings: _Findings) -> None:
    try:
        expected = _expected(places.registry.versions.get(model, champion), places.artifacts)
    except (Unknown, Tampered) as fault:
        findings.notes.append(f"{model} was not asked: {fault.what}")
        return
    if expected is None or not expected.instances:
        findings.notes.append(f"{model} was not asked: version {champion} has no scores of test rows on record")
        return
    event = proxy_request(
        "POST", f"/models/{model}/predict", "/models/{name}/predict", {"name": model},
        f"check-{request.deployment}-{model}", {"instances": expected.instances}, CHECK,
    )  # fmt: skip
    reply = ask(places.new, event)
    differs, compared = _difference(reply, expected, champion)
    findings.models += 1
    findings.rows += compared
    if not differs:
        return
    live = ask(places.live, event)
    if live.version != reply.version and _same(reply, live):
        findings.notes.append(f"{model}: {differs}; so does the code that serves now")
    else:
        findings.reasons.append(f"{model}: {differs}")


def _expected(version: Version, artifacts: Store) -> ExpectedAnswers | None:
    """Return test rows of a version with the scores on record; None if its lineage names none.

    Raises
    ------
    Unknown, Tampered : one of the objects is gone, or another one
    """
    steps = read_json(artifacts, version.lineage).get("steps", {})
    scores = (steps.get("refit") or {}).get("scores") or (steps.get("score_candidate") or {}).get("scores")
    features = (steps.get("preprocess") or {}).get("test_features")
    if not scores or not features:  # made by an earlier release
        return None
    return ExpectedAnswers.of(
        Signature.model_validate_json(artifacts.read(version.signature)),
        Columns.from_bytes(artifacts.read(Artifact.model_validate(features))),
        Scores.from_bytes(artifacts.read(Artifact.model_validate(scores))).scores,
        MAX_ROWS,
    )


def _difference(reply: Reply, expected: ExpectedAnswers, champion: int) -> tuple[str, int]:
    """Return how an answer differs from those on record, empty if it does not; and how many rows were compared."""
    if reply.failure or reply.status != 200:
        return reply.failure or f"it answers {reply.status} instead of 200", 0
    try:
        different, compared = _compare(reply.body, expected, champion)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return "its answer is not one of the API", 0
    if different:
        return f"{different} of {compared} rows are answered otherwise than version {champion} is on record", compared
    if not compared:
        return f"version {champion}, which is live, answers none of {len(expected.instances)} rows", 0
    return "", compared


def _compare(body: Any, expected: ExpectedAnswers, champion: int) -> tuple[int, int]:
    """Return how many rows differ of those that the champion has answered, and how many these are.

    During a rollout other versions answer some rows.
    """
    rows = len(expected.instances)
    predictions, probabilities = body["predictions"], body["probabilities"] or [None] * rows
    versions = body.get("versions") or [body["version"]] * rows
    if not len(predictions) == len(probabilities) == len(versions) == rows:
        raise ValueError("an answer for each row")
    answered = [row for row in range(rows) if versions[row] == champion]
    different = sum(expected.differs(row, predictions[row], probabilities[row]) for row in answered)
    return different, len(answered)


def _same(one: Reply, other: Reply) -> bool:
    """Return whether two answers say the same."""
    if one.failure or other.failure or one.status != other.status:
        return False
    told = ("predictions", "probabilities") if one.status == 200 else ("type", "detail")
    return all(isinstance(reply.body, dict) for reply in (one, other)) and all(
        one.body.get(name) == other.body.get(name) for name in told
    )
