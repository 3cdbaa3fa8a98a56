from __future__ import annotations

from modelcycle.faults import NotAllowed
from modelcycle.flows import Flows
from modelcycle.messages import Decided, Decision, DeployRequest
from modelcycle.registry import Entry, Registry, event
from modelcycle.registry.events import now


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
    elif state not in ("staged", "live"):
        raise NotAllowed(
            f"version {version} is {state.replace('_', ' ')}: there is nothing to approve",
            f"{decision.model}:{version}",
            f"`modelcycle show {decision.model}` says where each version stands",
        )
    message = DeployRequest(model=decision.model, version=version, actor=decision.by)
    flows.start(rollout, f"{decision.model}-v{version}", message.wire())


def _reject(decision: Decision, version: int, registry: Registry, flows: Flows, rollout: str) -> None:
    registry.versions.move(decision.model, version, "rejected", decision.by, decision.why)


def _promote(decision: Decision, version: int, registry: Registry, flows: Flows, rollout: str) -> None:
    moves = registry.routes.get(decision.model).moves
    message = DeployRequest(model=decision.model, version=version, actor=decision.by)
    flows.start(rollout, f"{decision.model}-v{version}-{moves}", message.wire())


CARRIED_OUT = {"approve": _approve, "reject": _reject, "promote": _promote}
