from __future__ import annotations

from modelcycle.faults import NotAllowed, Unknown
from modelcycle.flows import Flows
from modelcycle.messages import Decided, Decision, DeployRequest
from modelcycle.registry import Entry, Move, Registry
from modelcycle.registry.events import now
from modelcycle.registry.versions import not_allowed

MAX_ROLLOUTS = 20  # of one version, while the route stays as it is


def decide(decision: Decision, *, registry: Registry, flows: Flows, rollout: str) -> Decided:
    """Carry out a person's decision: approve or reject a version that waits, roll the route back, promote a version.

    Each is on record (who, when, why) with the change itself. Idempotent: the same decision about the same state of
    the version and the route changes nothing and is one entry of the audit trail.

    Raises
    ------
    NotAllowed : the version does not stand where the decision needs it; says what would do
    Unknown : no such model or version, or nothing is live that could be rolled back
    """
    model, version = decision.model, decision.version
    if version is None and decision.decision != "rollback":
        raise NotAllowed("a version is needed", f"{decision.decision} {model}", "write MODEL:VERSION")
    if version is not None:
        registry.versions.get(model, version)
    note = ""
    if decision.decision == "rollback":
        version, note = _roll_back(decision, registry)
    elif version is not None:
        CARRIED_OUT[decision.decision](decision, version, registry, flows, rollout)
    route = registry.routes.get(model)
    return Decided(model=model, decision=decision.decision, version=version, route=route.weights, note=note)


def _roll_back(decision: Decision, registry: Registry) -> tuple[int | None, str]:
    """The version that is live then, and why nothing was moved where nothing was."""
    model = decision.model
    if not registry.routes.get(model).weights:
        what = f"{model} has no live version" if registry.runs.has_model(model) else f"there is no model {model}"
        raise Unknown(what, model, "`modelcycle models` lists the models")
    move, moved = registry.routes.roll_back(model, decision.by, decision.why, decision.version, decision.asked_at)
    return max(move.after, key=lambda version: move.after[version]), "" if moved else _same(move, model)


def _same(move: Move, model: str) -> str:
    if move.kind == "promoted":
        return "it has all the traffic already"
    who = move.by.rpartition("/")[2] if move.by.startswith("arn:") else move.by
    return (
        f"{who} rolled {model} back at {move.at:%H:%M:%S} UTC: this is the same rollback, nothing more was moved;"
        f" `modelcycle rollback {model}:VERSION` goes further back"
    )


def _approve(decision: Decision, version: int, registry: Registry, flows: Flows, rollout: str) -> None:
    model, versions = decision.model, registry.versions
    standing = versions.standing(model, version)
    if standing.state == "live" and standing.by == decision.by:
        return  # the rollout that this person's approval started has moved traffic since
    if standing.state != "awaiting_approval" and not standing.approved:
        refusal = not_allowed(model, version, standing, "staged")
        what = f"version {version} is {standing.state.replace('_', ' ')}: there is nothing to approve"
        raise NotAllowed(what, refusal.where, refusal.remedy)
    versions.move(model, version, "staged", decision.by, decision.why, decision="approve")
    _roll_out(decision, version, registry.routes.get(model).moves, flows, rollout)


def _reject(decision: Decision, version: int, registry: Registry, flows: Flows, rollout: str) -> None:
    registry.versions.move(decision.model, version, "rejected", decision.by, decision.why, decision="reject")


def _promote(decision: Decision, version: int, registry: Registry, flows: Flows, rollout: str) -> None:
    registry.versions.check(decision.model, version, "live")
    route = registry.routes.get(decision.model)
    if route.weights == {version: 100}:
        return
    # before the rollout starts: killed in between, the same decision is one entry and starts the rollout
    entry = Entry(at=now(), subject=f"version {version}", decision="promote", by=decision.by, why=decision.why)
    registry.audit.add(decision.model, f"PROMOTE#{version:08d}#{route.moves}", entry)
    _roll_out(decision, version, route.moves, flows, rollout)


def _roll_out(decision: Decision, version: int, moves: int, flows: Flows, rollout: str) -> None:
    """Start the rollout, unless one of this version is under way since the route last moved.

    A name is used up by an execution that failed, too: the next decision takes the next name.

    Parameters
    ----------
    moves : number of the route's last move; the rollout ends where others have moved the traffic since
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
        f"{decision.model}:{version}", "fix what the log of `deploy` says, then run again",
    )  # fmt: skip


CARRIED_OUT = {"approve": _approve, "reject": _reject, "promote": _promote}
