import json
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.deploy import withdraw
from modelcycle.messages import RolloutEnded

logger = Logger(service="withdraw")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Gets EventBridge's word that a rollout failed, timed out or was aborted; its input says which version's."""
    told = json.loads(event.get("detail", {}).get("input") or "{}")
    request = RolloutEnded.from_event({name: told[name] for name in ("model", "version") if name in told})
    logger.append_keys(step="withdraw", model=request.model)
    logger.set_correlation_id(f"{request.model}-v{request.version}")
    put_back = withdraw(request, registry=adapters().registry)
    logger.info("withdraw", extra={"version": request.version, "put_back": put_back})
    return {"put_back": put_back}
