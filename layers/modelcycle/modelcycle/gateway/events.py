"""Responses of the REST API; events and responses of the HTTP API, which takes tokens, in the form of the REST API.

Both forms: AWS page "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway".
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import Response


def is_http_api(event: dict[str, Any]) -> bool:
    """Return whether an event has the payload format 2.0."""
    return event.get("version") == "2.0"


def as_rest_event(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event of payload format 2.0 in the form of the REST API.

    Examples
    --------
    >>> http = {"method": "GET", "path": "/v2"}
    >>> context = {"http": http, "requestId": "r", "stage": "$default"}
    >>> event = as_rest_event({"version": "2.0", "rawPath": "/v2", "requestContext": context})
    >>> event["httpMethod"], event["path"], event["requestContext"]["requestId"]
    ('GET', '/v2', 'r')
    """
    context = event["requestContext"]
    method, stage, path = context["http"]["method"], context["stage"], event["rawPath"]
    if stage != "$default":
        path = path.removeprefix(f"/{stage}") or "/"
    query = parse_qs(event.get("rawQueryString") or "", keep_blank_values=True)
    return {
        "httpMethod": method, "path": path, "resource": path, "body": event.get("body"),
        "isBase64Encoded": event.get("isBase64Encoded", False), "headers": event.get("headers") or {},
        "multiValueHeaders": {name: [value] for name, value in (event.get("headers") or {}).items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": event.get("pathParameters"), "stageVariables": event.get("stageVariables"),
        "requestContext": context | {"httpMethod": method, "path": event["rawPath"]},
    }  # fmt: skip


def as_rest_response(response: Response[str]) -> dict[str, Any]:
    """Return a response in the form of the REST API, as Powertools' resolver does.

    >>> as_rest_response(Response(200, "application/json", "{}"))["multiValueHeaders"]
    {'Content-Type': ['application/json']}
    """
    headers = {name: [value] if isinstance(value, str) else value for name, value in response.headers.items()}
    return {
        "statusCode": response.status_code, "body": response.body, "isBase64Encoded": response.base64_encoded,
        "multiValueHeaders": headers,
    }  # fmt: skip


def as_http_response(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response for the REST API in payload format 2.0, which has one text for each header.

    >>> as_http_response({"statusCode": 200, "body": "", "multiValueHeaders": {"Vary": ["a", "b"]}})
    {'statusCode': 200, 'body': '', 'headers': {'Vary': 'a,b'}}
    """
    headers = {name: ",".join(values) for name, values in response.get("multiValueHeaders", {}).items()}
    return {name: value for name, value in response.items() if name != "multiValueHeaders"} | {"headers": headers}
