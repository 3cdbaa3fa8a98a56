"""Faults over HTTP: problem documents (RFC 9457), without stack traces and without values of rows."""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from modelcycle.faults import (
    BadInput,
    BadMessage,
    BadRequest,
    Fault,
    NotAllowed,
    Raced,
    TooLarge,
    Transient,
    Unknown,
    UnsupportedMedia,
)

STATUS: list[tuple[type[Fault], int]] = [
    (TooLarge, 413), (UnsupportedMedia, 415), (Unknown, 404), (NotAllowed, 409), (Raced, 503), (Transient, 503),
    (BadInput, 400), (BadMessage, 400),
]  # fmt: skip


def problem(fault: Fault) -> tuple[int, str]:
    """Return the HTTP status and the JSON body of a fault."""
    status = next((status for fault_type, status in STATUS if isinstance(fault, fault_type)), 500)
    name = type(fault).__name__
    body = {"type": f"urn:modelcycle:fault:{name}", "title": _title(name), "status": status, "detail": fault.what}
    if fault.remedy:
        body["remedy"] = fault.remedy
    errors = getattr(fault, "errors", None)
    if errors:
        body["errors"] = errors
    return status, json.dumps(body, ensure_ascii=False)


def problem_response(fault: Fault) -> Response[str]:
    """Return a fault as a response of API Gateway."""
    status, body = problem(fault)
    return Response(status, "application/problem+json", body)


def refuse_faults(app: APIGatewayRestResolver, logger: Logger) -> None:
    """Have an API answer each fault as a problem document; the log gets its type alone."""

    def refuse(fault: Fault) -> Response[str]:
        logger.info("refused", extra={"fault": type(fault).__name__})
        return problem_response(fault)

    app.exception_handler(Fault)(refuse)


def body_text(event: APIGatewayProxyEvent) -> str | None:
    """Return the body of a request as text.

    Raises
    ------
    BadRequest : it is not valid base64 or UTF-8
    """
    try:
        return event.decoded_body
    except ValueError:
        raise BadRequest("the body is not UTF-8 text", "", "send UTF-8 JSON") from None


def json_object(text: str | None, remedy: str) -> dict[str, Any]:
    """Return the object that the body of a request holds.

    Parameters
    ----------
    remedy : what to send

    Raises
    ------
    BadRequest : it is no JSON, or no object
    """
    try:
        body = json.loads(text or "")
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON", "", remedy) from None
    if not isinstance(body, dict):
        raise BadRequest.at([("", "a JSON object is expected")], remedy)
    return body


def _title(name: str) -> str:
    """Return the name of a class as words: `NotAllowed` is `Not allowed`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip().capitalize()
