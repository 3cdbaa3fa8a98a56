from __future__ import annotations

from modelcycle.faults import NotAllowed
from modelcycle.flows import Flows
from modelcycle.messages import Decided, Decision, DeployRequest
from modelcycle.registry import Entry, Registry, event
from modelcycle.registry.events import now

MOST_ATTEMPTS = 20  # of one rollout, while the route stays as it is


def decide(decision: Decision, *, registry: Registry, flows: Flows, rollout: str) -> Decided:
    """Carry out a person's word: approve or reject a version that waits, roll the route back, promote a version.

    Each is on record (who, when, why) and may be repeated: the second time nothing changes.

    Raises
    ------
    NotAllowed : the version does not stand where the decision needs it
    Unknown : no such version
    """
    version = decision.version
    if version is None and decision.decision != "rollback":
        raise NotAllowed("a version is needed", f"{decision.decision} {decision.model}", "write MODEL:VERSION")
    if version is not None:
        registry.versions.get(decision.model, version)
    if decision.decision == "rollback":
        route = registry.routes.roll_back(decision.model, decision.by, decision.why, version)
        version = route.champion
    elif version is not None:
        CARRIED_OUT[decision.decision](decision, version, registry, flows, rollout)
    route = registry.routes.get(decision.model)
    registry.audit.add(
        decision.model,
        f"{now().isoformat()}#{decision.decision}",
        Entry(at=now(), subject=f"version {version}", decision=decision.decision, by=decision.by, why=decision.why),
    )
    return Decided(model=decision.model, decision=decision.decision, version=version, route=route.weights)


def _approve(decision: Decision, version: int, registry: Registry, flows: Flows, rollout: str) -> None:
    state = registry.versions.standing(decision.model, version).state
    if state == "awaiting_approval":
        registry.table.write(
            registry.versions.moved(decision.model, version, "staged", decision.by, decision.why),
            event("VersionApproved", decision.model, version=version, by=decision.by, why=decision.why),
        )
    elif state not in ("staged", "live", "retired"):  # a run may end with a version that was made, and retired, before
        raise NotAllowed(
            f"version {version} is {state.replace('_', ' ')}: there is nothing to approve",
            f"{decision.model}:{version}",
            f"`modelcycle show {decision.model}` says where each version stands",
        )
    _promote(decision, version, registry, flows, rollout)


def _reject(decision: Decision, version: int, registry: Registry, flows: Flows, rollout: str) -> None:
    registry.versions.move(decision.model, version, "rejected", decision.by, decision.why)


def _promote(decision: Decision, version: int, registry: Registry, flows: Flows, rollout: str) -> None:
    """Start the rollout, unless one of this version is under way since the route last moved.

    A name is used up by an execution that failed, too: the next word takes the next name.
    """
    moves = registry.routes.get(decision.model).moves
    message = DeployRequest(model=decision.model, version=version, actor=decision.by)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        name = f"{decision.model}-v{version}-{moves}" + (f"-{attempt}" if attempt > 1 else "")
        execution = f"{rollout.replace(':stateMachine:', ':execution:')}:{name}"
        if flows.start(rollout, name, message.wire()) or flows.is_running(execution):
            return
    raise NotAllowed(
        f"{MOST_ATTEMPTS} rollouts of version {version} have failed since the traffic last moved",
        f"{decision.model}:{version}", "mend what the log of `deploy` says, then run again",
    )  # fmt: skip


CARRIED_OUT = {"approve": _approve, "reject": _reject, "promote": _promote}
