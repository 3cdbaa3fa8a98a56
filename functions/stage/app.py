"""Step 7, testing in staging: rehearses a registered version through the serving code."""

from modelcycle.aws import adapters
from modelcycle.messages import Staged, StageRequest
from modelcycle.observability import observed
from modelcycle.stage import stage


@observed("stage", StageRequest.from_event, log=["verdict", "rows", "p50_ms", "p99_ms", "differences"])
def handler(request: StageRequest) -> Staged:
    aws = adapters()
    return stage(request, artifacts=aws.artifacts, registry=aws.registry)
