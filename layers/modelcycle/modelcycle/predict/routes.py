"""The paths that are served: JSON rows, and the Open Inference Protocol; and what a fault looks like over HTTP.

The function gives the router its two adapters by `append_context(live=..., capture=...)`, each a callable, so that a
path which needs neither makes neither.
"""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from aws_lambda_powertools.metrics import MetricUnit

from modelcycle.faults import BadRequest, Fault, Unknown
from modelcycle.model.answer import Answer, parse
from modelcycle.predict import open_inference as oip
from modelcycle.predict.capture import Capture
from modelcycle.predict.live import Live
from modelcycle.predict.predict import predict, serialized
from modelcycle.problems import problem

logger = Logger(service="predict", child=True)
metrics = Metrics(namespace="ModelCycle", service="predict")
router = APIGatewayRouter()  # type: ignore[no-untyped-call]


def live() -> Live:
    found: Live = router.context["live"]()
    return found


def capture() -> Capture:
    found: Capture = router.context["capture"]()
    return found


def request_key() -> str:
    """A client that repeats a request with its idempotency key gets the same prediction ids."""
    headers = {name.lower(): value for name, value in (router.current_event.headers or {}).items()}
    return headers.get("idempotency-key") or router.current_event.request_context.request_id or ""


def sent() -> str | None:
    try:
        return router.current_event.decoded_body
    except ValueError:  # base64, or UTF-8 inside it
        raise BadRequest("the body is not UTF-8 text", "", "send UTF-8 JSON") from None


def answered(answer: Answer, told: dict[str, Any]) -> Response[str]:
    body = serialized(told)  # before anything is kept: an answer that cannot be sent was not given
    lost = capture().keep(answer)
    metrics.add_metric("Predictions", MetricUnit.Count, len(answer.ids))
    metrics.add_metric("NotCaptured", MetricUnit.Count, lost)
    logger.info("answered", extra={"model": answer.model, "version": answer.version, "rows": len(answer.ids)})
    if lost:
        logger.warning("not captured", extra={"model": answer.model, "rows": lost})
    return Response(200, "application/json", body)


@router.post("/models/<name>/predict")
def predict_rows(name: str) -> Response[str]:
    answer = predict(name, parse(sent()), live=live(), key=request_key())
    return answered(answer, answer.wire())


@router.post("/v2/models/<name>/infer")
def infer(name: str) -> Response[str]:
    body = parse(sent())
    request = oip.request_of(body)
    try:
        answer = predict(name, request, live=live(), key=request_key())
    except BadRequest as fault:
        raise oip.tensor_errors(fault, body) from None
    return answered(answer, oip.response(name, answer, body.get("id")))


@router.get("/v2/models/<name>")
def model_metadata(name: str) -> dict[str, Any]:
    return oip.metadata(name, live().model(name))


@router.get("/v2/models/<name>/ready")
def model_ready(name: str) -> dict[str, Any]:
    live().model(name)
    return {"name": name, "ready": True}


@router.get("/v2")
def server_metadata() -> dict[str, Any]:
    return oip.server()


@router.get("/v2/health/live")
def server_live() -> dict[str, Any]:
    return {"live": True}


@router.get("/v2/health/ready")
def server_ready() -> dict[str, Any]:
    return {"ready": True}


def refused(error: Fault) -> Response[str]:
    status, body = problem(error)
    (logger.error if status >= 500 else logger.info)("refused", extra={"fault": type(error).__name__, "status": status})
    if router.current_event.path.startswith("/v2"):
        body = json.dumps(json.loads(body) | {"error": error.what})  # the member that this protocol asks for
    return Response(status, "application/problem+json", body, {"Retry-After": "1"} if status == 503 else {})


def failed(error: Exception) -> Response[str]:
    # AWS says which permission is missing; the text of any other foreign error may hold values of a row
    told = str(error) if hasattr(error, "operation_name") else ""
    logger.error("failed", extra={"error": f"{type(error).__module__}.{type(error).__name__}", "told": told})
    return refused(Fault("the model could not answer", "", "the log of the function has the request's id and says why"))


def not_found(error: NotFoundError) -> Response[str]:
    return refused(Unknown("there is no such path", "", "POST /models/NAME/predict, or see GET /v2"))


for kind, handler in ((Fault, refused), (NotFoundError, not_found), (Exception, failed)):
    router.exception_handler(kind)(handler)
