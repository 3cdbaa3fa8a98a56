"""Step 5, validation: finds the test rows on which the candidate can be compared with the champion."""

from modelcycle.aws import adapters
from modelcycle.find_unseen import find_unseen
from modelcycle.messages import FindUnseenRequest, FoundUnseen
from modelcycle.observability import observed


@observed("find_unseen", FindUnseenRequest.from_event, log=["champion", "rows", "seen", "uncompared", "cached"])
def handler(request: FindUnseenRequest) -> FoundUnseen:
    aws = adapters()
    return find_unseen(request, artifacts=aws.artifacts, registry=aws.registry, code=aws.code, workplace=aws.workplace)
