from __future__ import annotations

from modelcycle.faults import NotAllowed
from modelcycle.messages import Deployed, DeployRequest, RolloutEnded
from modelcycle.registry import Registry
from modelcycle.spec import parse
from modelcycle.store import Store

MAY_GO_LIVE = {"staged", "live", "retired", "rolled_back"}


def deploy(request: DeployRequest, *, registry: Registry, artifacts: Store) -> Deployed:
    """One step of a rollout: give the version its next share of the traffic.

    A person's word stands above the rollout: where the share is no longer what the step before gave (a rollback,
    another promotion), the rollout ends without touching the route.

    Raises
    ------
    NotAllowed : the version has not been through staging, or waits for approval
    """
    version = registry.versions.get(request.model, request.version)
    state = registry.versions.standing(request.model, request.version).state
    if state not in MAY_GO_LIVE:
        raise NotAllowed(
            f"version {request.version} is {state.replace('_', ' ')} and may not go live",
            f"{request.model}:{request.version}",
            f"`modelcycle show {request.model}` says where each version stands",
        )
    rollout = parse(artifacts.read(version.pipeline)).rollout
    route = registry.routes.get(request.model)
    has = route.weights.get(request.version, 0)
    step = min(request.step, len(rollout.steps) - 1)
    overruled = step > 0 and has not in (rollout.steps[step - 1], rollout.steps[step])
    if not overruled:
        route = registry.routes.promote(
            request.model,
            request.version,
            rollout.steps[step],
            request.actor,
            f"rollout, step {step + 1} of {len(rollout.steps)}",
        )
        has = route.weights.get(request.version, 0)
    return Deployed(
        model=request.model,
        version=request.version,
        step=step + 1,
        actor=request.actor,
        weight=has,
        done=overruled or has == 100,
        wait_seconds=rollout.wait_minutes * 60,
    )


def withdraw(request: RolloutEnded, *, registry: Registry) -> bool:
    """Put the route back after a rollout that died half-way; a version that has all the traffic stays."""
    route = registry.routes.get(request.model)
    share = route.weights.get(request.version, 0)
    others = [version for version in route.weights if version != request.version]
    if share in (0, 100) or not others:
        return False
    registry.routes.roll_back(request.model, "rollout", "the rollout did not come to its end", version=others[0])
    return True
