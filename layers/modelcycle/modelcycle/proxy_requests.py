"""Requests as API Gateway passes them to a function, for what is asked without the API.

See AWS page "Lambda proxy integrations". A client decides nothing of `requestContext`: API Gateway writes it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

CHECK = "check"  # the stage in requests of `check_code`; the API's own is `live`


def proxy_request(
    method: str, path: str, resource: str, parameters: Mapping[str, str], request_id: str, body: Any = None,
    stage: str = "live",
) -> bytes:  # fmt: skip
    """Return the event of a request, as JSON.

    Parameters
    ----------
    resource : the path of the template, such as "/models/{name}/predict"
    parameters : of the path
    body : JSON; None for a request without one
    """
    headers = {"Content-Type": "application/json"}
    event = {
        "resource": resource, "path": path, "httpMethod": method, "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()}, "queryStringParameters": None,
        "multiValueQueryStringParameters": None, "pathParameters": dict(parameters) or None, "stageVariables": None,
        "requestContext": {
            "requestId": request_id, "httpMethod": method, "path": path, "resourcePath": resource, "stage": stage,
            "protocol": "HTTP/1.1", "requestTimeEpoch": int(time.time() * 1000), "identity": {},
        },
        "body": None if body is None else json.dumps(body), "isBase64Encoded": False,
    }  # fmt: skip
    return json.dumps(event).encode()


def is_check(event: Mapping[str, Any]) -> bool:
    """Return whether a request comes from `check_code`, so that no client sent it."""
    return bool((event.get("requestContext") or {}).get("stage") == CHECK)
