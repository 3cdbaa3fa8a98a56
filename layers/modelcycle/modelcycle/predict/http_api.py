"""The prediction API: JSON rows, and what all of its paths share.

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

from modelcycle.faults import Fault, Unknown
from modelcycle.model.request import parse_request
from modelcycle.predict.explanations import check_rows_to_explain, explain_is_asked, explanations
from modelcycle.predict.failures import report_failures
from modelcycle.predict.live_models import LiveModels
from modelcycle.predict.predict import Served, predict_by
from modelcycle.predict.recorder import Recorder
from modelcycle.predict.request_body import headers_of, request_json
from modelcycle.predict.response_body import encoded_response
from modelcycle.problems import problem_response
from modelcycle.proxy_requests import is_check
from modelcycle.request_ids import client_request_id

logger = Logger(service="predict", child=True)
metrics = Metrics(namespace="ModelCycle", service="predict")
router = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.post("/models/<name>/predict")
def predict_rows(name: str) -> Response[str]:
    request = parse_request(request_json(router.current_event))
    model, is_asked = live_models().get(name), explain_is_asked(router.current_event.query_string_parameters)
    if is_asked:
        check_rows_to_explain(request, len(model.columns.fields))
    answer = predict_by(model, request, request_key())
    explained = {"explanations": explanations(answer)} if is_asked else {}
    return answer_response(answer, answer.wire() | explained)


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


def live_models() -> LiveModels:
    """Return the models in memory."""
    models: LiveModels = router.context["live_models"]()
    return models


def request_key() -> str:
    """Return what identifies the request: a client that repeats its idempotency key gets the same prediction ids."""
    headers = headers_of(router.current_event)
    return headers.get("idempotency-key") or _correlation_id()


def _correlation_id() -> str:
    return router.current_event.request_context.request_id or ""


def answer_response(
    answer: Served, content: dict[str, Any] | bytes, content_type: str = "application/json"
) -> Response[str]:
    """Have an answer recorded; return its response.

    Parameters
    ----------
    content : a JSON object, or bytes of another type
    """
    if not isinstance(content, bytes):
        content = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    # before it is recorded: an answer that is too large is not delivered
    response = encoded_response(content, content_type, headers_of(router.current_event))
    report_failures(answer)
    if is_check(router.current_event.raw_event):
        return response  # no client asked: not captured
    recorder: Recorder = router.context["recorder"]
    ids = {
        "function_request_id": router.lambda_context.aws_request_id,
        "correlation_id": _correlation_id(),
        "client_request_id": client_request_id(router.current_event.raw_event),
    }
    recorder.record(answer, ids)
    return response
