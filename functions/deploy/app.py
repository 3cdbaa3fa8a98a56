"""Step 8, deployment: gives a version its next share of the traffic."""

from modelcycle.aws import adapters
from modelcycle.deploy import deploy
from modelcycle.messages import Deployed, DeployRequest
from modelcycle.observability import observed


@observed("deploy", DeployRequest.from_event, log=["version", "weight", "done", "overruled", "held", "run_id"])
def handler(request: DeployRequest) -> Deployed:
    aws = adapters()
    return deploy(request, registry=aws.registry, artifacts=aws.artifacts, policies=aws.policies)
