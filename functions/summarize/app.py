"""Step 10, monitoring: counts the live traffic of each version beside its reference."""

from modelcycle.aws import adapters
from modelcycle.messages import Summarized, SummarizeRequest
from modelcycle.observability import observed
from modelcycle.summarize import summarize


@observed("summarize", SummarizeRequest.from_event, log=["at", "notes"])
def handler(request: SummarizeRequest) -> Summarized:
    aws = adapters()
    return summarize(request, data=aws.data, artifacts=aws.artifacts, registry=aws.registry, keys=aws.keys)
