"""Decisions of people about versions, over HTTP: approve, reject, promote, roll back."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.govern import Ports, decide, read_decision
from modelcycle.problems import refuse_faults
from modelcycle.request_ids import client_request_id, with_request_id

logger = Logger(service="decide")
app = APIGatewayRestResolver()
refuse_faults(app, logger)


@app.post("/models/<name>/decisions")
def decide_version(name: str) -> dict[str, Any]:
    decision = read_decision(app.current_event, name)
    logger.append_keys(step="decide", model=name)
    aws = adapters(connect_timeout=1, read_timeout=3)  # API Gateway waits 29 s
    rollout, local = aws.environment.rollout, aws.is_local
    result = decide(decision, Ports(aws.registry, aws.flows, rollout, aws.artifacts, aws.policies, local))
    logger.info("decide", extra={"decision": result.decision, "version": result.version, "by": decision.by})
    return result.wire()


@logger.inject_lambda_context(clear_state=True, correlation_id_path="requestContext.requestId")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(client_request_id=client_request_id(event))
    return with_request_id(app.resolve(event, context), event)
