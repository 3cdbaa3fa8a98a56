"""Erasure: finds the rows of the subjects in some objects, or takes them out."""

from modelcycle.aws import adapters
from modelcycle.erase import erase_objects
from modelcycle.messages import ErasedObjects, EraseObjectsRequest
from modelcycle.observability import observed


@observed("erase_objects", EraseObjectsRequest.from_event, log=["batch", "objects", "changed"])
def handler(request: EraseObjectsRequest) -> ErasedObjects:
    aws = adapters()
    return erase_objects(
        request, data=aws.erasing_data, artifacts=aws.erasing_artifacts, registry=aws.registry, keys=aws.keys
    )
