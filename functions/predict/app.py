"""Step 9, serving: answers predictions behind API Gateway: JSON rows, and the Open Inference Protocol."""

import functools
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.predict import CaptureStream, LiveModels, open_inference_paths
from modelcycle.predict.http_api import metrics, router

TIMEOUTS = {"connect_timeout": 1, "read_timeout": 2}  # seconds: a client waits for the answer

logger = Logger(service="predict")
app = APIGatewayRestResolver()
app.include_router(router)
app.include_router(open_inference_paths.router)


@functools.cache
def live_models() -> LiveModels:
    aws = adapters(**TIMEOUTS)
    return LiveModels(aws.registry, aws.quick_registry, aws.artifacts)


@functools.cache
def captures() -> CaptureStream:
    aws = adapters(**TIMEOUTS)
    return CaptureStream(aws.firehose, aws.environment.capture_stream)


@logger.inject_lambda_context(clear_state=True, correlation_id_path="requestContext.requestId")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    app.context.update(live_models=live_models, captures=captures)
    response = app.resolve(event, context)
    if metrics.metric_set:  # paths that only describe a model report nothing
        metrics.flush_metrics()
    return response
