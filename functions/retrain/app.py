"""Step 11, retraining: a degraded model, or uploads that a run did not read, start the lifecycle again."""

from modelcycle.aws import adapters
from modelcycle.messages import Retrained, RetrainRequest
from modelcycle.observability import observed
from modelcycle.retrain import retrain


@observed("retrain", RetrainRequest.from_event, log=["kind", "done"])
def handler(request: RetrainRequest) -> Retrained:
    aws = adapters()
    lifecycle = aws.environment.lifecycle
    return retrain(request, lifecycle=lifecycle, data=aws.data, runs=aws.registry.runs, flows=aws.flows)
