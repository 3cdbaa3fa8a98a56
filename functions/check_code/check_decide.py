"""Step 8, deployment: asks new code of Decide before it gets traffic."""

from modelcycle.aws import adapters
from modelcycle.check_code import Places, check_decide
from modelcycle.messages import CheckCodeRequest, CodeChecked
from modelcycle.observability import observed


@observed("check_decide", CheckCodeRequest.from_event, log=["verdict", "reasons", "notes"])
def handler(request: CheckCodeRequest) -> CodeChecked:
    aws = adapters()
    return check_decide(request, Places(aws.artifacts, aws.registry, aws.new_code, aws.live_code, aws.deployments))
