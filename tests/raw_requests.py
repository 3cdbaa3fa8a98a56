"""Requests as API Gateway hands them on where all media types are binary: bodies in base64, both ways."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.prediction_api import Api


class Reply:
    """A response as the client receives it."""

    def __init__(self, response: dict[str, Any]) -> None:
        body = response["body"]
        self.status: int = response["statusCode"]
        self.content: bytes = base64.b64decode(body) if response.get("isBase64Encoded") else body.encode()
        self.headers = {name.lower(): values[0] for name, values in response["multiValueHeaders"].items()}

    def json(self) -> Any:
        return json.loads(self.content)


def send(api: Api, path: str, body: bytes = b"", method: str = "POST", **headers: str) -> Reply:
    """Send a request; `content_type="..."` is the header content-type."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    event = {
        "httpMethod": method, "path": path, "resource": path, "isBase64Encoded": bool(body), "headers": named,
        "body": base64.b64encode(body).decode() if body else None, "multiValueHeaders": {},
        "queryStringParameters": None, "multiValueQueryStringParameters": None, "pathParameters": None,
        "stageVariables": None,
        "requestContext": {"requestId": "request-1", "stage": "prod", "httpMethod": method, "path": f"/prod{path}"},
    }  # fmt: skip
    return Reply(api.handle(event))
