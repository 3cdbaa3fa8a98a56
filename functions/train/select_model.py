from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.messages import SelectModelRequest
from modelcycle.train import select_model

logger = Logger(service="select_model")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    request = SelectModelRequest.read(event)
    logger.append_keys(step="select_model", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    result = select_model(
        request, artifacts=here.artifacts, runs=here.registry.runs, code=here.environment.code_version
    )
    logger.info(
        "select_model", extra={"trial": result.best.number, "algorithm": result.best.algorithm, "loss": result.loss}
    )
    return result.wire()
