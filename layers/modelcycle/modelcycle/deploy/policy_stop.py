"""What the policy of now says about the next step of a rollout: go on, wait, or stop."""

from __future__ import annotations

from datetime import datetime

from modelcycle.deploy.phase import is_judged
from modelcycle.faults import NotAllowed
from modelcycle.messages import Deployed, DeployRequest
from modelcycle.policy import Policy, Shelf, check_traffic, frozen
from modelcycle.policy.freezes import MAX_WAIT
from modelcycle.registry import Entry, Registry, Version, keys
from modelcycle.spec import parse
from modelcycle.store import Store

MIN_WAIT_SECONDS = 10
LOOK_SECONDS = 300  # from a step that a freeze holds up to the next judgement


def stopped_by_policy(
    request: DeployRequest, version: Version, registry: Registry, artifacts: Store, policies: Shelf, now: datetime
) -> Deployed | None:
    """Return the answer of a step that is not made; None if the policy allows it.

    Raises
    ------
    NotAllowed : the version does not meet the policy, and has no traffic that could be taken away
    """
    policy = policies.policy_of(request.model)
    route = registry.routes.get(request.model)
    if request.moves is not None and route.moves != request.moves:
        return None  # the step was made, or others have moved the traffic: `deploy` finds out
    weight = route.weights.get(request.version, 0)
    try:
        approved = registry.approvals.get(request.model, request.version)
        check_traffic(policy, version, artifacts, approved)
    except NotAllowed as fault:
        return _withdrawn(request, version, policy, fault, registry)
    held = frozen(policy, request.actor, now)
    if held is None:
        return None
    why, ends = held
    _record(request, policy, "frozen", why, registry)
    seconds = max(MIN_WAIT_SECONDS, round(min((ends - now).total_seconds(), MAX_WAIT.total_seconds())))
    answer = _answer(request, version, weight, done=False, wait_seconds=seconds, held=why)
    if not _answers(request, version, registry, artifacts):
        return answer
    return answer.model_copy(update={"judged": True, "look_seconds": min(seconds, LOOK_SECONDS)})


def _answers(request: DeployRequest, version: Version, registry: Registry, artifacts: Store) -> bool:
    """Return whether this rollout has given the version a share, or made it the shadow: the judge then looks on."""
    route = registry.routes.get(request.model)
    move = registry.routes.move(request.model, route.moves)
    if not request.rollout or move is None or move.rollout != request.rollout or not move.rolls_out(request.version):
        return False
    return is_judged(parse(artifacts.read(version.pipeline)).rollout, move, request.version)


def _withdrawn(
    request: DeployRequest, version: Version, policy: Policy, fault: NotAllowed, registry: Registry
) -> Deployed:
    """Take away what the rollout has given the version; the reason is in the audit entry of the move."""
    evidence = {"policy": policy.sha}
    moved = registry.routes.withdraw(
        request.model, request.version, request.rollout, policy.title, fault.what, evidence=evidence,
        expected_moves=request.moves,
    )  # fmt: skip
    if moved:
        return _answer(request, version, 0, done=True, overruled=True, held=fault.what)
    _record(request, policy, "stopped", fault.what, registry)
    raise fault


def _record(request: DeployRequest, policy: Policy, decision: str, why: str, registry: Registry) -> None:
    """Write what the policy has decided about this step, once."""
    name = keys.decision_by_policy(request.version, request.rollout, request.step, decision)
    entry = Entry(
        subject=f"version {request.version}", decision=decision, by=policy.title, why=why,
        evidence={"policy": policy.sha},
    )  # fmt: skip
    registry.audit.add(request.model, name, entry)


def _answer(
    request: DeployRequest, version: Version, weight: int, *, done: bool, held: str, wait_seconds: int = 0,
    overruled: bool = False,
) -> Deployed:  # fmt: skip
    return Deployed(
        model=request.model, version=request.version, step=request.step, actor=request.actor, why=request.why,
        moves=request.moves, weight=weight, overruled=overruled, done=done, wait_seconds=wait_seconds, held=held,
        run_id=version.run_id,
    )  # fmt: skip
