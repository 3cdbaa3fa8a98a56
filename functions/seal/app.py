"""Step 12, governance: seals the ends of all audit trails, each day."""

from modelcycle.aws import adapters
from modelcycle.messages import Sealed, SealRequest
from modelcycle.observability import Metric, observed
from modelcycle.seal import seal


@observed(
    "seal",
    SealRequest.from_event,
    log=["days", "models", "signed", "behind"],
    metrics=[Metric("ModelsSealed", "models")],
)
def handler(request: SealRequest) -> Sealed:
    aws = adapters()
    return seal(request, data=aws.data, seals=aws.seals, registry=aws.registry, keys=aws.keys)
