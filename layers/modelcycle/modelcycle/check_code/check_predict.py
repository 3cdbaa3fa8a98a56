"""Asks new code of `predict` for test rows of live models, and compares its answers with those on record.

Nothing here computes: this code comes from the same layer as the code that is checked, and would err as that does.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from modelcycle.check_code.verdict import Places, Reply, ask, other_version, reported, verdict, version_before
from modelcycle.faults import Unknown
from modelcycle.messages import CheckCodeRequest, CodeChecked
from modelcycle.proxy_requests import CHECK, proxy_request

# then the models that are left are named; the last one asked may take two calls of 35 s, and the function has 300
MAX_SECONDS = 150.0
LIVE = "/v2/health/live"
NO_ANSWER = "its answer is not one of the API"


def check_predict(
    request: CheckCodeRequest, places: Places, clock: Callable[[], float] = time.monotonic
) -> CodeChecked:
    """Check that the new code answers test rows of each live model as the champion did when it was staged.

    Where the code before it gives the same wrong answer, the new code is not the reason, and is let through with a
    note; so it is once the traffic has moved.
    """
    return reported(request, places.deployments, lambda: _check(request, places, clock))


@dataclass
class _Findings:
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    models: int = 0
    rows: int = 0


def _check(request: CheckCodeRequest, places: Places, clock: Callable[[], float]) -> CodeChecked:
    ends = clock() + MAX_SECONDS
    reply = ask(places.new, proxy_request("GET", LIVE, LIVE, {}, f"check-{request.deployment}", stage=CHECK))
    if reply.failure or reply.status != 200:
        return verdict([f"{LIVE}: {reply.failure or f'it answers {reply.status} instead of 200'}"], [], LIVE)
    other = other_version(request, places, reply.version)
    if other:
        return verdict([other], [], LIVE)
    findings = _Findings()
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
    asked = f"{findings.rows} rows of {findings.models} model{'s' if findings.models != 1 else ''}"
    return verdict(findings.reasons, findings.notes, asked, models=findings.models, rows=findings.rows)


def _ask_model(model: str, champion: int, request: CheckCodeRequest, places: Places, findings: _Findings) -> None:
    try:
        key = places.registry.versions.get(model, champion).answers_key
        on_record = json.loads(places.artifacts.latest(key)[0])
    except Unknown:
        findings.notes.append(
            f"{model} was not asked: version {champion} has no answers on record; its next run puts them there"
        )
        return
    instances = [row["instance"] for row in on_record["rows"]]
    if not instances:
        why = "each of its test rows is too large for a request" if on_record["too_large"] else "it has no test rows"
        findings.notes.append(f"{model} was not asked: {why}")
        return
    if on_record["too_large"]:
        findings.notes.append(f"{model} was asked for {len(instances)} rows only: more are too large for a request")
    event = proxy_request(
        "POST", f"/models/{model}/predict", "/models/{name}/predict", {"name": model},
        f"check-{request.deployment}-{model}", {"instances": instances}, CHECK,
    )  # fmt: skip
    reply = ask(places.new, event)
    differs, compared = _difference(reply, on_record, champion)
    findings.models += 1
    findings.rows += compared
    if not differs:
        return
    before = ask(version_before(request, places), event)
    if before.version != reply.version and _same(reply, before):
        findings.notes.append(f"{model}: {differs}; so does the code before it")
    else:
        findings.reasons.append(f"{model}: {differs}")


def _difference(reply: Reply, on_record: dict[str, Any], champion: int) -> tuple[str, int]:
    """Return how an answer differs from those on record, empty if it does not; and how many rows were compared.

    During a rollout other versions answer some rows; these are not compared.
    """
    if reply.failure or reply.status != 200:
        return reply.failure or f"it answers {reply.status} instead of 200", 0
    rows, body = on_record["rows"], reply.body if isinstance(reply.body, dict) else {}
    predictions, probabilities = body.get("predictions"), body.get("probabilities") or [None] * len(rows)
    versions = body.get("versions") or [body.get("version")] * len(rows)
    for column in (predictions, probabilities, versions):
        if not isinstance(column, list) or len(column) != len(rows):
            return NO_ANSWER, 0
    pairs = zip(rows, predictions, probabilities, versions, strict=True)  # type: ignore[arg-type]
    answered = [(row, prediction, scores) for row, prediction, scores, version in pairs if version == champion]
    different = sum(_differs(*answer, on_record) for answer in answered)
    if different:
        return f"{different} of {len(answered)} rows are answered otherwise than on record", len(answered)
    if not answered:
        return f"version {champion}, which is live, answers none of {len(rows)} rows", 0
    return "", len(answered)


def _differs(row: dict[str, Any], prediction: Any, probabilities: Any, on_record: dict[str, Any]) -> bool:
    """Return whether the answer to a row is another one than that on record, beyond rounding."""
    tolerance, absolute = on_record["tolerance"], on_record["tolerance"] * on_record["unit"]

    def is_close(value: Any, expected: Any) -> bool:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and abs(value - expected) <= absolute + tolerance * abs(expected) and math.isfinite(value)

    expected = row["probabilities"]
    if expected is None:
        return probabilities is not None or not is_close(prediction, row["prediction"])
    if not isinstance(probabilities, dict) or probabilities.keys() != expected.keys():
        return True
    if not all(is_close(probabilities[name], expected[name]) for name in expected):
        return True
    return bool(prediction != row["prediction"]) and not (row["tie"] and prediction in expected)


def _same(one: Reply, other: Reply) -> bool:
    """Return whether two answers say the same."""
    if one.failure or other.failure or one.status != other.status:
        return False
    told = ("version", "versions", "predictions", "probabilities") if one.status == 200 else ("type", "detail")
    return all(isinstance(reply.body, dict) for reply in (one, other)) and all(
        one.body.get(name) == other.body.get(name) for name in told
    )
