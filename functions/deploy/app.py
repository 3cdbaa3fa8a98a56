from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.deploy import deploy
from modelcycle.messages import DeployRequest

logger = Logger(service="deploy")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    request = DeployRequest.read(event)
    logger.append_keys(step="deploy", model=request.model)
    logger.set_correlation_id(f"{request.model}-v{request.version}")
    result = deploy(request, registry=cloud().registry, artifacts=cloud().artifacts)
    told = {"version": result.version, "weight": result.weight, "done": result.done, "overruled": result.overruled}
    logger.info("deploy", extra=told)
    return result.wire()
