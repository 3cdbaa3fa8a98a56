from __future__ import annotations

from modelcycle.messages import Deployed, DeployRequest
from modelcycle.registry import Registry
from modelcycle.spec import parse
from modelcycle.store import Store


def deploy(request: DeployRequest, *, registry: Registry, artifacts: Store) -> Deployed:
    """One step of a rollout: give the version its next share of the traffic.

    A person's decision stands above the rollout. A step is taken only where the route's last move is the one that the
    rollout knows, its own; after any other move (a rollback, another promotion) the rollout ends for good, also where
    the shares happen to be the same again.

    Raises
    ------
    NotAllowed : the version has not been through staging, or waits for approval
    """
    model, number = request.model, request.version
    rollout = parse(artifacts.read(registry.versions.get(model, number).pipeline)).rollout
    step = min(request.step, len(rollout.steps) - 1)
    why = f"rollout, step {step + 1} of {len(rollout.steps)}" + (f": {request.why}" if request.why else "")
    follows, overruled = request.moves, False
    if follows is None and step > 0:
        # an execution from before steps carried `moves`: its own last move is known by the share that it gave
        known = registry.routes.get(model)
        follows = known.moves
        overruled = known.weights.get(number, 0) not in (rollout.steps[step - 1], rollout.steps[step])
    route = None
    if not overruled:
        route = registry.routes.promote(
            model, number, rollout.steps[step], request.actor, why,
            rollout=request.rollout, step=step, follows=follows,
        )  # fmt: skip
    left = route or registry.routes.get(model)
    weight = left.weights.get(number, 0)
    return Deployed(
        model=model,
        version=number,
        step=step + 1,
        actor=request.actor,
        why=request.why,
        moves=route.moves if route else request.moves,
        weight=weight,
        overruled=route is None,
        done=route is None or weight == 100,
        wait_seconds=rollout.wait_minutes * 60,
    )
