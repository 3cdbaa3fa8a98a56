"""Port: the state machines. Adapter: Step Functions."""

from __future__ import annotations

import json
from typing import Any, Protocol

from modelcycle.outages import Unreachable, named


class Flows(Protocol):
    def is_running(self, execution: str) -> bool:
        """Whether an execution is under way; one that nobody knows is not."""

    def start(self, flow: str, name: str, message: dict[str, Any]) -> bool:
        """Start a flow (by ARN) under a name; a name that was used is success, and returns False."""


class StepFunctions:
    """`client` is boto3's Step Functions client; `unreachable` are the errors by which it says that nobody answered."""

    def __init__(self, client: Any, unreachable: Unreachable = ()) -> None:
        self.client = client
        self.unreachable = unreachable

    def is_running(self, execution: str) -> bool:
        try:
            with named("Step Functions", execution, self.unreachable):
                status: str = self.client.describe_execution(executionArn=execution)["status"]
        except self.client.exceptions.ExecutionDoesNotExist:
            return False
        return status in ("RUNNING", "PENDING_REDRIVE")

    def start(self, flow: str, name: str, message: dict[str, Any]) -> bool:
        try:
            with named("Step Functions", flow, self.unreachable):
                self.client.start_execution(stateMachineArn=flow, name=name, input=json.dumps(message))
        except self.client.exceptions.ExecutionAlreadyExists:
            return False
        return True
