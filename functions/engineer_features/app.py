from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.engineer_features import engineer_features
from modelcycle.messages import EngineerFeaturesRequest

logger = Logger(service="engineer_features")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    request = EngineerFeaturesRequest.read(event)
    logger.append_keys(step="engineer_features", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    code = here.environment.code_version
    result = engineer_features(request, artifacts=here.artifacts, runs=here.registry.runs, code=code)
    logger.info("engineer_features", extra={"used": result.used, "columns": result.columns})
    return result.wire()
