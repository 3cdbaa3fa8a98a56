"""Serves predictions behind API Gateway: JSON rows, and the Open Inference Protocol."""

from __future__ import annotations

import functools
import json
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from modelcycle.aws import cloud
from modelcycle.faults import BadRequest, Fault, Transient, Unknown
from modelcycle.model.answer import Answer, parse
from modelcycle.predict import Capture, Live, predict, serialized
from modelcycle.predict import open_inference as oip
from modelcycle.problems import problem

logger = Logger(service="predict")
metrics = Metrics(namespace="ModelCycle", service="predict")
app = APIGatewayRestResolver()


@functools.cache
def adapters() -> tuple[Live, Capture]:
    place = cloud(connect_timeout=1, read_timeout=2)  # the caller waits
    return Live(place.registry, place.artifacts), Capture(place.firehose, place.environment.capture_stream)


def request_key() -> str:
    """A client that repeats a request with its idempotency key gets the same prediction ids."""
    headers = {name.lower(): value for name, value in (app.current_event.headers or {}).items()}
    return headers.get("idempotency-key") or app.current_event.request_context.request_id or ""


def sent() -> str | None:
    try:
        return app.current_event.decoded_body
    except ValueError:  # base64, or UTF-8 inside it
        raise BadRequest("the body is not UTF-8 text", "", "send UTF-8 JSON") from None


def answered(answer: Answer, told: dict[str, Any]) -> Response[str]:
    body = serialized(told)  # before anything is kept: an answer that cannot be sent was not given
    lost = adapters()[1].keep(answer)
    metrics.add_metric("Predictions", MetricUnit.Count, len(answer.ids))
    metrics.add_metric("NotCaptured", MetricUnit.Count, lost)
    metrics.flush_metrics()
    logger.info("answered", extra={"model": answer.model, "version": answer.version, "rows": len(answer.ids)})
    if lost:
        logger.warning("not captured", extra={"model": answer.model, "rows": lost})
    return Response(200, "application/json", body)


@app.post("/models/<name>/predict")
def predict_rows(name: str) -> Response[str]:
    answer = predict(name, parse(sent()), live=adapters()[0], key=request_key())
    return answered(answer, answer.wire())


@app.post("/v2/models/<name>/infer")
def infer(name: str) -> Response[str]:
    body = parse(sent())
    request = oip.request_of(body)
    try:
        answer = predict(name, request, live=adapters()[0], key=request_key())
    except BadRequest as fault:
        raise oip.tensor_errors(fault, body) from None
    return answered(answer, oip.response(name, answer, body.get("id")))


@app.get("/v2/models/<name>")
def model_metadata(name: str) -> dict[str, Any]:
    return oip.metadata(name, adapters()[0].model(name))


@app.get("/v2/models/<name>/ready")
def model_ready(name: str) -> dict[str, Any]:
    adapters()[0].model(name)
    return {"name": name, "ready": True}


@app.get("/v2")
def server_metadata() -> dict[str, Any]:
    return oip.server()


@app.get("/v2/health/live")
def server_live() -> dict[str, Any]:
    return {"live": True}


@app.get("/v2/health/ready")
def server_ready() -> dict[str, Any]:
    return {"ready": True}


@app.exception_handler(Fault)
def fault(error: Fault) -> Response[str]:
    status, body = problem(error)
    (logger.error if status >= 500 else logger.info)("refused", extra={"fault": type(error).__name__, "status": status})
    if app.current_event.path.startswith("/v2"):
        body = json.dumps(json.loads(body) | {"error": error.what})  # the member that this protocol asks for
    return Response(status, "application/problem+json", body, {"Retry-After": "1"} if status == 503 else {})


@app.exception_handler(Exception)
def failed(error: Exception) -> Response[str]:
    # AWS says which permission is missing; the text of any other foreign error may hold values of a row
    told = str(error) if isinstance(error, ClientError) else ""
    logger.error("failed", extra={"error": f"{type(error).__module__}.{type(error).__name__}", "told": told})
    if isinstance(error, NoConnection | HTTPClientError):
        return fault(Transient("a service did not answer in time", "", "send the request again"))
    return fault(Fault("the model could not answer", "", "the log of the function has the request's id and says why"))


@app.not_found
def not_found(error: NotFoundError) -> Response[str]:
    return fault(Unknown("there is no such path", "", "POST /models/NAME/predict, or see GET /v2"))


@logger.inject_lambda_context(clear_state=True, correlation_id_path="requestContext.requestId")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
