"""Watching a cloud from outside, as a user with boto3 would."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from infra.local import cloud as local
from modelcycle.registry import DynamoTable, Registry, RunRecord
from tests.contract.rows import rows

PIPELINE = 'name: {model}\ntarget: "is it, sour?"\ntraining: {{trials: 3}}\n'


class Watch:
    """One model on a cloud of the tests."""

    def __init__(self, cloud: local.Cloud, model: str) -> None:
        self.cloud = cloud
        self.model = model
        self.registry = Registry(DynamoTable(self.client("dynamodb"), cloud.outputs["RegistryTable"]))

    def client(self, service: str) -> Any:
        return self.cloud.session().client(service)

    def pipeline(self, more: str = "") -> None:
        body = (PIPELINE.format(model=self.model) + more).encode()
        self.client("s3").put_object(
            Bucket=self.cloud.outputs["DataBucket"], Key=f"pipelines/{self.model}.yaml", Body=body
        )

    def upload(self, name: str, count: int = 600, seed: int = 1) -> None:
        """Plain boto3, no more."""
        self.client("s3").put_object(
            Bucket=self.cloud.outputs["DataBucket"], Key=f"raw/{self.model}/{name}", Body=rows(count, seed).encode()
        )

    def runs(self) -> list[RunRecord]:
        return self.registry.runs.latest(self.model)

    def executions(self, flow: str = "LifecycleArn") -> list[dict[str, Any]]:
        states = self.client("stepfunctions")
        found = states.list_executions(stateMachineArn=self.cloud.outputs[flow], maxResults=100)["executions"]
        return [e for e in found if self.model in states.describe_execution(executionArn=e["executionArn"])["input"]]

    def settled(self, runs: int = 1, seconds: float = 150) -> list[RunRecord]:
        """The model's runs, once there are `runs` of them and none of its executions is under way."""

        def quiet() -> list[RunRecord] | None:
            found = self.runs()
            ended = len(found) >= runs and all(record.state != "running" for record in found)
            return found if ended and all(e["status"] != "RUNNING" for e in self.executions()) else None

        return until(quiet, seconds, lambda: f"{[(r.state, r.reason) for r in self.runs()]} {self.executions()}")

    def live(self, seconds: float = 20) -> int:
        """The version that has all the traffic, once there is one."""
        return until(lambda: self.registry.routes.get(self.model).champion, seconds, lambda: "no version is live")


def until(look: Callable[[], Any], seconds: float, otherwise: Callable[[], str] = str) -> Any:
    """What `look` gives once it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s: {otherwise()}")
