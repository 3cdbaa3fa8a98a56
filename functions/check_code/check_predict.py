"""Step 8, deployment: asks new code of Predict for live models' test rows before it gets traffic."""

from modelcycle.aws import adapters
from modelcycle.check_code import Places, check_predict
from modelcycle.messages import CheckCodeRequest, CodeChecked
from modelcycle.observability import observed


@observed("check_predict", CheckCodeRequest.from_event, log=["verdict", "reasons", "notes", "models", "rows"])
def handler(request: CheckCodeRequest) -> CodeChecked:
    aws = adapters()
    return check_predict(request, Places(aws.artifacts, aws.registry, aws.new_code, aws.live_code, aws.deployments))
