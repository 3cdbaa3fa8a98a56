"""The paths of the prediction API: JSON rows, and the Open Inference Protocol.

The function passes its adapters by the router's context: `live_models`, a callable, so that a path which does not need
them does not create them, and `recorder`, which logs, counts and captures answers after they have left.
"""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from modelcycle.faults import BadRequest, Fault, TooLarge, Unknown
from modelcycle.model.request import parse_request
from modelcycle.predict import open_inference
from modelcycle.predict.failures import report_failures
from modelcycle.predict.live_models import LiveModels
from modelcycle.predict.predict import Served, predict
from modelcycle.predict.recorder import Recorder
from modelcycle.problems import body_text, problem_response

MAX_RESPONSE_BYTES = 5 * 2**20  # Lambda returns at most 6 MB (AWS page "Lambda quotas"), with the body escaped in it

logger = Logger(service="predict", child=True)
metrics = Metrics(namespace="ModelCycle", service="predict")
router = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.post("/models/<name>/predict")
def predict_rows(name: str) -> Response[str]:
    request = parse_request(body_text(router.current_event))
    answer = predict(name, request, live_models=_live_models(), key=_request_key())
    return _answer_response(answer, answer.wire())


@router.post("/v2/models/<name>/infer")
def infer(name: str) -> Response[str]:
    body = parse_request(body_text(router.current_event))
    request = open_inference.request_from_tensors(body)
    try:
        answer = predict(name, request, live_models=_live_models(), key=_request_key())
    except BadRequest as fault:
        raise open_inference.tensor_fault(fault, body) from None
    return _answer_response(answer, open_inference.infer_response(name, answer, body.get("id")))


@router.get("/v2/models/<name>")
def model_metadata(name: str) -> dict[str, Any]:
    return open_inference.model_metadata(name, _live_models().get(name))


@router.get("/v2/models/<name>/ready")
def model_ready(name: str) -> dict[str, Any]:
    _live_models().get(name)
    return {"name": name, "ready": True}


@router.get("/v2")
def server_metadata() -> dict[str, Any]:
    return open_inference.server_metadata()


@router.get("/v2/health/live")
def server_live() -> dict[str, Any]:
    return {"live": True}


@router.get("/v2/health/ready")
def server_ready() -> dict[str, Any]:
    return {"ready": True}


def fault_response(fault: Fault) -> Response[str]:
    response = problem_response(fault)
    log = logger.error if response.status_code >= 500 else logger.info
    log("refused", extra={"fault": type(fault).__name__, "status": response.status_code})
    if response.status_code == 503:
        response.headers["Retry-After"] = "1"
    if router.current_event.path.startswith("/v2"):  # the protocol requires the member `error`
        response.body = json.dumps(json.loads(response.body or "{}") | {"error": fault.what})
    return response


def error_response(error: Exception) -> Response[str]:
    # an AWS error names the missing permission; the text of any other error may quote a row
    detail = str(error) if hasattr(error, "operation_name") else ""
    logger.error("failed", extra={"error": f"{type(error).__module__}.{type(error).__name__}", "told": detail})
    return fault_response(
        Fault("the model could not answer", "", "the function's log has the request id and the reason")
    )


def unknown_path_response(error: NotFoundError) -> Response[str]:
    return fault_response(Unknown("there is no such path", "", "POST /models/NAME/predict, or see GET /v2"))


router.exception_handler(Fault)(fault_response)
router.exception_handler(NotFoundError)(unknown_path_response)
router.exception_handler(Exception)(error_response)


def _live_models() -> LiveModels:
    live_models: LiveModels = router.context["live_models"]()
    return live_models


def _request_key() -> str:
    """Return what identifies the request: a client that repeats its idempotency key gets the same prediction ids."""
    headers = {name.lower(): value for name, value in (router.current_event.headers or {}).items()}
    return headers.get("idempotency-key") or _correlation_id()


def _correlation_id() -> str:
    return router.current_event.request_context.request_id or ""


def _answer_response(answer: Served, content: dict[str, Any]) -> Response[str]:
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if len(body.encode()) > MAX_RESPONSE_BYTES:  # checked first: an answer that is not delivered is not captured
        raise TooLarge("the answer would be too large", "/instances", "send fewer rows in each of several requests")
    report_failures(answer)
    recorder: Recorder = router.context["recorder"]
    recorder.record(answer, router.lambda_context.aws_request_id, _correlation_id())
    return Response(200, "application/json", body)
