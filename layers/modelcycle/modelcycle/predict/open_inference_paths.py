"""The paths of the Open Inference Protocol, and the OpenAPI document of a model.

Each path of a model also exists with the version that shall answer: one that is live, the previous one, or the shadow.
"""

from __future__ import annotations

import json
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from modelcycle.faults import BadRequest, UnsupportedMedia
from modelcycle.gateway.request_body import BINARY, headers_of, media_type, request_bytes, utf8_text
from modelcycle.model.request import parse_request
from modelcycle.predict import open_inference
from modelcycle.predict.http_api import answer_response, current_request, to_json
from modelcycle.predict.live_models import LiveModels
from modelcycle.predict.predict import only_version, predict_by
from modelcycle.predict.response_body import encoded_response, takes_bytes

HEADER_LENGTH = "Inference-Header-Content-Length"

router = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.get("/v2")
def server_metadata() -> dict[str, Any]:
    return open_inference.server_metadata()


@router.get("/v2/health/live")
def server_live() -> dict[str, Any]:
    return {"live": True}


@router.get("/v2/health/ready")
def server_ready() -> dict[str, Any]:
    return {"ready": True}


@router.get("/v2/models/<name>")
def model_metadata(name: str) -> dict[str, Any]:
    return open_inference.model_metadata(name, live_models().get(name))


@router.get("/v2/models/<name>/versions/<version>")
def version_metadata(name: str, version: str) -> dict[str, Any]:
    return open_inference.model_metadata(name, only_version(live_models().get(name), version)) | {"versions": [version]}


@router.get("/v2/models/<name>/ready")
def model_ready(name: str) -> dict[str, Any]:
    live_models().get(name)
    return {"name": name, "ready": True}


@router.get("/v2/models/<name>/versions/<version>/ready")
def version_ready(name: str, version: str) -> dict[str, Any]:
    only_version(live_models().get(name), version)
    return {"name": name, "version": version, "ready": True}


@router.post("/v2/models/<name>/infer")
def infer(name: str) -> Response[str]:
    return _infer(name, None)


@router.post("/v2/models/<name>/versions/<version>/infer")
def infer_by_version(name: str, version: str) -> Response[str]:
    return _infer(name, version)


@router.get("/models/<name>/openapi.json")
def openapi_document(name: str) -> Response[str]:
    from modelcycle.predict.openapi import openapi

    event = router.current_event
    domain, path = event.request_context.get("domainName"), event.request_context.get("path") or ""
    # a stage and a custom domain's base path come before the path that the function sees
    address = f"https://{domain}{path.removesuffix(event.path)}" if domain else ""
    document = json.dumps(openapi(live_models().get(name), address), ensure_ascii=False, indent=1).encode()
    return encoded_response(document, "application/json", headers_of(event))


def live_models() -> LiveModels:
    """Return the models in memory."""
    return current_request().live_models()


def _infer(name: str, version: str | None) -> Response[str]:
    sent = current_request()
    headers = sent.headers
    body, binary_data = request_bytes(sent.event, headers), None
    if HEADER_LENGTH.lower() in headers:
        from modelcycle.predict.open_inference_binary import BinaryData, split_body

        body, rest = split_body(body, headers[HEADER_LENGTH.lower()])
        binary_data = BinaryData(rest)
    elif media_type(headers) == BINARY:
        raise UnsupportedMedia(
            f"a binary body needs the header {HEADER_LENGTH}: where its JSON ends",
            "",
            "or send JSON, as application/json",
        )
    parsed = parse_request(utf8_text(body))
    model = sent.live_models().get(name)
    if version is not None:
        model = only_version(model, version)
    request = open_inference.read_request(parsed, open_inference.fields_of(model), binary_data)
    try:
        answer = predict_by(model, request.rows, sent.key)
    except BadRequest as fault:
        raise open_inference.tensor_fault(fault, parsed) from None
    content, binary_outputs = open_inference.infer_response(name, answer, request, takes_bytes(headers))
    if not binary_outputs:
        return answer_response(sent, answer, content)
    text = to_json(content).encode()
    response = answer_response(sent, answer, text + binary_outputs, BINARY)
    response.headers[HEADER_LENGTH] = str(len(text))
    return response
