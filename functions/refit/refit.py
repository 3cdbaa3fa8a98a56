"""Step 4, training: fits the judged model's recipe on all rows."""

from modelcycle.aws import adapters
from modelcycle.messages import RefitRequest, Refitted
from modelcycle.observability import observed
from modelcycle.refit import refit


@observed("refit", RefitRequest.from_event, log=["rows", "worse", "cached"])
def handler(request: RefitRequest) -> Refitted:
    aws = adapters()
    return refit(request, artifacts=aws.artifacts, results=aws.registry.results, code=aws.code, workplace=aws.workplace)
