"""Port: calls of another function that wait for its answer. Adapter: Lambda."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Protocol

from modelcycle.faults import Transient
from modelcycle.outages import RETRIED, Unreachable, outages_as_faults

# AWS page "Invoke", section "Errors": those of Lambda itself, which another call may not meet
LAMBDA_FAILED = frozenset({
    "ServiceException", "EC2ThrottledException", "EC2UnexpectedException", "ENILimitReachedException",
    "ResourceNotReadyException", "SubnetIPAddressLimitReachedException", "SnapStartNotReadyException",
})  # fmt: skip


@dataclass(frozen=True)
class Invoked:
    """What a call returned.

    Parameters
    ----------
    payload : the function's answer, parsed
    failure : the class name of the error with which the function ended; empty if it answered
    version : of the function that was executed; empty if the service does not tell
    log : the end of what the call wrote to its log, at most 4 KB; on AWS with the line REPORT
    """

    payload: Any
    failure: str = ""
    log: str = ""
    version: str = ""


class Invocations(Protocol):
    """One function, to be called."""

    def invoke(self, event: bytes) -> Invoked:
        """Call it with an event (JSON) and wait for its answer; nothing is tried twice.

        Raises
        ------
        Throttled : there is no room for another call at this time
        Transient : Lambda did not answer, or failed
        """


class LambdaFunction:
    """A function of Lambda.

    Parameters
    ----------
    client : botocore's Lambda client; threads may share it
    name : name or ARN, with its alias
    unreachable : the client's errors for a service that did not answer; they are raised as Transient
    """

    def __init__(self, client: Any, name: str, unreachable: Unreachable = ()) -> None:
        self.client = client
        self.name = name
        self.unreachable = unreachable

    def at(self, version: str) -> LambdaFunction:
        """Return a published version of the function whose alias `name` has.

        >>> LambdaFunction(None, "mc-Predict-1:live").at("6").name
        'mc-Predict-1:6'
        """
        return LambdaFunction(self.client, f"{self.name.rpartition(':')[0]}:{version}", self.unreachable)

    def invoke(self, event: bytes) -> Invoked:
        try:
            with outages_as_faults("Lambda", self.name, self.unreachable):
                response = self.client.invoke(FunctionName=self.name, Payload=event, LogType="Tail")
                body = response["Payload"].read()
        except Exception as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code")
            if code in LAMBDA_FAILED:
                raise Transient(f"Lambda answered {code}", self.name, RETRIED) from error
            raise
        payload = json.loads(body or b"null")
        log = base64.b64decode(response.get("LogResult") or "").decode("utf-8", "replace")
        version = str(response.get("ExecutedVersion") or "")
        if "FunctionError" not in response:
            return Invoked(payload, log=log, version=version)
        named = payload.get("errorType") if isinstance(payload, dict) else None
        return Invoked(None, str(named or response["FunctionError"]), log, version)
