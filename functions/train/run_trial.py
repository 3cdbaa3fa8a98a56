from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.messages import RunTrialRequest
from modelcycle.train import run_trial

logger = Logger(service="run_trial")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    request = RunTrialRequest.read(event)
    logger.append_keys(step="run_trial", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    result = run_trial(request, artifacts=here.artifacts, runs=here.registry.runs, code=here.environment.code_version)
    logger.info(
        "run_trial", extra={"trial": result.trial.number, "algorithm": result.trial.algorithm, "loss": result.loss}
    )
    return result.wire()
