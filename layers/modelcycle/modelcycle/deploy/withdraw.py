from __future__ import annotations

from modelcycle.messages import RolloutEnded, Withdrawn
from modelcycle.registry import Registry


def withdraw(request: RolloutEnded, *, registry: Registry) -> Withdrawn:
    """Undo a rollout that did not complete, unless others have moved the traffic since.

    A version that has all the traffic keeps it. A later run may roll the withdrawn version out again: that an execution
    ended says nothing about the model.
    """
    why = f"the rollout failed or was stopped; `modelcycle promote {request.model}:{request.version}` starts it again"
    put_back = registry.routes.withdraw(request.model, request.version, request.rollout, "rollout", why)
    return Withdrawn(model=request.model, version=request.version, rollout=request.rollout, put_back=put_back)
