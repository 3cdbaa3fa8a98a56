"""The ids of a request: what a person quotes, and what finds its lines in every log."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

HEADER = "X-Request-Id"
CLIENT_HEADERS = ("x-request-id", "idempotency-key")  # the first that is there
MAX_CLIENT_ID_CHARACTERS = 128
UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
URN = "urn:modelcycle:request:"


def request_id(event: Mapping[str, Any]) -> str:
    """Return API Gateway's id of a request; empty outside API Gateway."""
    return str((event.get("requestContext") or {}).get("requestId") or "")


def client_request_id(event: Mapping[str, Any]) -> str:
    """Return the id that the client gave its request, as far as it can be printed; empty if it gave none.

    Examples
    --------
    >>> client_request_id({"headers": {"X-Request-ID": "order 7"}})
    'order_7'
    """
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    for name in CLIENT_HEADERS:
        if headers.get(name):
            return UNPRINTABLE.sub("_", str(headers[name])[:MAX_CLIENT_ID_CHARACTERS])
    return ""


def with_request_id(response: dict[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a response that names API Gateway's id of its request: in a header, and in a problem document.

    Parameters
    ----------
    response : of the REST API
    """
    found = request_id(event)
    if not found:
        return response
    headers = response.get("multiValueHeaders") or {}
    response = response | {"multiValueHeaders": headers | {HEADER: [found]}}
    if any("problem+json" in value for value in headers.get("Content-Type", [])) and not response.get(
        "isBase64Encoded"
    ):
        problem = json.loads(response["body"]) | {"instance": f"{URN}{found}"}
        response["body"] = json.dumps(problem, ensure_ascii=False)
    return response
