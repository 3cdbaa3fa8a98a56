"""Step 12, governance: refuses versions that have waited too long for an approval."""

from modelcycle.aws import adapters
from modelcycle.expire import expire
from modelcycle.messages import Expired, ExpireRequest
from modelcycle.observability import observed


@observed("expire", ExpireRequest.from_event, log=["models", "expired", "versions", "unread"])
def handler(request: ExpireRequest) -> Expired:
    aws = adapters()
    return expire(request, registry=aws.registry, policies=aws.policies)
