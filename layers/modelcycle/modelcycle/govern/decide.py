from __future__ import annotations

from typing import NamedTuple

from modelcycle.faults import NotAllowed, Transient, Unknown
from modelcycle.govern.approve import check_bytes, check_permission, give_approval
from modelcycle.govern.ports import Ports
from modelcycle.messages import Decided, Decision, DeployRequest, Judged
from modelcycle.policy import check_traffic, frozen, who_overrides
from modelcycle.registry import Entry, Move, Registry, Route, Version, champion, keys, not_allowed, state_in_words
from modelcycle.store import Store

MAX_ROLLOUTS = 20  # of one version between two moves of the route
ALL_TRAFFIC = "it already has all the traffic"
ALREADY_APPROVED = "you approved it before, and it is live"


class Done(NamedTuple):
    """What a decision has led to.

    Parameters
    ----------
    unchanged : why nothing was changed; empty if something was
    told : what the person has to know besides
    waits : the decision is on record, and another person has to decide too
    frozen : its rollout waits for the end of a freeze
    """

    unchanged: str = ""
    told: str = ""
    waits: bool = False
    frozen: bool = False


def decide(decision: Decision, ports: Ports) -> Decided:
    """Carry out a person's decision: approve or reject a waiting version, promote a version, or roll back.

    Who decided, when and why is recorded in the transaction of the change. Idempotent: the same decision about the same
    state of the version and the route changes nothing and has one audit entry. A rollback is never held against a
    policy: whoever may decide may always take traffic away.

    Raises
    ------
    NotAllowed : the state of the version or the policy does not allow the decision; says what a person can do instead
    Unknown : no such model or version, or a rollback without a live version
    """
    model, version = decision.model, decision.version
    registry = ports.registry
    if version is None and decision.decision != "rollback":
        raise NotAllowed(
            "a version is missing", f"{decision.decision} {model}", f"name it: {model}:VERSION; "
            f"`modelcycle show {model}` lists the versions",
        )  # fmt: skip
    if version is not None:
        registry.versions.get(model, version)  # raises Unknown
    done = Done()
    if decision.decision == "rollback":
        version, note = _roll_back(decision, registry, ports.artifacts)
        done = Done(unchanged=note)
    elif version is not None:
        done = ACTIONS[decision.decision](decision, version, ports)
    route = registry.routes.get(model)
    return Decided(
        model=model, decision=decision.decision, version=version, route=route.weights,
        note=done.unchanged, told=done.told, waits=done.waits, frozen=done.frozen,
    )  # fmt: skip


def _roll_back(decision: Decision, registry: Registry, artifacts: Store) -> tuple[int | None, str]:
    """Return the version that is live then, and why nothing was moved; the reason is empty if traffic was moved."""
    model = decision.model
    if not registry.routes.get(model).weights:
        if not registry.runs.has_model(model):
            raise Unknown(f"there is no model {model}", model, "`modelcycle models` lists the models")
        raise Unknown(
            f"{model} has no live version: there is no traffic to take away", model,
            f"`modelcycle show {model}` says what its versions wait for",
        )  # fmt: skip
    move, moved = registry.routes.roll_back(
        model, decision.by, decision.why, decision.version, decision.asked_at,
        is_intact=lambda version: artifacts_exist(registry.versions.get(model, version), artifacts),
    )  # fmt: skip
    return champion(move.after), "" if moved else _why_unmoved(move, model)


def _why_unmoved(move: Move, model: str) -> str:
    if move.kind == "promoted":
        return ALL_TRAFFIC
    person = move.by.rpartition("/")[2] if move.by.startswith("arn:") else move.by
    return (
        f"{person} rolled {model} back at {move.at:%H:%M:%S} UTC: this is the same rollback, nothing more was moved;"
        f" `modelcycle rollback {model}:VERSION` goes further back"
    )


def _approve(decision: Decision, version: int, ports: Ports) -> Done:
    model = decision.model
    standing = ports.registry.standings.get(model, version)
    if standing.state == "live" and standing.by == decision.by:
        return Done(unchanged=ALREADY_APPROVED)  # and its rollout has moved traffic since
    if standing.state != "awaiting_approval" and not standing.approved:
        refusal = not_allowed(model, version, standing.state, "staged")
        what = f"version {version} is {state_in_words(standing.state)}: there is nothing to approve"
        raise NotAllowed(what, refusal.where, refusal.remedy)
    if standing.approved and _is_rolling_out(model, version, ports):  # as a shadow: its state is not `live` yet
        progress = _progress(version, ports.registry.routes.get(model))
        return Done(unchanged=f"it was approved before; {progress}")
    _check_intact(model, version, ports)
    record = ports.registry.versions.get(model, version)
    told = ""
    if standing.approved:  # its rollout died: the same decision starts another one
        check_permission(ports.policies.policy_of(model), "approve", decision, record, ports)
        check_bytes(record, ports)
    else:
        complete, told = give_approval(decision, record, standing, ports)
        if not complete:
            return Done(told=told, waits=True)
    frozen = _roll_out(decision, version, ports.registry.routes.get(model).moves, ports)
    return Done(told="; ".join(filter(None, (told, frozen))), frozen=bool(frozen))


def _reject(decision: Decision, version: int, ports: Ports) -> Done:
    route = ports.registry.routes.get(decision.model)
    if route.shadow == version:
        raise NotAllowed(
            f"version {version} answers as a shadow: there is nothing to reject", f"{decision.model}:{version}",
            f"`modelcycle rollback {decision.model}:{route.champion}` ends the shadow; nobody sees its answers",
        )  # fmt: skip
    ports.registry.standings.check(decision.model, version, "rejected")
    record = ports.registry.versions.get(decision.model, version)
    check_permission(ports.policies.policy_of(decision.model), "reject", decision, record, ports)
    ports.registry.standings.move(decision.model, version, "rejected", decision.by, decision.why, decision="reject")
    return Done()


def _promote(decision: Decision, version: int, ports: Ports) -> Done:
    ports.registry.standings.check(decision.model, version, "live")
    route = ports.registry.routes.get(decision.model)
    if route.weights == {version: 100}:
        return Done(unchanged=ALL_TRAFFIC)
    step = 0
    if _is_rolling_out(decision.model, version, ports):
        held = _held(decision.model, route, ports)
        if held is None:
            return Done(unchanged=_progress(version, route))
        step = held.step
    _check_promotion(decision, version, ports)
    # Written before the rollout starts. If the function is killed in between, the same decision again finds its entry
    # and starts the rollout.
    entry = Entry(subject=f"version {version}", decision="promote", by=decision.by, why=decision.why)
    ports.registry.audit.add(decision.model, keys.decision_to_promote(version, route.moves), entry)
    _roll_out(decision, version, route.moves, ports, step)
    return Done()


def _check_promotion(decision: Decision, version: int, ports: Ports) -> None:
    """Raise NotAllowed if artifacts are gone, or the policy does not let this person give the version traffic now."""
    model, policy = decision.model, ports.policies.policy_of(decision.model)
    record = ports.registry.versions.get(model, version)
    _check_intact(model, version, ports)
    check_permission(policy, "promote", decision, record, ports)
    check_traffic(policy, record, ports.artifacts, ports.registry.approvals.get(model, version))
    held = frozen(policy, decision.by)
    if held is not None:
        what = f"{held[0]}; {who_overrides(policy)}"
        is_live = bool(ports.registry.routes.get(model).weights)
        rollback = f"; `modelcycle rollback {model}` always works" if is_live else ""
        raise NotAllowed(what, f"{model}:{version}", f"promote it after that{rollback}")


def _held(model: str, route: Route, ports: Ports) -> Judged | None:
    """Return the judgement of a rollout that has too few answers and waits for a person; None if it waits for none."""
    last = ports.registry.routes.move(model, route.moves)
    if last is None:
        return None
    step = 0 if last.kind == "shadowed" or last.step is None else last.step + 1
    judgement = ports.registry.judgements.get(model, last.rollout, step, last.number)
    return judgement.judged if judgement is not None and judgement.judged.overdue else None


ACTIONS = {"approve": _approve, "reject": _reject, "promote": _promote}


def artifacts_exist(version: Version, artifacts: Store) -> bool:
    """Return whether the artifacts exist without which a version cannot serve.

    True if S3 does not answer: a rollback must not depend on it.
    """
    try:
        return not artifacts.missing(version.essentials)
    except Transient:
        return True


def _check_intact(model: str, version: int, ports: Ports) -> None:
    """Raise NotAllowed if artifacts of the version are gone: it would get traffic that it cannot serve."""
    if not artifacts_exist(ports.registry.versions.get(model, version), ports.artifacts):
        raise NotAllowed(
            f"the artifacts of version {version} are gone: it cannot serve", f"{model}:{version}",
            "run again: the model is then made again under a new version number",
        )  # fmt: skip


def _is_rolling_out(model: str, version: int, ports: Ports) -> bool:
    """Return whether a running rollout of the version made the route's last move."""
    last = next(iter(ports.registry.routes.moves(model, 1)), None)
    if last is None or not last.rollout or not last.was_made_by(last.rollout, version):
        return False
    return ports.flows.is_running(_execution(ports.rollout, last.rollout))


def _progress(version: int, route: Route) -> str:
    """Return how far the running rollout of a version has come."""
    if route.shadow == version:
        return "its rollout is running: it answers as a shadow, and has no traffic yet"
    return f"its rollout is running, and has given it {route.weights.get(version, 0)} % of the traffic so far"


def _execution(rollout: str, name: str) -> str:
    """Return the ARN of an execution of the state machine."""
    return f"{rollout.replace(':stateMachine:', ':execution:')}:{name}"


def _roll_out(decision: Decision, version: int, moves: int, ports: Ports, step: int = 0) -> str:
    """Start the rollout, unless one of this version is running that started after the route's last move.

    Returns why it gives no traffic yet, as a clause; empty if it does.

    A failed execution keeps its name, so the next decision takes the next name.

    Parameters
    ----------
    moves : number of the route's last move; the rollout ends if others move the traffic after it
    step : with which it begins
    """
    message = DeployRequest(
        model=decision.model, version=version, step=step, actor=decision.by, why=decision.why, moves=moves
    ).wire()
    policy = ports.policies.policy_of(decision.model)
    held = frozen(policy, decision.by)
    for attempt in range(1, MAX_ROLLOUTS + 1):
        name = f"{decision.model}-v{version}-{moves}" + (f"-{attempt}" if attempt > 1 else "")
        if not ports.flows.start(ports.rollout, name, message):
            if not ports.flows.is_running(_execution(ports.rollout, name)):
                continue
            # one that a freeze held looks again within the hour; this person need not wait for that
            was_frozen = keys.decision_by_policy(version, name, step, "frozen")
            if held is None and ports.registry.audit.has(decision.model, was_frozen):
                continue
        return f"its rollout waits: {held[0]}; {who_overrides(policy)}" if held else ""
    raise NotAllowed(
        f"{MAX_ROLLOUTS} rollouts of version {version} have failed since the traffic last moved",
        f"{decision.model}:{version}", "fix what the log of `deploy` reports, then run again",
    )  # fmt: skip
