"""What this function uses of Lambda beside its handler: the moment after an answer, and a warning before the end.

The runtime (awslambdaric) posts an answer, then asks for the next event. Lambda delivers an answer when it is posted,
and freezes the environment when the runtime asks for the next event; what is done between the two delays no answer (AWS
page "Lambda execution environment"; awslabs/swift-aws-lambda-runtime offers the same to its handlers).

Lambda sends SIGTERM to a runtime only if an extension is registered; without one, the first signal is SIGKILL. An
internal extension may register without events (AWS's Rust runtime does so for its graceful shutdown), and so costs a
request nothing. Like every extension it has to ask for events once: Lambda waits for that before the first request.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable
from typing import Any

EXTENSION_NAME = "after-answer"
VERSION = "2020-01-01"  # of the Extensions API
REGISTER_TIMEOUT = 1.0  # seconds
RETRY_SECONDS = 0.1


def call_after_answers(call: Callable[[], None]) -> None:
    """Have the runtime call `call` in its own thread, each time before it asks for the next event, the first included.

    It then asks in that thread, too. Otherwise awslambdaric would start another one for each event, so that Python's
    signal handlers run in the meantime; ours for SIGTERM does not need that.

    Does nothing if the runtime is not awslambdaric as we know it.

    Parameters
    ----------
    call : raises nothing
    """
    try:
        from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # type: ignore[import-untyped]

        wait_next_invocation = LambdaRuntimeClient.wait_next_invocation
    except (ImportError, AttributeError):
        return

    @functools.wraps(wait_next_invocation)
    def wait_after_call(client: Any) -> Any:
        call()
        client.use_thread_for_polling_next = False
        return wait_next_invocation(client)

    LambdaRuntimeClient.wait_next_invocation = wait_after_call


def register_extension(api: str) -> bool:
    """Register an internal extension without events; return False where the place has no Extensions API.

    Parameters
    ----------
    api : host and port, as the variable AWS_LAMBDA_RUNTIME_API has them
    """
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(api, timeout=REGISTER_TIMEOUT)
    try:
        headers = {"Lambda-Extension-Name": EXTENSION_NAME, "Content-Type": "application/json"}
        connection.request("POST", f"/{VERSION}/extension/register", json.dumps({"events": []}), headers)
        response = connection.getresponse()
        response.read()
        identifier = response.getheader("Lambda-Extension-Identifier")
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    if response.status != 200 or not identifier:
        return False
    threading.Thread(target=_ask_for_events, args=(api, identifier), name="extension", daemon=True).start()
    return True


def _ask_for_events(api: str, identifier: str) -> None:
    """Ask for the next event; there is none, so that this waits until the process ends."""
    from http.client import HTTPConnection, HTTPException

    while True:
        connection = HTTPConnection(api)  # no time-out: an environment may live for hours
        try:
            headers = {"Lambda-Extension-Identifier": identifier}
            connection.request("GET", f"/{VERSION}/extension/event/next", headers=headers)
            connection.getresponse().read()
        except (OSError, HTTPException):
            pass  # asked again: Lambda waits for an extension that has not asked
        finally:
            connection.close()
        time.sleep(RETRY_SECONDS)
