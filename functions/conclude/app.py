from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.conclude import conclude, ended
from modelcycle.messages import ConcludeRequest

logger = Logger(service="conclude")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Gets the end of a run from its state machine, or from EventBridge where the execution ended without a word."""
    runs = adapters().registry.runs
    request = ended(event, runs=runs) if "detail-type" in event else ConcludeRequest.from_event(event)
    if request is None:
        return {"outcome": "no run of ours"}
    logger.append_keys(step="conclude", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    result = conclude(request, runs=runs)
    logger.info("conclude", extra={"outcome": result.outcome, "folded": result.folded})
    return result.wire()
