"""Judge a version that is being rolled out, by what it has answered since its last step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from modelcycle.cells.reading import Reading
from modelcycle.deploy.comparisons import Comparison, Usual, compare
from modelcycle.deploy.phase import MIN_PAUSE_SECONDS, Phase, phase_of
from modelcycle.deploy.samples import Arms, Array, Samples, gather
from modelcycle.deploy.verdict import decide
from modelcycle.faults import Tampered, Unknown
from modelcycle.messages import Finding, Judged, JudgeRequest
from modelcycle.model.distances import class_distance, number_distance
from modelcycle.model.profile import Profile
from modelcycle.model.signature import Signature
from modelcycle.policy import Shelf, frozen
from modelcycle.policy.freezes import MAX_WAIT
from modelcycle.registry import Move, Registry, Version
from modelcycle.spec import parse
from modelcycle.store import Store, read_json

BY = "rollout"
OTHERS_MOVED = "others have moved the traffic"
NOTHING_TO_GO_BACK_TO = "no earlier version may serve, a person has to replace this one"
BEFORE_HOURS = 24  # of the champion's answers before a version got all the traffic


def judge(
    request: JudgeRequest, *, data: Store, artifacts: Store, registry: Registry, policies: Shelf,
    now: datetime | None = None,
) -> Judged:  # fmt: skip
    """Compare a version with the champion on captured requests: proceed, hold, or roll back.

    A rollback is one conditional move back to what was there before the rollout, in one transaction with the judgement.
    After any later move than the last one that the rollout knows, nothing is judged: others have decided. Idempotent: a
    decision that is on record is returned.

    In a freeze no step follows, but the version goes on answering: the judge then holds where it would proceed, and
    keeps looking, so that it can still roll back. That is so too if it has said `proceed` just before the freeze.

    Parameters
    ----------
    data : the bucket with captures and outcomes
    artifacts : the bucket with the version's pipeline file, signature, profile and validation report
    policies : that are deployed
    now : the time of the look; by default the present

    Raises
    ------
    Unknown : no such version
    """
    now = (now or datetime.now(UTC)).astimezone(UTC)
    # nothing follows once a version has all the traffic: a freeze does not prolong that watch
    held = None if request.done else frozen(policies.policy_of(request.model), request.actor, now)
    recorded = _on_record(request, registry)
    if recorded is not None and (recorded.verdict != "proceed" or held is None):
        return recorded
    number = registry.routes.get(request.model).moves
    move = registry.routes.move(request.model, number)
    if move is None or number != request.moves:
        return _answer(request, "overruled", OTHERS_MOVED, [], 0)
    version = registry.versions.get(request.model, request.version)
    pipeline = parse(artifacts.read(version.pipeline))
    phase = phase_of(pipeline.rollout, move, request.version, now)
    if phase is None:
        return _answer(request, "proceed", "there is no other version to compare with", [], 0)
    signature = Signature.model_validate_json(artifacts.read(version.signature))
    capture = registry.versions.get(request.model, phase.champion).capture
    treated = {name for name, treatment in signature.personal.items() if treatment != "pseudonymise"}
    masked = sorted({*capture.mask, *version.capture.mask, *treated})
    samples = gather(data, signature, _target(version, artifacts), _arms(request, move, phase, now), masked)
    comparisons = _compare(samples, phase, version, signature, artifacts)
    verdict = decide(
        phase, comparisons, samples.challenger.rows, seen=samples.champion.rows, captured=capture.sample > 0
    )
    reason = "; ".join([verdict.reason, *samples.notes])
    findings = [comparison.finding for comparison in comparisons]
    judged = _answer(request, verdict.verdict, reason, findings, phase.pause(), verdict.overdue)
    judged = judged.model_copy(update={"run_id": version.run_id})
    if held is not None and judged.verdict == "proceed":
        judged = _held(judged, *held, phase, now)
    if recorded is not None and judged.verdict == "hold":
        return judged  # `proceed` stays on record, and counts after the freeze
    return _carry_out(judged, verdict.final, phase.pause(), registry, recorded)


def _on_record(request: JudgeRequest, registry: Registry) -> Judged | None:
    """Return the decision about this move, if there is one."""
    if request.moves is None:
        return None
    known = registry.judgements.get(request.model, request.rollout, request.step, request.moves)
    return known.judged if known is not None and known.is_decided else None


def _held(judged: Judged, why: str, ends: datetime, phase: Phase, now: datetime) -> Judged:
    """Return a hold in place of `proceed`, until the next look in the freeze or its end."""
    seconds = min((ends - now).total_seconds(), MAX_WAIT.total_seconds(), phase.pause())
    update = {"verdict": "hold", "reason": f"{why}; {judged.reason}"}
    return judged.model_copy(update=update | {"wait_seconds": max(MIN_PAUSE_SECONDS, round(seconds))})


def _carry_out(judged: Judged, final: bool, pause: int, registry: Registry, recorded: Judged | None) -> Judged:
    """Record the judgement; a rollback with the move that it makes.

    A rollback without a version that may serve instead moves nothing: the rollout then waits for a person.

    Parameters
    ----------
    final : whether no later run may stage the version again
    pause : seconds to the next look at a rollout that waits
    recorded : a `proceed` that a freeze has held up, which a rollback replaces
    """
    if judged.verdict != "roll_back":
        return registry.judgements.keep(judged)
    earlier, write = registry.judgements.write(judged)
    if earlier is not None and earlier.is_decided and earlier.judged != recorded:
        return earlier.judged
    # whichever rollout gave the version its share: this one knows the route's last move, and continues from it
    moved = registry.routes.withdraw(
        judged.model, judged.version, "", BY, judged.reason, complete=True, worse=final,
        evidence={"findings": [finding.model_dump(mode="json") for finding in judged.findings]},
        expected_moves=judged.moves, beside=[write],
    )  # fmt: skip
    if moved:
        return judged
    decided = registry.judgements.get(judged.model, judged.rollout, judged.step, judged.moves or 0)
    if decided is not None and decided.is_decided and decided.judged != recorded:  # another delivery was faster
        return decided.judged
    last = registry.routes.move(judged.model, registry.routes.get(judged.model).moves)
    if last is not None and last.number == judged.moves and last.rolls_out(judged.version):
        reason = f"{NOTHING_TO_GO_BACK_TO}: {judged.reason}"
        update = {"verdict": "hold", "reason": reason, "wait_seconds": pause, "overdue": True}
        return registry.judgements.keep(judged.model_copy(update=update))
    return judged.model_copy(update={"verdict": "overruled", "reason": OTHERS_MOVED, "wait_seconds": 0})


def _arms(request: JudgeRequest, move: Move, phase: Phase, now: datetime) -> Arms:
    since = (request.since or move.at).astimezone(UTC)
    champion_since = move.at - timedelta(hours=BEFORE_HOURS) if phase.watch else since
    return Arms(
        phase.champion, request.version, since, now, champion_since, move.at if phase.watch else now, phase.shadow
    )


def _target(version: Version, artifacts: Store) -> Reading | None:
    """Return how the data write the numbers of the target; classes are known by their names."""
    if version.task != "regression":
        return None
    return Profile.model_validate_json(artifacts.read(version.profile)).target


def _compare(
    samples: Samples, phase: Phase, version: Version, signature: Signature, artifacts: Store
) -> list[Comparison]:
    is_regression = signature.task == "regression"
    usual = Usual(
        versions=_distance_on_test_rows(version, phase.champion, artifacts),
        hours=_distance_between_hours(samples.hours, is_regression),
    )
    return compare(samples, phase.limits, usual, is_regression, phase.alpha)


def _distance_on_test_rows(version: Version, champion: int, artifacts: Store) -> float:
    """Return how far the predictions of the two versions lay apart on test rows; 0 if that was not measured."""
    try:
        report = read_json(artifacts, version.validation)
    except (Unknown, Tampered):
        return 0.0
    distance = report.get("prediction_distance") if isinstance(report, dict) else None
    return float(distance) if distance is not None and report.get("champion") == champion else 0.0


def _distance_between_hours(hours: Sequence[Array], is_regression: bool) -> float:
    """Return how far one hour of the champion's predictions lies from the others, at most."""
    if len(hours) < 2:
        return 0.0
    farthest = 0.0
    for number, hour in enumerate(hours):
        rest = [one for position, one in enumerate(hours) if position != number]
        distance = (
            number_distance(hour, np.sort(np.concatenate(rest)))
            if is_regression
            else class_distance(hour, np.sum(rest, axis=0))
        )
        farthest = max(farthest, distance)
    return farthest


def _answer(
    request: JudgeRequest, verdict: str, reason: str, findings: list[Finding], pause: int, overdue: bool = False
) -> Judged:
    return Judged.model_validate({
        **request.model_dump(exclude={"schema_number", "since"}), "verdict": verdict, "reason": reason,
        "findings": findings, "wait_seconds": pause if verdict == "hold" else 0, "overdue": overdue,
    })  # fmt: skip
