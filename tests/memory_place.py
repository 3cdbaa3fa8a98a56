"""An in-memory ModelCycle, whose runs end as a test says; its model is `m`, its run `r1`."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.place import Credentials, Place
from modelcycle.messages import Artifact, Run, Trigger
from modelcycle.registry import Registry, Route, RunRecord, Write
from tests.fakes import MemoryTable

AT = datetime(2026, 1, 1, tzinfo=UTC)
ARTIFACT = Artifact(uri="s3://artifacts/x", sha256="0" * 64, bytes=1)
ARN = "arn:aws:states:us-east-1:1:execution:lifecycle:e1"
COLLECTED = {
    "schema": 1, "manifest": ARTIFACT.model_dump(), "shards": [], "quarantine": None, "columns": 2, "objects": 1,
    "bytes": 9, "rows": 3, "quarantined": 0, "cached": False,
}  # fmt: skip


class ClientError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


class DoesNotExist(ClientError):
    pass


class S3:
    class exceptions:  # noqa: N801
        ClientError = ClientError

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: Any, **rest: Any) -> None:  # noqa: N803
        self.objects[Key] = Body if isinstance(Body, bytes) else Body.read()
        if Key.startswith("raw/"):
            self.cloud.uploaded(Key)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise ClientError("NoSuchKey")
        return {"Body": io.BytesIO(self.objects[Key])}

    def list_objects_v2(self, *, Prefix: str, **rest: Any) -> dict[str, Any]:  # noqa: N803
        contents = [{"Key": key} for key in self.objects if key.startswith(Prefix)]
        return {"KeyCount": len(contents), "Contents": contents}

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        del self.objects[Key]

    def get_paginator(self, name: str) -> Pages:
        return Pages(getattr(self, name))


class Pages:
    def __init__(self, call: Any) -> None:
        self.call = call

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        return [self.call(**request)]


class States:
    class exceptions:  # noqa: N801
        ExecutionDoesNotExist = DoesNotExist

    def __init__(self) -> None:
        self.executions: dict[str, dict[str, Any]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.started: list[dict[str, Any]] = []
        self.interrupt = False

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        if self.interrupt:
            raise KeyboardInterrupt
        if executionArn not in self.executions:
            raise DoesNotExist("ExecutionDoesNotExist")
        return {"startDate": AT, "stopDate": AT + timedelta(seconds=5)} | self.executions[executionArn]

    def get_execution_history(self, *, executionArn: str, **rest: Any) -> dict[str, Any]:  # noqa: N803
        return {"events": self.events.get(executionArn, [])[::-1]}

    def start_execution(self, *, input: str, **rest: Any) -> dict[str, Any]:  # noqa: A002
        self.started.append(json.loads(input))
        return {"executionArn": ARN}


class Sts:
    def get_caller_identity(self) -> dict[str, str]:
        return {"Arn": "arn:aws:iam::000000000000:user/operator"}


class Cloud:
    """A place, with what a test makes of its run."""

    def __init__(self) -> None:
        self.table, self.states, self.s3 = MemoryTable(), States(), S3(self)
        self.claim: dict[str, Any] = {"execution": ARN, "run_id": "r1", "folded": False}
        outputs = {
            "DataBucket": "data", "ArtifactBucket": "artifacts", "RegistryTable": "registry", "LifecycleArn": "arn:l",
            "RolloutArn": "arn:aws:states:us-east-1:1:stateMachine:rollout", "ApiUrl": "http://127.0.0.1:1/api",
        }  # fmt: skip
        self.place = Place("local", self, outputs, Credentials("KEY", "SECRET"), endpoint="http://127.0.0.1:1")
        self.place.__dict__["registry"] = Registry(self.table)

    def client(self, service: str, **settings: Any) -> Any:
        return {"s3": self.s3, "stepfunctions": self.states, "sts": Sts()}[service]

    def uploaded(self, key: str) -> None:
        if self.table.get("RUN#m", f"UPLOAD#{key}#0001") is None:
            self.table.write(Write("RUN#m", f"UPLOAD#{key}#0001", self.claim))

    def ended(self, state: str, reason: str = "", version: int | None = None, status: str = "SUCCEEDED") -> None:
        run = Run(
            model="m", run_id="r1", execution=ARN, started_at=AT,
            trigger=Trigger(kind="upload", detail="raw/m/rows.csv"), pipeline=ARTIFACT,
        )  # fmt: skip
        record = RunRecord.model_validate(
            {"run": run, "state": state, "reason": reason, "version": version, "ended_at": AT + timedelta(seconds=4)}
        )
        self.table.write(
            Write("MODELS", "m", {}), Write("RUN#m", "RUN#r1", record.model_dump(mode="json")),
            Write(f"EXECUTION#{ARN}", "RUN", {"model": "m", "run_id": "r1"}),
        )  # fmt: skip
        self.states.executions[ARN] = {"status": status}

    def passed(self, *visits: tuple[str, dict[str, Any]]) -> None:
        """Set the history of the execution: each state, with what it adds to the flow's state."""
        state: dict[str, Any] = {}
        events: list[dict[str, Any]] = []
        for number, (name, adds) in enumerate(visits):
            state |= adds
            at = AT + timedelta(seconds=number)
            events += [
                {"id": 2 * number + 1, "timestamp": at, "stateEnteredEventDetails": {"name": name}},
                {"id": 2 * number + 2, "timestamp": at + timedelta(seconds=1),
                 "stateExitedEventDetails": {"name": name, "output": json.dumps(state)}},
            ]  # fmt: skip
        self.states.events[ARN] = events

    def live(self, **weights: int) -> None:
        route = Route(weights={int(version[1:]): weight for version, weight in weights.items()}, moves=1)
        move = {
            "number": 1, "kind": "promoted", "at": (AT + timedelta(seconds=4.5)).isoformat(), "by": "run r1", "why": "",
            "before": {}, "after": route.weights,
        }  # fmt: skip
        self.table.write(
            Write("ROUTE#m", "ROUTE", route.model_dump(mode="json")), Write("ROUTE#m", "MOVE#00000001", move)
        )
