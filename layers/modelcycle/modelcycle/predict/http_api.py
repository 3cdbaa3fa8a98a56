"""The prediction API: JSON rows, and what all of its paths share.

The function passes its adapters by the router's context: `live_models`, a callable, so that a path which does not need
them does not create them, and `recorder`, which logs, counts and captures answers after they have left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from modelcycle.faults import Fault, Unknown
from modelcycle.gateway.events import as_rest_response
from modelcycle.gateway.request_body import headers_of, request_json
from modelcycle.model.request import parse_request
from modelcycle.predict.explanations import check_rows_to_explain, explain_is_asked, explanations
from modelcycle.predict.failures import report_failures
from modelcycle.predict.live_models import LiveModels
from modelcycle.predict.predict import Served, predict_by
from modelcycle.predict.recorder import Recorder
from modelcycle.predict.response_body import encoded_response
from modelcycle.problems import problem_response
from modelcycle.proxy_requests import is_check
from modelcycle.request_ids import client_request_id, request_id
from modelcycle.spec import MODEL_NAME

ROWS_PATH = re.compile(f"/models/({MODEL_NAME.strip('^$')})/predict")

to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

logger = Logger(service="predict", child=True)
metrics = Metrics(namespace="ModelCycle", service="predict")
router = APIGatewayRouter()  # type: ignore[no-untyped-call]


class HttpRequest(NamedTuple):
    """A request, and what the function answers it with.

    Parameters
    ----------
    event : of the REST API
    headers : of the request, by name in lower case
    """

    event: Mapping[str, Any]
    headers: dict[str, str]
    function_request_id: str
    live_models: Callable[[], LiveModels]
    recorder: Recorder

    @property
    def key(self) -> str:
        """What identifies the request: a client that repeats its idempotency key gets the same prediction ids."""
        return self.headers.get("idempotency-key") or request_id(self.event)


def current_request() -> HttpRequest:
    """Return the request that the router is answering."""
    event = router.current_event.raw_event
    context = router.context
    return HttpRequest(
        event, headers_of(event), router.lambda_context.aws_request_id, context["live_models"], context["recorder"]
    )


def model_in(event: Mapping[str, Any]) -> str:
    """Return the model that the path of a request names, for log lines; empty if it can be none's name.

    >>> model_in({"pathParameters": {"name": "plums"}}), model_in({"pathParameters": {"name": "../x"}})
    ('plums', '')
    """
    name = str((event.get("pathParameters") or {}).get("name") or "")
    return name if re.fullmatch(MODEL_NAME, name) else ""


def answer_without_router(
    event: Mapping[str, Any], function_request_id: str, live_models: Callable[[], LiveModels], recorder: Recorder
) -> dict[str, Any] | None:
    """Answer a request for predictions of rows as the router would; return None for any other request.

    Most requests have this path, and the router would take a fifth of their time.
    """
    path = ROWS_PATH.fullmatch(str(event.get("path")))
    if path is None or event.get("httpMethod") != "POST":
        return None
    try:
        response = _rows_response(
            path[1], HttpRequest(event, headers_of(event), function_request_id, live_models, recorder)
        )
    except Fault as fault:
        response = _refusal(fault)
    except Exception as error:
        response = _refusal(_unexpected(error))
    return as_rest_response(response)


@router.post("/models/<name>/predict")
def predict_rows(name: str) -> Response[str]:
    return _rows_response(name, current_request())


def _rows_response(name: str, request: HttpRequest) -> Response[str]:
    rows = parse_request(request_json(request.event, request.headers))
    model, is_asked = request.live_models().get(name), explain_is_asked(request.event.get("queryStringParameters"))
    if is_asked:
        check_rows_to_explain(rows, len(model.columns.fields))
    answer = predict_by(model, rows, request.key)
    explained = {"explanations": explanations(answer)} if is_asked else {}
    return answer_response(request, answer, answer.wire() | explained)


def fault_response(fault: Fault) -> Response[str]:
    response = _refusal(fault)
    if router.current_event.path.startswith("/v2"):  # the protocol requires the member `error`
        response.body = json.dumps(json.loads(response.body or "{}") | {"error": fault.what})
    return response


def error_response(error: Exception) -> Response[str]:
    return fault_response(_unexpected(error))


def unknown_path_response(error: NotFoundError) -> Response[str]:
    return fault_response(Unknown("there is no such path", "", "POST /models/NAME/predict, or see GET /v2"))


def _refusal(fault: Fault) -> Response[str]:
    response = problem_response(fault)
    log = logger.error if response.status_code >= 500 else logger.info
    log("refused", extra={"fault": type(fault).__name__, "status": response.status_code})
    if response.status_code == 503:
        response.headers["Retry-After"] = "1"
    return response


def _unexpected(error: Exception) -> Fault:
    """Log an error that is no fault; return what the client is told."""
    # an AWS error names the missing permission; the text of any other error may quote a row
    detail = str(error) if hasattr(error, "operation_name") else ""
    logger.error("failed", extra={"error": f"{type(error).__module__}.{type(error).__name__}", "told": detail})
    return Fault("the model could not answer", "", "the function's log has the request id and the reason")


router.exception_handler(Fault)(fault_response)
router.exception_handler(NotFoundError)(unknown_path_response)
router.exception_handler(Exception)(error_response)


def answer_response(
    request: HttpRequest, answer: Served, content: dict[str, Any] | bytes, content_type: str = "application/json"
) -> Response[str]:
    """Have an answer recorded; return its response.

    Parameters
    ----------
    content : a JSON object, or bytes of another type
    """
    if not isinstance(content, bytes):
        content = to_json(content).encode()
    # before it is recorded: an answer that is too large is not delivered
    response = encoded_response(content, content_type, request.headers)
    report_failures(answer)
    if is_check(request.event):
        return response  # no client asked: not captured
    ids = {
        "function_request_id": request.function_request_id,
        "correlation_id": request_id(request.event),
        "client_request_id": client_request_id(request.event),
    }
    request.recorder.record(answer, ids)
    return response
