"""Step 10, monitoring: takes outcomes of predictions over HTTP."""

import functools
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.accept_feedback import accept_feedback
from modelcycle.aws import Adapters, adapters
from modelcycle.gateway.events import as_http_response, as_rest_event, is_http_api
from modelcycle.gateway.request_body import headers_of, request_json
from modelcycle.model.request import parse_request
from modelcycle.problems import refuse_faults
from modelcycle.request_ids import client_request_id, request_id, with_request_id

logger = Logger(service="accept_feedback")
app = APIGatewayRestResolver()
refuse_faults(app, logger)


@functools.cache
def aws() -> Adapters:
    return adapters(connect_timeout=1, read_timeout=5)  # API Gateway waits 29 s


@app.post("/models/<name>/feedback")
def keep_outcomes(name: str) -> dict[str, Any]:
    logger.append_keys(step="accept_feedback", model=name)
    event, now = app.current_event.raw_event, datetime.now(UTC)
    headers = headers_of(event)
    key, body = headers.get("idempotency-key", ""), parse_request(request_json(event, headers))
    ports = aws()
    kept = accept_feedback(
        name, body, key, now, data=ports.data, artifacts=ports.artifacts, registry=ports.registry, keys=ports.keys
    )
    logger.info("accept_feedback", extra={"outcomes": kept["outcomes"]})
    return kept


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    logger.append_keys(correlation_id=request_id(event) or None, client_request_id=client_request_id(event))
    request = as_rest_event(event) if is_http_api(event) else event
    response = with_request_id(app.resolve(request, context), event)
    return as_http_response(response) if is_http_api(event) else response
