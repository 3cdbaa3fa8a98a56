"""Ends runs whose execution no longer exists in the emulator, so that no event will ever end them."""

from __future__ import annotations

import json

from infra.local.clients import ClientFactory
from infra.local.deployment.stack import stack_resources
from infra.local.emulator.event_deliveries import RESTART_ERROR


def end_lost_runs(stack: str, table: str, admin: ClientFactory) -> list[str]:
    """End each run that is recorded as running and whose execution no longer exists.

    Parameters
    ----------
    stack : its name
    table : the registry's

    Returns
    -------
    The ended runs, each as `model run`.
    """
    from modelcycle.registry import DynamoTable, Registry

    registry = Registry(DynamoTable(admin.client("dynamodb"), table))
    states = admin.client("stepfunctions")
    ended = []
    for model in registry.runs.models():
        for record in registry.runs.latest(model):
            if record.state != "running":
                continue
            try:
                states.describe_execution(executionArn=record.run.execution)
            except states.exceptions.ExecutionDoesNotExist:
                _conclude(stack, record.run.execution, admin)
                ended.append(f"{model} {record.run.run_id}")
    return ended


def _conclude(stack: str, execution: str, admin: ClientFactory) -> None:
    """Send `conclude` the event with which EventBridge reports the end of an execution."""
    detail = {"executionArn": execution, "status": "ABORTED", "error": RESTART_ERROR, "cause": "the execution is gone"}
    event = {"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": detail}
    function = stack_resources(stack, admin)["Conclude"]["id"]
    admin.client("lambda").invoke(FunctionName=f"{function}:live", Payload=json.dumps(event).encode())
