"""A model on a cloud of the tests, used from outside as with boto3."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from infra.local.cloud import LocalCloud
from modelcycle.registry import DynamoTable, Registry, RunRecord
from tests.contract.rows import rows

PIPELINE = 'name: {model}\ntarget: "is it, sour?"\ntraining: {{trials: 3}}\n'
UNHURRIED = "staging: {concurrency: [], p99_ms: 5000}\n"  # without load test: a machine that is busy is slow
POLL_INTERVAL = 0.3  # seconds


class ObservedModel:
    """One model: uploads its files, and waits for its runs."""

    def __init__(self, cloud: LocalCloud, name: str) -> None:
        self.cloud = cloud
        self.name = name
        self.registry = Registry(DynamoTable(self.client("dynamodb"), cloud.outputs["RegistryTable"]))

    def client(self, service: str) -> Any:
        """Return a boto3 client of the operator."""
        return self.cloud.operator.client(service)

    def invoke(self, function: str, **event: Any) -> dict[str, Any]:
        """Return what a function answers, which is called by its name in the template."""
        functions = self.cloud.admin.client("lambda")
        pages = functions.get_paginator("list_functions").paginate().build_full_result()["Functions"]
        (name,) = (one["FunctionName"] for one in pages if one["FunctionName"].startswith(f"modelcycle-{function}-"))
        answer = functions.invoke(FunctionName=f"{name}:live", Payload=json.dumps(event))
        result: dict[str, Any] = json.loads(answer["Payload"].read())
        assert "errorMessage" not in result, result
        return result

    def put_pipeline(self, more: str = "") -> None:
        """Upload the pipeline file, with more keys; how fast the version is, is not tested unless they say so."""
        body = (PIPELINE.format(model=self.name) + more + ("" if "staging:" in more else UNHURRIED)).encode()
        bucket = self.cloud.outputs["DataBucket"]
        self.client("s3").put_object(Bucket=bucket, Key=f"pipelines/{self.name}.yaml", Body=body)

    def upload(self, file: str, count: int = 600, seed: int = 1) -> None:
        """Upload `count` rows, which starts a run."""
        bucket, body = self.cloud.outputs["DataBucket"], rows(count, seed).encode()
        self.client("s3").put_object(Bucket=bucket, Key=f"raw/{self.name}/{file}", Body=body)

    def runs(self) -> list[RunRecord]:
        """Return the model's runs, the newest first."""
        return self.registry.runs.latest(self.name)

    def weights(self) -> dict[int, int]:
        """Return the share of the traffic of each version, in percent."""
        return self.registry.routes.get(self.name).weights

    def executions(self, machine: str = "LifecycleArn") -> list[dict[str, Any]]:
        """Return the model's executions of the state machine in an output of the stack, the newest first."""
        states = self.client("stepfunctions")
        listed = states.list_executions(stateMachineArn=self.cloud.outputs[machine], maxResults=100)["executions"]
        return [
            execution
            for execution in listed
            if self.name in states.describe_execution(executionArn=execution["executionArn"])["input"]
        ]

    def wait_for_runs(self, count: int = 1, seconds: float = 150) -> list[RunRecord]:
        """Return the runs once there are `count` of them, all have ended, and no execution is in progress."""

        def ended_runs() -> list[RunRecord] | None:
            records = self.runs()
            if len(records) < count or any(record.state == "running" for record in records):
                return None
            return None if any(e["status"] == "RUNNING" for e in self.executions()) else records

        return wait_for(
            ended_runs, seconds, lambda: f"{[(r.state, r.reason) for r in self.runs()]} {self.executions()}"
        )

    def wait_for_state(self, state: str, seconds: float) -> None:
        """Wait until an execution in progress has entered a state of the lifecycle."""
        states = self.client("stepfunctions")

        def has_entered() -> bool:
            for execution in self.executions():
                if execution["status"] == "RUNNING":
                    arn = execution["executionArn"]
                    events = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
                    if any(event.get("stateEnteredEventDetails", {}).get("name") == state for event in events):
                        return True
            return False

        wait_for(has_entered, seconds, lambda: f"{state} was not entered: {self.runs()}", interval=0.03)

    def wait_until_live(self, seconds: float = 20) -> int:
        """Return the version with all the traffic, once there is one."""
        return wait_for(
            lambda: self.registry.routes.get(self.name).champion, seconds, lambda: "no version has all the traffic"
        )


def wait_for(
    get: Callable[[], Any], seconds: float, describe: Callable[[], str] = str, interval: float = POLL_INTERVAL
) -> Any:
    """Return the first true value of `get`; fail with the description after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = get()
        if value:
            return value
        time.sleep(interval)
    raise AssertionError(f"not within {seconds} s: {describe()}")
