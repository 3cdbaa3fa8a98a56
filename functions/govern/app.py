"""Step 12, governance: checks a candidate against the policy and writes its card, lineage and audit entry."""

from modelcycle.aws import adapters
from modelcycle.govern import govern
from modelcycle.messages import Governed, GovernRequest
from modelcycle.observability import observed


@observed("govern", GovernRequest.from_event, log=["decision", "broken", "cached"])
def handler(request: GovernRequest) -> Governed:
    aws = adapters()
    return govern(request, artifacts=aws.artifacts, registry=aws.registry, code=aws.code, policies=aws.policies)
