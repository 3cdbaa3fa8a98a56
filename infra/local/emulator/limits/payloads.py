"""The size of what a function is called with, and of what it answers.

Lambda refuses a request of more than 6 MB (1 MB for `InvocationType=Event`). An answer of more than 6 MB fails the call
with `Function.ResponseSizeTooLarge`; the runtime gets 413 for it and ends, as on AWS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from infra.local.quotas import EVENT, REQUEST, RESPONSE

ANSWER_PATH = re.compile(r"/runtime/invocation/([^/]+)/response$")


def limit_requests(functions: Any) -> None:
    """Refuse calls whose payload exceeds the quota.

    Parameters
    ----------
    functions : MiniStack's service of Lambda
    """
    from ministack.core.responses import error_response_json

    invoke = functions._invoke

    async def invoke_limited(name: str, event: Any, headers: Mapping[str, str], *others: Any, **named: Any) -> Any:
        refused = refusal(payload_bytes(event, headers), _header(headers, "x-amz-invocation-type"))
        if refused:
            return error_response_json(REQUEST.error, refused, 413)
        return await invoke(name, event, headers, *others, **named)

    functions._invoke = invoke_limited


def refusal(size: int, invocation_type: str) -> str | None:
    """Return why Lambda refuses a payload, in AWS's words, or None.

    Parameters
    ----------
    size : of the payload, in bytes
    invocation_type : of the call; empty for a synchronous one

    Examples
    --------
    >>> refusal(6_291_457, "")
    'Request must be smaller than 6291456 bytes for the InvokeFunction operation'
    >>> refusal(6_291_456, "") is None
    True
    """
    if invocation_type == "Event":
        if size > EVENT.maximum:
            return f"{size} byte payload is too large for the Event invocation type (limit {EVENT.maximum} bytes)"
    elif size > REQUEST.maximum:
        return f"Request must be smaller than {REQUEST.maximum} bytes for the InvokeFunction operation"
    return None


def payload_bytes(event: Any, headers: Mapping[str, str]) -> int:
    """Return the size of a call's payload, in bytes."""
    length = _header(headers, "content-length")
    return int(length) if length.isdigit() else len(json.dumps(event, separators=(",", ":")).encode())


def limit_answers(worker: Any) -> None:
    """Refuse answers of functions that exceed the quota.

    Parameters
    ----------
    worker : MiniStack's class of a function's process
    """
    build, invoke = worker._build_handler_class, worker.invoke

    def invoke_ending(self: Any, event: Any, request_id: str, **named: Any) -> dict[str, Any]:
        result: dict[str, Any] = invoke(self, event, request_id, **named)
        if result.get("error_payload") == too_large_answer():
            self._teardown()  # its runtime ends by itself, maybe after the next call has begun
        return result

    def build_limited(self: Any, generation: int, pending: Any) -> Any:
        owner = self

        class LimitedHandler(build(self, generation, pending)):  # type: ignore[misc]
            """Answers the requests of one process's runtime."""

            def do_POST(self) -> None:  # noqa: N802 - named by the base class
                self.received = super()._read_body()
                answered = ANSWER_PATH.search(self.path)
                if answered is None or len(self.received) <= RESPONSE.maximum:
                    super().do_POST()
                    return
                owner._record_result(generation, answered.group(1), "error", too_large_answer())
                message = f"Exceeded maximum allowed payload size ({RESPONSE.maximum} bytes)."
                refused = {"errorMessage": message, "errorType": "RequestEntityTooLarge"}
                self._respond(413, json.dumps(refused).encode())

            def _read_body(self) -> bytes:
                return bytes(self.received)

        return LimitedHandler

    worker._build_handler_class, worker.invoke = build_limited, invoke_ending


def too_large_answer() -> dict[str, str]:
    """Return what the caller gets in place of an answer that is too large."""
    message = f"Response payload size exceeded maximum allowed payload size ({RESPONSE.maximum} bytes)."
    return {"errorType": RESPONSE.error, "errorMessage": message}


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")
