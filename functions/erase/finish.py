"""Erasure: leaves the receipt and the tombstones, and deletes what names the person."""

from modelcycle.aws import adapters
from modelcycle.erase import finish_erasure
from modelcycle.messages import FinishedErasure, FinishErasureRequest
from modelcycle.observability import observed


@observed("finish_erasure", FinishErasureRequest.from_event, log=["state", "rows", "objects", "folded", "reason"])
def handler(request: FinishErasureRequest) -> FinishedErasure:
    aws = adapters()
    return finish_erasure(request, data=aws.erasing_data, artifacts=aws.erasing_artifacts, registry=aws.registry)
