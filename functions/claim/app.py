"""The first state of a run: claims the upload and the model's lease for one execution."""

from modelcycle.aws import adapters
from modelcycle.claim import ClaimRequest, claim
from modelcycle.messages import Claimed
from modelcycle.observability import observed


@observed("claim", ClaimRequest.from_event, log=["outcome", "detail", "run"])
def handler(request: ClaimRequest) -> Claimed:
    aws = adapters()
    return claim(
        request, data=aws.data, artifacts=aws.artifacts, registry=aws.registry, flows=aws.flows,
        is_enforced=aws.enforces_policies,
    )  # fmt: skip
