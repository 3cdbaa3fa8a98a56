"""What the caller of a function gets when its process was ended, in AWS's words.

MiniStack leaves out the request's id, and how the process ended.
"""

from __future__ import annotations

import signal
from typing import Any

from infra.local.quotas import MEMORY, TEMPORARY_FILES, TIMEOUT

NO_SPACE = "[Errno 28] No space left on device"


def tell_ends_as_aws(worker: Any) -> None:
    """Change the errors of calls whose process was ended.

    Parameters
    ----------
    worker : MiniStack's class of a function's process
    """
    invoke, tear_down = worker.invoke, worker._teardown

    def tear_down_noted(process: Any) -> None:
        running = process._proc
        if running is not None:
            process.ended_with = running.poll()  # None if it is this call that ends it
        tear_down(process)

    def invoke_told(process: Any, event: Any, request_id: str, **named: Any) -> dict[str, Any]:
        process.exceeded = None
        result: dict[str, Any] = invoke(process, event, request_id, **named)
        payload = result.get("error_payload")
        if isinstance(payload, dict) and payload.get("errorType") in (TIMEOUT.error, MEMORY.error):
            told = end_of(payload, request_id, process.ended_with, process.config, process.exceeded)
            note = process.exceeded and _note(process.exceeded, process.config)
            log = "\n".join(part for part in (result.get("log"), note) if part)
            return {**result, "error": told["errorMessage"], "error_payload": told, "log": log}
        return result

    worker.exceeded, worker.ended_with = None, None
    worker._teardown, worker.invoke = tear_down_noted, invoke_told


def end_of(
    payload: dict[str, Any], request_id: str, status: int | None, config: dict[str, Any], exceeded: str | None
) -> dict[str, str]:
    """Return the error of a call whose process was ended.

    Parameters
    ----------
    payload : MiniStack's error
    status : of the process; negative for a signal, None if it ran until the call's end
    config : of the function
    exceeded : the setting beyond which the process was killed

    Examples
    --------
    >>> end_of({"errorType": "Sandbox.Timedout"}, "7d5e", None, {"Timeout": 3}, None)["errorMessage"]
    'RequestId: 7d5e Error: Task timed out after 3.00 seconds'
    >>> end_of({"errorType": "Runtime.ExitError"}, "7d5e", -9, {}, "MemorySize")["errorMessage"]
    'RequestId: 7d5e Error: Runtime exited with error: signal: killed'
    """
    if exceeded == "EphemeralStorage":
        return {"errorType": TEMPORARY_FILES.error, "errorMessage": NO_SPACE}
    if payload["errorType"] == TIMEOUT.error:
        text = f"Task timed out after {float(config.get('Timeout', 3)):.2f} seconds"
    elif status is None or status == 0:
        text = "Runtime exited without providing a reason"
    elif status < 0:
        text = f"Runtime exited with error: signal: {_signal_name(-status)}"
    else:
        text = f"Runtime exited with error: exit status {status}"
    return {"errorType": payload["errorType"], "errorMessage": f"RequestId: {request_id} Error: {text}"}


def _note(exceeded: str, config: dict[str, Any]) -> str:
    """A line for the function's log, which on AWS has the used memory in its REPORT."""
    if exceeded == "MemorySize":
        return f"The local cloud killed the process: it held more than its MemorySize of {config.get('MemorySize')} MB."
    size = (config.get("EphemeralStorage") or {}).get("Size")
    return f"The local cloud killed the process: its temporary files exceeded EphemeralStorage, {size} MB."


def _signal_name(number: int) -> str:
    """Return a signal as Go, in which Lambda's runtime is written, names it."""
    names = {signal.SIGKILL: "killed", signal.SIGSEGV: "segmentation fault", signal.SIGABRT: "aborted"}
    try:
        return names.get(signal.Signals(number), signal.strsignal(number) or str(number)).lower()
    except ValueError:
        return str(number)
