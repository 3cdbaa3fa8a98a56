"""Step 5, validation: measures a candidate on the test rows and checks the gates."""

from modelcycle.aws import adapters
from modelcycle.messages import Validated, ValidateRequest
from modelcycle.observability import observed
from modelcycle.validate import validate


@observed("validate", ValidateRequest.from_event, log=["verdict", "metrics", "cached"])
def handler(request: ValidateRequest) -> Validated:
    aws = adapters()
    return validate(request, artifacts=aws.artifacts, registry=aws.registry, code=aws.code)
