"""Serves predictions behind API Gateway: JSON rows, and the Open Inference Protocol."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.predict import Capture, Live
from modelcycle.predict.routes import metrics, router

logger = Logger(service="predict")
app = APIGatewayRestResolver()
app.include_router(router)


@functools.cache
def live() -> Live:
    aws = adapters(connect_timeout=1, read_timeout=2)  # the caller waits
    return Live(aws.registry, aws.quick_registry, aws.artifacts)


@functools.cache
def capture() -> Capture:
    aws = adapters(connect_timeout=1, read_timeout=2)
    return Capture(aws.firehose, aws.environment.capture_stream)


@logger.inject_lambda_context(clear_state=True, correlation_id_path="requestContext.requestId")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    app.append_context(live=live, capture=capture)
    answer = app.resolve(event, context)
    if metrics.metric_set:  # a path that only describes counts nothing
        metrics.flush_metrics()
    return answer
