from __future__ import annotations

from modelcycle.faults import NotAllowed, Unknown
from modelcycle.flows import Flows
from modelcycle.messages import Decided, Decision, DeployRequest
from modelcycle.registry import Entry, Move, Registry, champion, keys, not_allowed, state_in_words

MAX_ROLLOUTS = 20  # of one version between two moves of the route
ALL_TRAFFIC = "it already has all the traffic"
ALREADY_APPROVED = "you approved it before, and it is live"


def decide(decision: Decision, *, registry: Registry, flows: Flows, rollout: str) -> Decided:
    """Carry out a person's decision: approve or reject a waiting version, promote a version, or roll back.

    Who decided, when and why is recorded in the transaction of the change. Idempotent: the same decision about the same
    state of the version and the route changes nothing and has one audit entry.

    Parameters
    ----------
    rollout : ARN of the state machine that moves traffic step by step

    Raises
    ------
    NotAllowed : the state of the version does not allow the decision; says what a person can do instead
    Unknown : no such model or version, or a rollback without a live version
    """
    model, version = decision.model, decision.version
    if version is None and decision.decision != "rollback":
        raise NotAllowed(
            "a version is missing", f"{decision.decision} {model}", f"name it: {model}:VERSION; "
            f"`modelcycle show {model}` lists the versions",
        )  # fmt: skip
    if version is not None:
        registry.versions.get(model, version)  # raises Unknown
    note = ""
    if decision.decision == "rollback":
        version, note = _roll_back(decision, registry)
    elif version is not None:
        note = ACTIONS[decision.decision](decision, version, registry, flows, rollout)
    route = registry.routes.get(model)
    return Decided(model=model, decision=decision.decision, version=version, route=route.weights, note=note)


def _roll_back(decision: Decision, registry: Registry) -> tuple[int | None, str]:
    """Return the version that is live then, and why nothing was moved; the reason is empty if traffic was moved."""
    model = decision.model
    if not registry.routes.get(model).weights:
        what = f"{model} has no live version" if registry.runs.has_model(model) else f"there is no model {model}"
        raise Unknown(what, model, "`modelcycle models` lists the models")
    move, moved = registry.routes.roll_back(model, decision.by, decision.why, decision.version, decision.asked_at)
    return champion(move.after), "" if moved else _why_unmoved(move, model)


def _why_unmoved(move: Move, model: str) -> str:
    if move.kind == "promoted":
        return ALL_TRAFFIC
    person = move.by.rpartition("/")[2] if move.by.startswith("arn:") else move.by
    return (
        f"{person} rolled {model} back at {move.at:%H:%M:%S} UTC: this is the same rollback, nothing more was moved;"
        f" `modelcycle rollback {model}:VERSION` goes further back"
    )


def _approve(decision: Decision, version: int, registry: Registry, flows: Flows, rollout: str) -> str:
    model = decision.model
    standing = registry.standings.get(model, version)
    if standing.state == "live" and standing.by == decision.by:
        return ALREADY_APPROVED  # and its rollout has moved traffic since
    if standing.state != "awaiting_approval" and not standing.approved:
        refusal = not_allowed(model, version, standing.state, "staged")
        what = f"version {version} is {state_in_words(standing.state)}: there is nothing to approve"
        raise NotAllowed(what, refusal.where, refusal.remedy)
    registry.standings.move(model, version, "staged", decision.by, decision.why, decision="approve")
    _roll_out(decision, version, registry.routes.get(model).moves, flows, rollout)
    return ""


def _reject(decision: Decision, version: int, registry: Registry, flows: Flows, rollout: str) -> str:
    registry.standings.move(decision.model, version, "rejected", decision.by, decision.why, decision="reject")
    return ""


def _promote(decision: Decision, version: int, registry: Registry, flows: Flows, rollout: str) -> str:
    registry.standings.check(decision.model, version, "live")
    route = registry.routes.get(decision.model)
    if route.weights == {version: 100}:
        return ALL_TRAFFIC
    # Written before the rollout starts. If the function is killed in between, the same decision again finds its entry
    # and starts the rollout.
    entry = Entry(subject=f"version {version}", decision="promote", by=decision.by, why=decision.why)
    registry.audit.add(decision.model, keys.decision_to_promote(version, route.moves), entry)
    _roll_out(decision, version, route.moves, flows, rollout)
    return ""


# each returns why nothing was changed; "" if something was
ACTIONS = {"approve": _approve, "reject": _reject, "promote": _promote}


def _roll_out(decision: Decision, version: int, moves: int, flows: Flows, rollout: str) -> None:
    """Start the rollout, unless one of this version is running that started after the route's last move.

    A failed execution keeps its name, so the next decision takes the next name.

    Parameters
    ----------
    moves : number of the route's last move; the rollout ends if others move the traffic after it
    """
    message = DeployRequest(
        model=decision.model, version=version, actor=decision.by, why=decision.why, moves=moves
    ).wire()
    for attempt in range(1, MAX_ROLLOUTS + 1):
        name = f"{decision.model}-v{version}-{moves}" + (f"-{attempt}" if attempt > 1 else "")
        execution = f"{rollout.replace(':stateMachine:', ':execution:')}:{name}"
        if flows.start(rollout, name, message) or flows.is_running(execution):
            return
    raise NotAllowed(
        f"{MAX_ROLLOUTS} rollouts of version {version} have failed since the traffic last moved",
        f"{decision.model}:{version}", "fix what the log of `deploy` reports, then run again",
    )  # fmt: skip
