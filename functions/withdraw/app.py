import json

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.deploy import withdraw
from modelcycle.messages import RolloutEnded

logger = Logger(service="withdraw")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    """Gets EventBridge's event that a rollout failed, timed out or was aborted; its input names the version."""
    detail = event.get("detail", {})
    given = json.loads(detail.get("input") or "{}")
    named = {name: given[name] for name in ("model", "version") if name in given}
    request = RolloutEnded.read(named | {"rollout": str(detail.get("executionArn", "")).rpartition(":")[2]})
    logger.append_keys(step="withdraw", model=request.model)
    logger.set_correlation_id(f"{request.model}-v{request.version}")
    put_back = withdraw(request, registry=cloud().registry)
    logger.info("withdraw", extra={"version": request.version, "rollout": request.rollout, "put_back": put_back})
    return {"put_back": put_back}
