"""Step 8, deployment: judges a version that is being rolled out, by what it has answered."""

from modelcycle.aws import adapters
from modelcycle.deploy.judge import judge
from modelcycle.messages import Judged, JudgeRequest
from modelcycle.observability import Metric, observed


@observed(
    "judge",
    JudgeRequest.from_event,
    log=["version", "weight", "verdict", "reason", "wait_seconds", "run_id"],
    metrics=[Metric("RolloutsHeld", "overdue")],
)
def handler(request: JudgeRequest) -> Judged:
    aws = adapters()
    return judge(request, data=aws.data, artifacts=aws.artifacts, registry=aws.registry, policies=aws.policies)
