from __future__ import annotations

from modelcycle.messages import RolloutEnded, Withdrawn
from modelcycle.registry import Registry


def withdraw(request: RolloutEnded, *, registry: Registry) -> Withdrawn:
    """Move the traffic back after a rollout that ended half-way, unless others have moved it since.

    A version that has all the traffic keeps it. A version that is withdrawn may be rolled out again by a later run: the
    end of an execution says nothing about the model.
    """
    put_back = registry.routes.withdraw(
        request.model, request.version, request.rollout, "rollout", "the rollout did not complete"
    )
    return Withdrawn(model=request.model, version=request.version, rollout=request.rollout, put_back=put_back)
