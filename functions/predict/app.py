"""Step 9, serving: answers predictions behind API Gateway: JSON rows, and the Open Inference Protocol."""

# ruff: noqa: E402
import gc

gc.disable()  # until the first answer: imports make many objects, and no garbage for a collector to find

import functools
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters, runtime_api
from modelcycle.gateway.events import as_http_response, as_rest_event, is_http_api
from modelcycle.predict import CaptureStream, LiveModels, PersonalValues, Recorder, open_inference_paths
from modelcycle.predict.http_api import answer_without_router, metrics, model_in, router
from modelcycle.predict.recorder import report_given_up
from modelcycle.request_ids import client_request_id, request_id, with_request_id

TIMEOUTS = {"connect_timeout": 1, "read_timeout": 2}  # seconds: a client waits for the answer

logger = Logger(service="predict")
app = APIGatewayRestResolver()
app.include_router(router)
app.include_router(open_inference_paths.router)


@functools.cache
def live_models() -> LiveModels:
    aws = adapters(**TIMEOUTS)
    return LiveModels(aws.registry, aws.quick_registry, aws.artifacts, aws.keys)


def capture_stream() -> tuple[Any, str]:
    aws = adapters(**TIMEOUTS)
    return aws.firehose, aws.environment.capture_stream


recorder = Recorder(CaptureStream(capture_stream, report_given_up), PersonalValues(lambda: adapters(**TIMEOUTS).keys))
recorder.after_answer.start(runtime_api())  # now: Lambda takes registrations only while the function is imported


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    try:
        logger.append_keys(
            correlation_id=request_id(event) or None, client_request_id=client_request_id(event), model=model_in(event)
        )
        request = as_rest_event(event) if is_http_api(event) else event
        response = answer_without_router(request, context.aws_request_id, live_models, recorder)
        if response is None:
            app.context.update(live_models=live_models, recorder=recorder)
            response = app.resolve(request, context)
        response = with_request_id(response, event)
        if metrics.metric_set:  # paths that only describe a model report nothing
            metrics.flush_metrics()
        return as_http_response(response) if is_http_api(event) else response
    finally:
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
