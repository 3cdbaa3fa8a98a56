"""Names the trials of the search, from a seed."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.messages import PlanTrialsRequest
from modelcycle.train import plan_trials

logger = Logger(service="plan_trials")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = PlanTrialsRequest.read(event)
    logger.append_keys(step="plan_trials", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    result = plan_trials(request, artifacts=cloud().artifacts)
    logger.info("planned", extra={"trials": len(result.trials), "metric": result.metric})
    return result.wire()
