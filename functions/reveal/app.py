"""Personal data, over HTTP: shows encrypted cells to a person who may see them and says why."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.problems import refuse_faults
from modelcycle.request_ids import client_request_id, with_request_id
from modelcycle.reveal import read_reveal, reveal

logger = Logger(service="reveal")
app = APIGatewayRestResolver()
refuse_faults(app, logger)


@app.post("/models/<name>/reveal")
def reveal_cells(name: str) -> dict[str, Any]:
    logger.append_keys(step="reveal", model=name)
    request = read_reveal(app.current_event, name)
    aws = adapters(connect_timeout=1, read_timeout=5)  # API Gateway waits 29 s
    answer = reveal(request, registry=aws.registry, service=aws.keys)
    logger.info("reveal", extra={"columns": [*request.cells], "by": request.by})
    return answer


@logger.inject_lambda_context(clear_state=True, correlation_id_path="requestContext.requestId")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(client_request_id=client_request_id(event))
    return with_request_id(app.resolve(event, context), event)
