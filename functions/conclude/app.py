"""The last state of a run, however it ends: records the outcome and releases the model's lease."""

from typing import Any

from modelcycle.aws import adapters
from modelcycle.conclude import conclude, read_request
from modelcycle.messages import Concluded, ConcludeRequest
from modelcycle.observability import observed


def request_of(event: dict[str, Any]) -> ConcludeRequest:
    return read_request(event, runs=adapters().registry.runs)


@observed("conclude", request_of, log=["outcome", "folded"])
def handler(request: ConcludeRequest) -> Concluded:
    return conclude(request, leases=adapters().registry.leases)
