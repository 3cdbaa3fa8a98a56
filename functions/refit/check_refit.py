"""Step 4, training: checks by the serving code the model that has learned from all rows."""

from modelcycle.aws import adapters
from modelcycle.messages import CheckedRefit, CheckRefitRequest
from modelcycle.observability import observed
from modelcycle.refit import check_refit


@observed("check_refit", CheckRefitRequest.from_event, log=["done", "reason", "max_difference", "cached"])
def handler(request: CheckRefitRequest) -> CheckedRefit:
    aws = adapters()
    return check_refit(
        request, artifacts=aws.artifacts, results=aws.registry.results, code=aws.code, workplace=aws.workplace
    )
