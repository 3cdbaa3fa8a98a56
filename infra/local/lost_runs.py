"""Ends the runs whose execution the emulator no longer knows: no event can tell of them any more."""

from __future__ import annotations

import json

from infra.local import deploy
from infra.local.clients import Session
from infra.local.deliveries import CUT_OFF


def end(stack: str, table: str, admin: Session) -> list[str]:
    """Conclude each run on record as running whose execution is gone; returns them as `model run`."""
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


def _conclude(stack: str, execution: str, admin: Session) -> None:
    """As EventBridge tells the end of an execution."""
    detail = {"executionArn": execution, "status": "ABORTED", "error": CUT_OFF, "cause": "the execution is gone"}
    event = {"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": detail}
    function = deploy.resources(stack, admin)["Conclude"]["id"]
    admin.client("lambda").invoke(FunctionName=f"{function}:live", Payload=json.dumps(event).encode())
