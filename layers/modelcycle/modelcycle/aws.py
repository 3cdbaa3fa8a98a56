"""The composition root: the one place that knows environment variables and boto3.

A function asks for what it needs (`adapters().artifacts`). A client is created at first use, so no function pays for
a service that it doesn't call.
"""

from __future__ import annotations

import os
from functools import cache, cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from modelcycle.bus import EventBridgeBus
from modelcycle.faults import Fault
from modelcycle.flows import StepFunctions
from modelcycle.outages import Unreachable
from modelcycle.registry import DynamoTable, Registry
from modelcycle.store import S3Store


class Environment(BaseModel):
    """What the template tells a function. Not every function is told everything."""

    model_config = ConfigDict(frozen=True)

    code_version: str
    data_bucket: str = ""
    artifact_bucket: str = ""
    registry_table: str = ""
    event_bus: str = ""
    lifecycle: str = ""
    rollout: str = ""
    capture_stream: str = ""


class Adapters:
    """The adapters, each made at its first use. `config` (botocore's names) holds for all clients of this function."""

    def __init__(self, environment: Environment, **config: Any) -> None:
        self.environment = environment
        self.config = config

    def client(self, service: str, **config: Any) -> Any:
        import boto3
        from botocore.config import Config

        settings = {
            # four attempts end within the shortest time that a function has, 60 s; boto3 alone waits 60 s for one
            "connect_timeout": 2, "read_timeout": 10, "retries": {"mode": "standard", "total_max_attempts": 4},
            # boto3 prefixes the host of some calls, which an endpoint on loopback cannot answer
            "inject_host_prefix": False,
        } | self.config | config  # fmt: skip
        return boto3.client(service, config=Config(**settings))

    @property
    def code(self) -> str:
        """The version of the code, part of what every result depends on."""
        return self.environment.code_version

    @cached_property
    def data(self) -> S3Store:
        return S3Store(self._s3, self.environment.data_bucket, self._unreachable)

    @cached_property
    def artifacts(self) -> S3Store:
        return S3Store(self._s3, self.environment.artifact_bucket, self._unreachable)

    @cached_property
    def registry(self) -> Registry:
        return Registry(DynamoTable(self.client("dynamodb"), self.environment.registry_table, self._unreachable))

    @cached_property
    def quick_registry(self) -> Registry:
        """For a read that someone waits for and can do without: it is given up after half a second."""
        client = self.client("dynamodb", connect_timeout=0.5, read_timeout=0.5, retries={"total_max_attempts": 1})
        return Registry(DynamoTable(client, self.environment.registry_table, self._unreachable))

    @cached_property
    def bus(self) -> EventBridgeBus:
        return EventBridgeBus(self.client("events"), self.environment.event_bus, self._unreachable)

    @cached_property
    def flows(self) -> StepFunctions:
        return StepFunctions(self.client("stepfunctions"), self._unreachable)

    @cached_property
    def firehose(self) -> Any:
        # an answer waits for this call: short, and once
        return self.client("firehose", connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1})

    @cached_property
    def _unreachable(self) -> Unreachable:
        from botocore.exceptions import ConnectionError as NoConnection
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        return (NoConnection, HTTPClientError, IncompleteReadError)  # nobody there; no answer in time; half an answer

    @cached_property
    def _s3(self) -> Any:
        return self.client("s3")


@cache
def adapters(**config: Any) -> Adapters:
    """The adapters of this process; `config` as for `Adapters`.

    Raises
    ------
    Fault : a variable is missing in the function's environment
    """
    variables = {name: os.environ[name.upper()] for name in Environment.model_fields if name.upper() in os.environ}
    try:
        return Adapters(Environment(**variables), **config)
    except ValidationError as problems:
        names = ", ".join(str(problem["loc"][0]).upper() for problem in problems.errors())
        raise Fault(
            f"the function's environment lacks {names}", "template.yaml, Globals", "deploy the template again"
        ) from None
