"""The size of requests to an API, and what its caller sees of a function that exceeded a limit.

API Gateway accepts 10 MB. The function gets the body as text within JSON: where that exceeds 6 MB, the answer is 413,
and the function is not called. A function that exceeded a limit gives 502 without a detail.
"""

from __future__ import annotations

import json
from typing import Any

from infra.local.quotas import API_REQUEST, MEMORY, REQUEST, RESPONSE, TIMEOUT

# A body of fewer characters cannot exceed the quota of a call: JSON escapes a character as at most 6 bytes.
MAX_SAFE_CHARACTERS = 1_000_000
HIDDEN_ERRORS = frozenset({RESPONSE.error, TIMEOUT.error, MEMORY.error})


def limit_api_payloads(api: Any) -> None:
    """Refuse requests that exceed the quota.

    Parameters
    ----------
    api : MiniStack's service of REST APIs
    """
    invoke, shape = api._invoke_lambda_proxy_v1, api._lambda_proxy_response
    build_event = api._build_lambda_event_v1

    def build_limited(*arguments: Any, **named: Any) -> Any:
        event = build_event(*arguments, **named)
        body = event.get("body") or ""
        if len(body) > MAX_SAFE_CHARACTERS and len(json.dumps(event, ensure_ascii=False).encode()) > REQUEST.maximum:
            raise _TooLong
        return event

    async def invoke_limited(*arguments: Any, **named: Any) -> Any:
        body = named["body"] if "body" in named else arguments[BODY_POSITION]
        if len(body or b"") > API_REQUEST.maximum:
            return api._gw_error(API_REQUEST.error, f"HTTP content length exceeded {API_REQUEST.maximum} bytes.")
        try:
            return await invoke(*arguments, **named)
        except _TooLong:
            return api._gw_error(API_REQUEST.error, "Request Too Long")

    def shape_hidden(result: dict[str, Any]) -> Any:
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and body.get("errorType") in HIDDEN_ERRORS:
            return None, "Internal server error"
        return shape(result)

    api._build_lambda_event_v1, api._invoke_lambda_proxy_v1 = build_limited, invoke_limited
    api._lambda_proxy_response = shape_hidden


BODY_POSITION = 8  # among the arguments of MiniStack's `_invoke_lambda_proxy_v1`


class _TooLong(Exception):
    """A function cannot be called with a request of this size."""
