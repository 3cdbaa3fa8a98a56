from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.faults import BadMessage, Fault
from modelcycle.govern import decide
from modelcycle.messages import Decision
from modelcycle.problems import problem

logger = Logger(service="decide")
app = APIGatewayRestResolver()


@app.post("/models/<name>/decisions")
def decided(name: str) -> dict:
    who = app.current_event.request_context.identity.user_arn or "unknown"
    try:
        told = app.current_event.json_body
    except ValueError:
        raise BadMessage("the body is not JSON", "the request's body", "send a JSON object") from None
    decision = Decision.read({**(told if isinstance(told, dict) else {}), "model": name, "by": who})
    logger.append_keys(step="decide", model=name)
    here = cloud(connect_timeout=1, read_timeout=3)  # API Gateway waits 29 s
    result = decide(decision, registry=here.registry, flows=here.flows, rollout=here.environment.rollout)
    logger.info("decide", extra={"decision": result.decision, "version": result.version, "by": who})
    return result.wire()


@app.exception_handler(Fault)
def refused(fault: Fault) -> Response:
    status, body = problem(fault)
    return Response(status, "application/problem+json", body)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    return app.resolve(event, context)
