from __future__ import annotations

from typing import Any

from modelcycle.faults import BadMessage
from modelcycle.messages import ConcludeRequest
from modelcycle.registry import Runs

# what an execution that was stopped or ran out of time says of itself is empty, more often than not
ENDS = {"ABORTED": "States.Aborted", "TIMED_OUT": "States.Timeout"}


def ended(event: dict[str, Any], *, runs: Runs) -> ConcludeRequest | None:
    """The end of a run whose execution passed no Catch: timed out, aborted, or past a limit of Step Functions.

    Parameters
    ----------
    event : EventBridge's "Step Functions Execution Status Change"

    Returns
    -------
    the request, or None where the execution holds no run (a duplicate, a folded one, one that was never claimed)
    """
    try:
        detail = event["detail"]
        execution, status = str(detail["executionArn"]), str(detail["status"])
    except (KeyError, TypeError):
        raise BadMessage("the event tells no execution's end", "conclude", "see events/conclude.json") from None
    record = runs.of_execution(execution)
    if record is None:
        return None
    reason = {"Error": detail.get("error") or ENDS.get(status, status), "Cause": detail.get("cause") or status}
    return ConcludeRequest(run=record.run, outcome="failed", reason=reason)
