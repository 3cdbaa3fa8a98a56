from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.messages import RegisterRequest
from modelcycle.register import register

logger = Logger(service="register")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    request = RegisterRequest.read(event)
    logger.append_keys(step="register", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    result = register(
        request, artifacts=here.artifacts, versions=here.registry.versions, code=here.environment.code_version
    )
    logger.info("register", extra={"version": result.version, "new": result.created, "replaces": result.replaces})
    return result.wire()
