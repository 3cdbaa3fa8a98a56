"""Port: the state machines. Adapter: Step Functions."""

from __future__ import annotations

import json
from typing import Any, Protocol

from modelcycle.outages import Unreachable, outages_as_faults


class Flows(Protocol):
    """The state machines, by ARN."""

    def is_running(self, execution: str) -> bool:
        """Return whether an execution (ARN) is running; an unknown one is not."""

    def start(self, flow: str, name: str, message: dict[str, Any]) -> bool:
        """Start an execution of a state machine (ARN) under a name; return False if the name was used before."""


class StepFunctions:
    """The state machines of Step Functions.

    Parameters
    ----------
    client : botocore's Step Functions client
    unreachable : the client's errors for a service that did not answer; they are raised as Transient
    """

    def __init__(self, client: Any, unreachable: Unreachable = ()) -> None:
        self.client = client
        self.unreachable = unreachable

    def is_running(self, execution: str) -> bool:
        try:
            with outages_as_faults("Step Functions", execution, self.unreachable):
                status: str = self.client.describe_execution(executionArn=execution)["status"]
        except self.client.exceptions.ExecutionDoesNotExist:
            return False
        return status in ("RUNNING", "PENDING_REDRIVE")

    def start(self, flow: str, name: str, message: dict[str, Any]) -> bool:
        try:
            with outages_as_faults("Step Functions", flow, self.unreachable):
                self.client.start_execution(stateMachineArn=flow, name=name, input=json.dumps(message))
        except self.client.exceptions.ExecutionAlreadyExists:
            return False
        return True
