"""Erasure: decides what comes next, and divides it."""

from modelcycle.aws import adapters
from modelcycle.erase import plan_erasure
from modelcycle.messages import PlanErasureRequest, PlannedErasure
from modelcycle.observability import observed


@observed("plan_erasure", PlanErasureRequest.from_event, log=["phase", "round", "objects", "rows", "why"])
def handler(request: PlanErasureRequest) -> PlannedErasure:
    aws = adapters()
    return plan_erasure(
        request, data=aws.erasing_data, artifacts=aws.erasing_artifacts, registry=aws.registry, flows=aws.flows
    )
