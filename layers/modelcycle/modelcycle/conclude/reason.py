"""Why a run ended, as text: from a verdict's reasons, or from what Step Functions says of an error."""

from __future__ import annotations

import json
from typing import Any

from modelcycle.faults import Fault

# what a function's process says of its own end, on AWS and in the local cloud
KNOWN = {
    "Runtime.ExitError": ("the function's process was killed", "most often memory: give it more in template.yaml"),
    "Sandbox.Timedout": (
        "the function ran into its time limit",
        "fewer rows or trials, or a longer Timeout in template.yaml",
    ),
    "States.Timeout": ("the state ran into its time limit", "fewer rows or trials, or a longer TimeoutSeconds"),
    "States.Aborted": ("the run was stopped by a person", "run again: what was done is taken over"),
    "States.ServiceRestart": (
        "the local cloud was stopped in the middle of the run",
        "run again: what was done is taken over",
    ),
}


def sentence(reason: Any) -> str:
    """`reason` is text, a list of texts, or {Error, Cause} of a Catch; gives a fault's text (what, where, remedy)."""
    if reason is None:
        return ""
    if isinstance(reason, list):
        return "; ".join(str(part) for part in reason)
    if not isinstance(reason, dict):
        return str(reason)
    error, cause = str(reason.get("Error", "")), str(reason.get("Cause", ""))
    try:
        told = json.loads(cause)
        message, name = str(told["errorMessage"]), str(told.get("errorType", error))
    except (ValueError, KeyError, TypeError):
        message, name = cause, error
    if name in KNOWN:
        what, remedy = KNOWN[name]
        return str(Fault(what, name, remedy))
    what, where, remedy = Fault.parse(message)
    if not where and not remedy:  # not a fault of ours: its class says as much as its text
        return str(Fault(f"{name}: {what}" if name else what, "", "the function's log has the whole story"))
    return str(Fault(what, where, remedy))
