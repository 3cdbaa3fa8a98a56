from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.govern import govern
from modelcycle.messages import GovernRequest

logger = Logger(service="govern")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    request = GovernRequest.read(event)
    logger.append_keys(step="govern", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    result = govern(request, artifacts=here.artifacts, registry=here.registry, code=here.environment.code_version)
    held = sum(rule.holds for rule in result.rules)
    logger.info("govern", extra={"decision": result.decision, "rules": len(result.rules), "held": held})
    return result.wire()
