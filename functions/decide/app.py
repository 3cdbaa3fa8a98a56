from datetime import UTC, datetime

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.faults import BadRequest, Fault
from modelcycle.govern import decide, read_decision
from modelcycle.problems import problem

logger = Logger(service="decide")
app = APIGatewayRestResolver()


@app.post("/models/<name>/decisions")
def decided(name: str) -> dict:
    context = app.current_event.request_context
    who = context.identity.user_arn or "unknown"
    received = datetime.fromtimestamp(context.request_time_epoch / 1000, UTC)
    decision = read_decision(sent(), name, who, received)
    logger.append_keys(step="decide", model=name)
    here = cloud(connect_timeout=1, read_timeout=3)  # API Gateway waits 29 s
    result = decide(decision, registry=here.registry, flows=here.flows, rollout=here.environment.rollout)
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
def handler(event: dict, context: LambdaContext) -> dict:
    return app.resolve(event, context)
