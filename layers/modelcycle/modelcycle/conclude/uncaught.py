"""Where the end of a run comes from: a state of the lifecycle, or EventBridge.

No Catch handles an execution that timed out, was aborted, or exceeded a limit of Step Functions. EventBridge then
reports its status.
"""

from __future__ import annotations

from typing import Any

from modelcycle.faults import BadMessage
from modelcycle.messages import ConcludeRequest
from modelcycle.registry import Runs

ERRORS = {"ABORTED": "States.Aborted", "TIMED_OUT": "States.Timeout"}  # by status; EventBridge often has no error


def read_request(event: dict[str, Any], *, runs: Runs) -> ConcludeRequest:
    """Read the end of a run from the event of a function.

    Parameters
    ----------
    event : a state's input, or EventBridge's "Step Functions Execution Status Change"

    Returns
    -------
    the request, without a run if the execution has none: it was a duplicate, was folded, or never claimed one

    Raises
    ------
    BadMessage : the event is neither
    """
    return _from_status_change(event, runs) if "detail-type" in event else ConcludeRequest.from_event(event)


def _from_status_change(event: dict[str, Any], runs: Runs) -> ConcludeRequest:
    try:
        detail = event["detail"]
        execution, status = str(detail["executionArn"]), str(detail["status"])
    except (KeyError, TypeError):
        raise BadMessage(
            "the event does not report the end of an execution", "Conclude", "see events/conclude.json"
        ) from None
    record = runs.of_execution(execution)
    reason = {"Error": detail.get("error") or ERRORS.get(status, status), "Cause": detail.get("cause") or status}
    return ConcludeRequest(run=record.run if record else None, outcome="failed", reason=reason)
