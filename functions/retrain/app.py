from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.retrain import Asked, retrain

logger = Logger(service="retrain")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    asked = Asked.read(event)
    logger.append_keys(step="retrain", model=asked.model)
    logger.set_correlation_id(asked.id)
    aws = adapters()
    done = retrain(asked, lifecycle=aws.environment.lifecycle, data=aws.data, runs=aws.registry.runs, flows=aws.flows)
    logger.info("retrain", extra={"kind": asked.kind, "done": done})
    return {"done": done}
