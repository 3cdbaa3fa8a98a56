"""Step 6, versioning: gives a candidate its version number."""

from modelcycle.aws import adapters
from modelcycle.messages import Registered, RegisterRequest
from modelcycle.observability import observed
from modelcycle.register import register


@observed("register", RegisterRequest.from_event, log=["version", "replaces"])
def handler(request: RegisterRequest) -> Registered:
    aws = adapters()
    trained = aws.environment.training_code
    return register(
        request, artifacts=aws.artifacts, versions=aws.registry.versions, keys=aws.keys, code=aws.code,
        training_code=trained,
    )  # fmt: skip
