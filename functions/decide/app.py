from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.faults import BadRequest, Fault
from modelcycle.govern import decide, read_decision
from modelcycle.problems import problem

logger = Logger(service="decide")
app = APIGatewayRestResolver()


@app.post("/models/<name>/decisions")
def decided(name: str) -> dict:
    who = app.current_event.request_context.identity.user_arn or "unknown"
    decision = read_decision(sent(), name, who)
    logger.append_keys(step="decide", model=name)
    aws = adapters(connect_timeout=1, read_timeout=3)  # API Gateway waits 29 s
    result = decide(decision, registry=aws.registry, flows=aws.flows, rollout=aws.environment.rollout)
    logger.info("decide", extra={"decision": result.decision, "version": result.version, "by": who})
    return result.wire()


def sent() -> str | None:
    try:
        return app.current_event.decoded_body
    except ValueError:  # base64, or UTF-8 inside it
        raise BadRequest("the body is not UTF-8 text", "", "send UTF-8 JSON") from None


@app.exception_handler(Fault)
def refused(fault: Fault) -> Response:
    status, body = problem(fault)
    return Response(status, "application/problem+json", body)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
