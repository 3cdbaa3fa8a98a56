from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.retrain import Asked, retrain

logger = Logger(service="retrain")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    asked = Asked.read(event)
    logger.append_keys(step="retrain", model=asked.model)
    logger.set_correlation_id(asked.id)
    here = cloud()
    done = retrain(
        asked, lifecycle=here.environment.lifecycle, data=here.data, runs=here.registry.runs, flows=here.flows
    )
    logger.info("retrain", extra={"kind": asked.kind, "done": done})
    return {"done": done}
