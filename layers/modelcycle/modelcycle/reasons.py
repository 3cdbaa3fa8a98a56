"""The reason why a run or a job ended, as text: from the reasons of a verdict, or from an error of Step Functions."""

from __future__ import annotations

import json
from typing import Any

from modelcycle.faults import Fault

RUN_AGAIN = "run again: finished steps are reused"

# errors that are not raised by our code, on AWS and in the local cloud: what, and what to do
KNOWN_ERRORS = {
    "Runtime.ExitError": (
        "the function's process was killed",
        "it often needs more memory: raise DataMemory, LearningMemory or ScoringMemory (parameters of the stack)",
    ),
    "Sandbox.Timedout": (
        "the function reached its time limit",
        "use fewer rows or trials, or raise Timeout in template.yaml",
    ),
    "States.DataLimitExceeded": (
        "a message between steps exceeded 256 KiB",
        "use fewer trials, classes or shards",
    ),
    "States.Timeout": (
        "the state machine reached a time limit",
        "use fewer rows or trials, or raise TimeoutSeconds in its file under statemachines/",
    ),
    "States.Aborted": ("the run was stopped by a person", RUN_AGAIN),
    "States.ServiceRestart": ("the local cloud was stopped during the run", RUN_AGAIN),
}
# what ECS and SageMaker say of an image that is not in its repository
MISSING_IMAGE = ("CannotPullContainer", "CannotPullImage", "ImageNotFound", "image does not exist", "image not found")


def reason_text(reason: Any) -> str:
    """Return a reason as the text of a fault: what, where and remedy, one line each.

    Parameters
    ----------
    reason : a text, a list of texts, None, or {Error, Cause} of a Catch

    Examples
    --------
    >>> reason_text(["accuracy is lower than the champion's", "p99 is above the limit"])
    "accuracy is lower than the champion's; p99 is above the limit"
    >>> print(reason_text({"Error": "States.Aborted", "Cause": ""}))
    the run was stopped by a person
    States.Aborted
    run again: finished steps are reused
    """
    if reason is None:
        return ""
    if isinstance(reason, list):
        return "; ".join(str(part) for part in reason)
    if not isinstance(reason, dict):
        return str(reason)
    reason = _innermost(reason)
    name, message = _error_of(reason)
    stopped = _stopped_container(message)
    if stopped:
        return stopped
    if name in KNOWN_ERRORS:
        what, remedy = KNOWN_ERRORS[name]
        return str(Fault(what, name, remedy))
    what, where, remedy = Fault.parse(message)
    if not where and not remedy:  # not one of our faults: the class says as much as the text
        return str(Fault(f"{name}: {what}" if name else what, "", "the function's log has the details"))
    return str(Fault(what, where, remedy))


def _innermost(caught: dict[str, Any]) -> dict[str, Any]:
    """Return the error of the execution that failed, if the error is that of a task which waited for it."""
    failed = _json_object(caught.get("Cause"))
    if "ExecutionArn" in failed and "Cause" in failed:
        return _innermost({"Error": failed.get("Error", caught.get("Error")), "Cause": failed["Cause"]})
    return caught


def _stopped_container(cause: str) -> str:
    """Return why a Fargate task or a SageMaker job ended, from its description in a cause; empty: it is none."""
    described = _json_object(cause)
    if "StoppedReason" in described or "TaskArn" in described:
        said = [str(one.get("Reason") or "") for one in described.get("Containers") or []]
        why = next((one for one in [*said, str(described.get("StoppedReason") or "")] if one), "it gave no reason")
        codes = [one.get("ExitCode") for one in described.get("Containers") or []]
        why += "".join(f" (exit status {code})" for code in codes if code)
        log = "the log group /modelcycle/STACK/container"
    elif "FailureReason" in described or "TrainingJobName" in described:
        why = str(described.get("FailureReason") or "it gave no reason")
        log = "the log group /aws/sagemaker/TrainingJobs"
    else:
        return ""
    remedy = f"see {log}"
    if any(sign in f"{why} {described.get('StoppedReason')}" for sign in MISSING_IMAGE):
        remedy = "the image of the deployed code is not there: run `make image`, then run again"
    return str(Fault(f"the container ended without a result: {why}", log.removeprefix("the "), remedy))


def _json_object(text: Any) -> dict[str, Any]:
    try:
        value = json.loads(str(text or ""))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _error_of(caught: dict[str, Any]) -> tuple[str, str]:
    """Return class and message of the error in a Catch's result; Lambda gives both as JSON in `Cause`."""
    error, cause = str(caught.get("Error", "")), str(caught.get("Cause", ""))
    try:
        details = json.loads(cause)
        return str(details.get("errorType", error)), str(details["errorMessage"])
    except (AttributeError, ValueError, KeyError, TypeError):
        return error, cause
