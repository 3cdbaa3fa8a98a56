from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.messages import PlanTrialsRequest
from modelcycle.train import plan_trials

logger = Logger(service="plan_trials")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    request = PlanTrialsRequest.read(event)
    logger.append_keys(step="plan_trials", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    result = plan_trials(request, artifacts=here.artifacts)
    logger.info("plan_trials", extra={"metric": result.metric, "trials": len(result.trials)})
    return result.wire()
