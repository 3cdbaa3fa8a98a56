"""What the checks share: what they read and call, and how a verdict reaches the deployment."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger

from modelcycle.deployments import Deployments
from modelcycle.faults import Fault
from modelcycle.invocations import Invocations, Invoked, LambdaFunction
from modelcycle.messages import CheckCodeRequest, CodeChecked
from modelcycle.registry import Registry
from modelcycle.store import S3Store

MAX_REASONS = 10  # in a verdict; a message is small

logger = Logger(service="check_code", child=True)


@dataclass(frozen=True)
class Places:
    """What a check reads and calls.

    Parameters
    ----------
    artifacts : the bucket
    new : the version of the function that is about to serve
    live : the function as it serves now; once the traffic has moved, this is the new version too
    """

    artifacts: S3Store
    registry: Registry
    new: Invocations
    live: LambdaFunction
    deployments: Deployments


@dataclass(frozen=True)
class Reply:
    """What a function answered to a request.

    Parameters
    ----------
    status : of HTTP; 0 if the function failed or sent no response
    body : parsed JSON; None if there is none
    failure : what failed, in words; empty if it answered
    version : of the function that was executed; empty if it is unknown
    """

    status: int
    body: Any
    failure: str = ""
    version: str = ""


def ask(function: Invocations, request: bytes) -> Reply:
    """Send a request to a function.

    Raises
    ------
    Throttled, Transient : Lambda did not let it answer
    """
    return _reply(function.invoke(request))


def reported(request: CheckCodeRequest, deployments: Deployments, check: Callable[[], CodeChecked]) -> CodeChecked:
    """Return the verdict of a check, once the deployment has it. What cannot be checked is refused.

    Without a report CodeDeploy would wait for an hour, and Lambda would call a hook that raises twice more.
    """
    try:
        checked = check()
    except Exception as error:
        detail = str(error) if isinstance(error, Fault) or hasattr(error, "operation_name") else ""
        logger.error("not checked", extra={"error": f"{type(error).__module__}.{type(error).__name__}", "told": detail})
        told = " ".join((detail or type(error).__name__).split())
        checked = CodeChecked(verdict="refused", reasons=[f"it could not be checked: {told}"])
    if request.hook:
        deployments.report(request.deployment, request.hook, checked.verdict == "passed")
    return checked


def other_version(request: CheckCodeRequest, places: Places, asked: str) -> str:
    """Return that a deployment is about another version than the one that was asked; empty if it is not.

    The check knows the new version by a variable of its own, which the same update of the stack has to have set before.
    """
    target = places.deployments.target(request.deployment) if request.hook else ""
    if not target or not asked or target == asked:
        return ""
    return f"version {asked} was asked, and version {target} is being deployed"


def version_before(request: CheckCodeRequest, places: Places) -> Invocations:
    """Return the version of the function that served before the deployment; the live one if it is unknown."""
    before = request.before or (places.deployments.before(request.deployment) if request.hook else "")
    return places.live.at(before) if before else places.live


def verdict(reasons: list[str], notes: list[str], asked: str, *, models: int = 0, rows: int = 0) -> CodeChecked:
    """Return the verdict: refused if there is a reason."""
    return CodeChecked(
        verdict="refused" if reasons else "passed",
        reasons=_first(reasons), notes=_first(notes), asked=asked, models=models, rows=rows,
    )  # fmt: skip


def _first(sentences: list[str]) -> list[str]:
    more = len(sentences) - MAX_REASONS
    return [*sentences[:MAX_REASONS], f"and {more} more"] if more > 0 else sentences


def _reply(invoked: Invoked) -> Reply:
    if invoked.failure:
        return Reply(0, None, f"it fails with {invoked.failure}", invoked.version)
    answer = invoked.payload if isinstance(invoked.payload, dict) else {}
    status = answer.get("statusCode")
    if not isinstance(status, int):
        return Reply(0, None, "what it returns is no response of HTTP", invoked.version)
    try:
        body = json.loads(answer.get("body") or "null")
    except ValueError:
        return Reply(0, None, "the body of its response is not JSON", invoked.version)
    return Reply(status, body, "", invoked.version)
