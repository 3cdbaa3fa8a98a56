from datetime import datetime

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.claim import claim, read

logger = Logger(service="claim")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    """Gets {event, execution, started_at}: what EventBridge delivered, and which execution it started."""
    arrival = read(event.get("event", {}))
    logger.append_keys(step="claim", model=arrival.model)
    result = claim(
        arrival,
        execution=event["execution"],
        started_at=datetime.fromisoformat(event["started_at"]),
        data=cloud().data,
        artifacts=cloud().artifacts,
        runs=cloud().registry.runs,
        flows=cloud().flows,
    )
    logger.set_correlation_id(result.run.run_id if result.run else result.detail)
    logger.info("claim", extra={"outcome": result.outcome, "trigger": arrival.trigger.kind})
    return result.wire()
