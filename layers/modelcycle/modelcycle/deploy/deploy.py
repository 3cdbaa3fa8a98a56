from __future__ import annotations

from datetime import UTC, datetime

from modelcycle.deploy.phase import first_look, is_judged
from modelcycle.deploy.policy_stop import stopped_by_policy
from modelcycle.messages import Deployed, DeployRequest
from modelcycle.policy import Shelf
from modelcycle.registry import Registry, Route
from modelcycle.spec import Rollout, parse
from modelcycle.store import Store


def deploy(
    request: DeployRequest, *, registry: Registry, artifacts: Store, policies: Shelf, now: datetime | None = None
) -> Deployed:
    """Make one step of a rollout: give the version its next share of the traffic, or let it answer as a shadow first.

    Before each step, the version is held against the policy of now. In a freeze the step waits and is tried again; a
    version that no longer meets the policy gets no more traffic, and loses what this rollout has given it.

    Decisions of people have priority over a rollout. A step is made only if the route's last move is the rollout's own,
    or for the first step, the one that its starter knew. After any other move (a rollback, another promotion) the
    rollout ends for good, even if the shares happen to be the same again.

    Parameters
    ----------
    artifacts : the bucket with the version's pipeline file and figures
    policies : that are deployed
    now : by default the present

    Returns
    -------
    the result; `overruled` if others have moved the traffic, `judged` if the judge decides about the next step

    Raises
    ------
    Unknown : no such version
    NotAllowed : the version was not staged, or waits for approval; or it does not meet the policy and has no traffic
    """
    model, version = request.model, request.version
    record = registry.versions.get(model, version)
    stopped = stopped_by_policy(request, record, registry, artifacts, policies, now or datetime.now(UTC))
    if stopped is not None:
        return stopped
    rollout = parse(artifacts.read(record.pipeline)).rollout
    route = _shadow(request, rollout, registry) if _starts_as_shadow(request, rollout, registry) else None
    is_shadow = route is not None and route.shadow == version
    if not is_shadow:
        route = _promote(request, rollout, registry)
    weight = (route or registry.routes.get(model)).weights.get(version, 0)
    move = registry.routes.move(model, route.moves) if route else None
    judged = move is not None and is_judged(rollout, move, version)
    return Deployed(
        model=model,
        version=version,
        step=0 if is_shadow else min(request.step, len(rollout.steps) - 1) + 1,
        actor=request.actor,
        why=request.why,
        moves=route.moves if route else request.moves,
        weight=weight,
        overruled=route is None,
        done=route is None or weight == 100,
        wait_seconds=rollout.wait_minutes * 60,
        judged=judged,
        look_seconds=first_look(rollout, weight == 100) if judged else 0,
        run_id=record.run_id,
    )


def _starts_as_shadow(request: DeployRequest, rollout: Rollout, registry: Registry) -> bool:
    """Return whether this is the delivery, first or later, of the step that makes the version the shadow.

    The step that follows has the same number: it begins with the shadow's move.
    """
    if not rollout.shadow or request.step > 0:
        return False
    if request.moves is None:  # only in the first message of an execution
        route = registry.routes.get(request.model)
        last = registry.routes.move(request.model, route.moves)
        return last is None or last.shadow != request.version or last.rollout == request.rollout
    last = registry.routes.move(request.model, request.moves)
    return last is None or last.shadow != request.version


def _shadow(request: DeployRequest, rollout: Rollout, registry: Registry) -> Route | None:
    """Return the route after the step; None if others have moved the traffic, or no other version is live."""
    why = f"rollout, as a shadow for {rollout.wait_minutes} min" + (f": {request.why}" if request.why else "")
    return registry.routes.shadow(
        request.model, request.version, request.actor, why,
        rollout=request.rollout, step=request.step, expected_moves=request.moves,
    )  # fmt: skip


def _promote(request: DeployRequest, rollout: Rollout, registry: Registry) -> Route | None:
    """Return the route after the step; None if others have moved the traffic."""
    step = min(request.step, len(rollout.steps) - 1)
    expected_moves = request.moves
    if expected_moves is None and step > 0:
        # an execution that started before messages had `moves` knows its own last move by the share that it gave
        route = registry.routes.get(request.model)
        if route.weights.get(request.version, 0) not in (rollout.steps[step - 1], rollout.steps[step]):
            return None
        expected_moves = route.moves
    why = f"rollout, step {step + 1} of {len(rollout.steps)}" + (f": {request.why}" if request.why else "")
    return registry.routes.promote(
        request.model, request.version, rollout.steps[step], request.actor, why,
        rollout=request.rollout, step=step, expected_moves=expected_moves,
    )  # fmt: skip
