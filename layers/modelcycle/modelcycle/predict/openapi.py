"""The OpenAPI document of a model (version 3.1), made from the signatures of its live versions."""

from __future__ import annotations

from typing import Any

from modelcycle.model.request import MAX_OUTCOMES, MAX_REQUEST_BYTES, MAX_REQUEST_ROWS
from modelcycle.predict.live_models import LiveModel
from modelcycle.predict.openapi_schemas import ref, schemas

ROWS, TENSORS, OUTCOMES, SERVER = "Rows as JSON", "Open Inference Protocol", "Outcomes", "Server"
REFUSALS = {
    "400": "A field is wrong; `errors` names each by JSON pointer",
    "403": "The signature, the key or the permission is missing",
    "404": "No such model, version or path",
    "409": "The model has no live version",
    "413": f"More than {MAX_REQUEST_ROWS:,} rows, {MAX_OUTCOMES:,} outcomes, or {MAX_REQUEST_BYTES // 2**20} MB",
    "415": "Another media type than JSON, another charset than UTF-8, or another compression than gzip and deflate",
    "429": "Too many requests",
    "500": "The model could not answer; the log of the function has the reason",
    "503": "A service did not answer; try again",
}
OF_A_BODY = ("413", "415")
OF_A_MODEL = ("404", "409", "503")


IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "maxLength": 256},
    "description": "The same key with the same rows gets the same prediction ids",
}  # fmt: skip
REPEATED_OUTCOMES = IDEMPOTENCY_KEY | {
    "description": "The same key with the same outcomes is one request; without a key, the same outcomes within an hour"
}
HEADER_LENGTH = {
    "name": "Inference-Header-Content-Length", "in": "header", "required": False,
    "schema": {"type": "integer", "minimum": 0},
    "description": "Only if binary tensors follow: the length of the JSON in bytes",
}  # fmt: skip


EXPLAIN = {
    "name": "explain", "in": "query", "required": False, "schema": {"type": "boolean", "default": False},
    "description": "Adds the contribution of each column to each answer; for fewer rows",
}  # fmt: skip


def openapi(model: LiveModel, address: str = "") -> dict[str, Any]:
    """Return the OpenAPI document of a model.

    Parameters
    ----------
    address : base URL of the API; by default relative to the document's own
    """
    signature = model.champion.signature
    name = signature.model
    versions = ", ".join(str(version) for version in sorted(model.loaded))
    version_parameter = {
        "name": "version", "in": "path", "required": True, "description": f"answers alone; now one of {versions}",
        "schema": {"type": "string", "pattern": "^[0-9]+$"}, "example": str(model.champion.version),
    }  # fmt: skip
    by_version = f"/v2/models/{name}/versions/{{version}}"
    infer = _operation("infer", TENSORS, "Predict, in tensors", "InferResponse", request="InferRequest")
    metadata = _operation("modelMetadata", TENSORS, "The tensors of the model", "ModelMetadata", OF_A_MODEL)
    ready = _operation("modelReady", TENSORS, "Whether the model can answer", "Ready", OF_A_MODEL)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Predictions of {name}",
            "version": str(model.champion.version),
            "description": (
                f"Predicts `{signature.target}` ({signature.task}). Every call is signed with AWS Signature Version 4 "
                "for the service `execute-api`, unless the stack was deployed with another kind of access."
            ),
        },
        "servers": [{"url": address or "../.."}],
        "security": [{"sigv4": []}],
        "tags": [{"name": ROWS}, {"name": TENSORS}, {"name": OUTCOMES}, {"name": SERVER}],
        "paths": {
            f"/models/{name}/predict": {
                "post": _operation("predict", ROWS, "Predict rows", "Answer", request="Rows")
                | {"parameters": [IDEMPOTENCY_KEY, EXPLAIN]}
            },
            f"/models/{name}/feedback": {
                "post": _operation(
                    "feedback", OUTCOMES, "Say what really happened", "Kept", ("404", "503", *OF_A_BODY), "Outcomes"
                ) | {"parameters": [REPEATED_OUTCOMES]}
            },
            f"/models/{name}/openapi.json": {
                "get": _operation("openapi", ROWS, "This document", "Document", OF_A_MODEL)
            },
            f"/v2/models/{name}": {"get": metadata},
            f"/v2/models/{name}/ready": {"get": ready},
            f"/v2/models/{name}/infer": {"post": infer | {"parameters": [IDEMPOTENCY_KEY, HEADER_LENGTH]}},
            by_version: {"get": _of_version(metadata), "parameters": [version_parameter]},
            f"{by_version}/ready": {"get": _of_version(ready), "parameters": [version_parameter]},
            f"{by_version}/infer": {
                "post": _of_version(infer) | {"parameters": [IDEMPOTENCY_KEY, HEADER_LENGTH]},
                "parameters": [version_parameter],
            },
            "/v2": {"get": _operation("serverMetadata", SERVER, "Name and extensions", "ServerMetadata", ())},
            "/v2/health/live": {"get": _operation("serverLive", SERVER, "Whether the API is up", "Live", ())},
            "/v2/health/ready": {"get": _operation("serverReady", SERVER, "Whether it takes requests", "Ready", ())},
        },
        "components": {
            "schemas": schemas(model, signature),
            "responses": {
                status: {
                    "description": description,
                    "content": {"application/problem+json": {"schema": ref("Problem")}},
                }
                for status, description in REFUSALS.items()
            },
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                    "description": "AWS Signature Version 4, service `execute-api`",
                }
            },
        },
    }  # fmt: skip


def _operation(
    operation: str, tag: str, summary: str, response: str, refusals: tuple[str, ...] = (*OF_A_MODEL, *OF_A_BODY),
    request: str = "",
) -> dict[str, Any]:  # fmt: skip
    statuses = sorted({*refusals, "400", "403", "429", "500"} if request else {*refusals, "403", "429", "500"})
    content: dict[str, Any] = {"application/json": {"schema": ref(response)}}
    if response == "InferResponse":
        content["application/octet-stream"] = {"schema": {"description": "the JSON, and behind it binary tensors"}}
    described: dict[str, Any] = {
        "operationId": operation, "tags": [tag], "summary": summary,
        "responses": {"200": {"description": "OK", "content": content}}
        | {status: {"$ref": f"#/components/responses/{status}"} for status in statuses},
    }  # fmt: skip
    if request:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref(request)}}}
    return described


def _of_version(operation: dict[str, Any]) -> dict[str, Any]:
    return operation | {
        "operationId": f"{operation['operationId']}ByVersion",
        "summary": f"{operation['summary']}, by one version",
    }
