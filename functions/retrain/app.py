"""Step 11, retraining: the governor decides whether a request for a run starts the lifecycle again."""

from modelcycle.aws import adapters
from modelcycle.messages import Retrained, RetrainRequest
from modelcycle.observability import observed
from modelcycle.retrain import retrain


@observed("retrain", RetrainRequest.from_event, log=["kind", "done", "why"])
def handler(request: RetrainRequest) -> Retrained:
    aws = adapters()
    lifecycle = aws.environment.lifecycle
    return retrain(request, lifecycle=lifecycle, data=aws.data, registry=aws.registry, flows=aws.flows)
