"""The composition root: the only module that knows environment variables and botocore.

A function asks for what it needs (`adapters().artifacts`). A client is created at first use, so no function pays for
a service that it does not call.
"""

from __future__ import annotations

import os
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from modelcycle.bus import EventBridgeBus
from modelcycle.cloud_metrics import CloudWatch
from modelcycle.deployments import CodeDeploy
from modelcycle.erasing_store import S3ErasingStore
from modelcycle.faults import Fault, Unknown
from modelcycle.flows import StepFunctions
from modelcycle.invocations import LambdaFunction
from modelcycle.key_service import KmsKeys
from modelcycle.logs import CloudWatchLogs
from modelcycle.messages import Artifact
from modelcycle.outages import Unreachable, outages_as_faults
from modelcycle.registry import DynamoTable, Registry, Rewritten
from modelcycle.store import MAX_OBJECT_BYTES, S3Store
from modelcycle.workplace import Workplace

if TYPE_CHECKING:
    from modelcycle.policy.shelf import Shelf

MAX_CONCURRENT_CALLS = 32  # of the function that is loaded, see `Staging.concurrency`

AWS = "aws"  # the template's default of the parameter Place
NAMES_OF_RESOURCES = (
    "DATA_BUCKET", "ARTIFACT_BUCKET", "REGISTRY_TABLE", "EVENT_BUS", "CAPTURE_STREAM", "SIGNING_KEY", "PSEUDONYM_KEY",
)  # fmt: skip
START_BY_SAM = "run `modelcycle up`, then `sam local` with --env-vars build/sam/env.json (samconfig.toml names it)"


class Environment(BaseModel):
    """The environment variables that the template sets; not every function has all of them."""

    model_config = ConfigDict(frozen=True)

    code_version: str
    data_bucket: str = ""
    artifact_bucket: str = ""
    registry_table: str = ""
    seal_bucket: str = ""
    signing_key: str = ""
    pseudonym_key: str = ""
    event_bus: str = ""
    lifecycle: str = ""
    rollout: str = ""
    capture_stream: str = ""
    candidate: str = ""
    approval: Literal["pipeline", "always"] = "pipeline"
    stack: str = ""
    predict_log: str = ""
    predict_function: str = ""
    training_code: str = ""
    new_code: str = ""
    live_code: str = ""
    large_training: str = "none"
    max_object_mb: int = MAX_OBJECT_BYTES >> 20
    # set by the runtime of Lambda, or for a container by infra/container/run_step.py
    aws_lambda_function_memory_size: int | None = None
    container_reason: str = ""  # why a container does the work; empty in a function


class Adapters:
    """The adapters, each created at first use.

    Parameters
    ----------
    config : settings of all clients, by the names of botocore's Config
    """

    def __init__(self, environment: Environment, **config: Any) -> None:
        self.environment = environment
        self.config = config

    def client(self, service: str, **config: Any) -> Any:
        """Return a client of botocore; `config` overrides the settings of the other clients."""
        from botocore.config import Config

        settings = {
            # four attempts end within 60 s, the shortest time-out of a function; botocore's default is 60 s for one
            "connect_timeout": 2, "read_timeout": 10, "retries": {"mode": "standard", "total_max_attempts": 4},
            # botocore adds a prefix to the host name of some calls, which does not work with an endpoint on loopback
            "inject_host_prefix": False,
            # and that of the bucket to it
            **({"s3": {"addressing_style": "path"}} if _endpoint() else {}),
        } | self.config | config  # fmt: skip
        return self._session.create_client(service, config=Config(**settings))

    @cached_property
    def _session(self) -> Any:
        # boto3 would add what nobody uses here (resources, transfers) and make a cold start longer
        from botocore.session import get_session

        return get_session()

    @property
    def code(self) -> str:
        """The version of the code, on which every result depends."""
        return self.environment.code_version

    @property
    def is_local(self) -> bool:
        """Whether this is a local cloud, which has one operator."""
        return os.environ.get("PLACE", AWS) != AWS

    @property
    def enforces_policies(self) -> bool:
        """Whether this place refuses what a policy denies. LocalStack does not."""
        return os.environ.get("PLACE", AWS) != "localstack"

    @property
    def policies(self) -> Shelf:
        """The policies that are deployed with this function."""
        from modelcycle.policy.shelf import (
            deployed_shelf,
        )  # few functions have policies, and none that answers requests

        return deployed_shelf()

    @cached_property
    def data(self) -> S3Store:
        return S3Store(self._s3, self.environment.data_bucket, self._unreachable, replacement=self._replacement)

    @cached_property
    def artifacts(self) -> S3Store:
        return S3Store(
            self._s3, self.environment.artifact_bucket, self._unreachable, self.environment.max_object_mb * 2**20,
            replacement=self._replacement,
        )  # fmt: skip

    @cached_property
    def erasing_data(self) -> S3ErasingStore:
        """The data bucket with all versions of its objects; only the roles of erasures and of the sweep may delete."""
        return S3ErasingStore(self._s3, self.environment.data_bucket, self._unreachable, replacement=self._replacement)

    @cached_property
    def erasing_artifacts(self) -> S3ErasingStore:
        return S3ErasingStore(
            self._s3, self.environment.artifact_bucket, self._unreachable, replacement=self._replacement
        )

    def _replacement(self, artifact: Artifact) -> Rewritten | None:
        """Return what an erasure has made of an artifact; a function without a registry finds nothing."""
        return self.registry.erasures.replacement(artifact) if self.environment.registry_table else None

    @cached_property
    def seals(self) -> S3Store:
        """The bucket of the daily seals."""
        return S3Store(self._s3, self.environment.seal_bucket, self._unreachable)

    @cached_property
    def workplace(self) -> Workplace:
        """Where this process does its work, see `modelcycle.workplace`."""
        settings = self.environment
        return Workplace(
            self.artifacts, self.code, megabytes=settings.aws_lambda_function_memory_size,
            container=settings.large_training, is_container=bool(settings.container_reason),
            why=settings.container_reason,
        )  # fmt: skip

    @cached_property
    def registry(self) -> Registry:
        return Registry(DynamoTable(self.client("dynamodb"), self.environment.registry_table, self._unreachable))

    @cached_property
    def quick_registry(self) -> Registry:
        """For reads that a caller can do without: one attempt of half a second."""
        client = self.client("dynamodb", connect_timeout=0.5, read_timeout=0.5, retries={"total_max_attempts": 1})
        return Registry(DynamoTable(client, self.environment.registry_table, self._unreachable))

    @cached_property
    def keys(self) -> KmsKeys:
        """The keys that sign and make pseudonyms. The client is made when one is used."""
        settings = self.environment
        return KmsKeys(lambda: self.client("kms"), settings.signing_key, settings.pseudonym_key, self._unreachable)

    @cached_property
    def bus(self) -> EventBridgeBus:
        return EventBridgeBus(self.client("events"), self.environment.event_bus, self._unreachable)

    @cached_property
    def flows(self) -> StepFunctions:
        return StepFunctions(self.client("stepfunctions"), self._unreachable)

    @cached_property
    def candidate(self) -> LambdaFunction:
        """The function that serves any registered version. A load test counts each call: nothing is tried twice."""
        client = self.client(
            "lambda", read_timeout=35, retries={"total_max_attempts": 1}, max_pool_connections=MAX_CONCURRENT_CALLS
        )
        return LambdaFunction(client, self.environment.candidate, self._unreachable)

    @cached_property
    def new_code(self) -> LambdaFunction:
        """The version of a function that is about to serve."""
        return self._checked(self.environment.new_code)

    @cached_property
    def live_code(self) -> LambdaFunction:
        """The same function as it serves now."""
        return self._checked(self.environment.live_code)

    def _checked(self, name: str) -> LambdaFunction:
        # longer than such a function may take; a second attempt would wait as long
        client = self.client("lambda", read_timeout=35, retries={"total_max_attempts": 1})
        return LambdaFunction(client, name, self._unreachable)

    @cached_property
    def predict_log(self) -> CloudWatchLogs:
        """The log of the function that answers requests. A page of it may take longer than other answers."""
        return CloudWatchLogs(self.client("logs", read_timeout=30), self.environment.predict_log, self._unreachable)

    @cached_property
    def metrics(self) -> CloudWatch:
        settings = self.environment
        return CloudWatch(self.client("cloudwatch"), settings.stack, settings.predict_function, self._unreachable)

    @cached_property
    def deployments(self) -> CodeDeploy:
        return CodeDeploy(self.client("codedeploy"), self._unreachable)

    def bucket(self, name: str | None) -> S3Store:
        """Return a bucket by its name; None is the bucket with the uploads."""
        return S3Store(self._s3, name, self._unreachable) if name else self.data

    def secret(self, name: str) -> str:
        """Return the text of a secret of this stack.

        Raises
        ------
        Unknown : there is none, or it holds no text
        Transient : Secrets Manager does not answer
        """
        full_name = f"{self.environment.stack}/{name}"
        remedy = f"store it: `modelcycle secret {name}`"
        client = self.client("secretsmanager")
        with outages_as_faults("Secrets Manager", full_name, self._unreachable):
            try:
                text: str | None = client.get_secret_value(SecretId=full_name).get("SecretString")
            except client.exceptions.ResourceNotFoundException:
                raise Unknown(f"there is no secret {name}", f"secret {full_name}", remedy) from None
        if not text:
            raise Unknown(f"the secret {name} holds no text", f"secret {full_name}", remedy)
        return text

    @cached_property
    def firehose(self) -> Any:
        # on Lambda, an environment takes no further request before this call ends: one short attempt
        return self.client("firehose", connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1})

    @cached_property
    def _unreachable(self) -> Unreachable:
        from botocore.exceptions import ConnectionError as NoConnection
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        # no answer, a late one, an incomplete one
        return (NoConnection, HTTPClientError, IncompleteReadError)

    @cached_property
    def _s3(self) -> Any:
        return self.client("s3")


@cache
def adapters(**config: Any) -> Adapters:
    """Return the adapters of this process; `config` as for `Adapters`.

    Raises
    ------
    Fault : a variable is missing or empty, or the function would talk to AWS by mistake
    """
    _check_place()
    variables = {name: os.environ[name.upper()] for name in Environment.model_fields if name.upper() in os.environ}
    try:
        return Adapters(Environment(**variables), **config)
    except ValidationError as problems:
        names = ", ".join(str(problem["loc"][0]).upper() for problem in problems.errors())
        raise Fault(
            f"environment variables are missing: {names}", "template.yaml, Globals", "deploy the template again"
        ) from None


def _check_place() -> None:
    """Check that the function knows the resources and the address of its place.

    `sam local` starts it with empty variables where only a deployment gives the values; without an address, botocore
    would silently talk to AWS.
    """
    place = os.environ.get("PLACE", AWS)
    if place != AWS and not _endpoint():
        raise Fault(
            f"this function belongs to a local cloud (Place={place}), and no address is set: it would talk to AWS",
            "AWS_ENDPOINT_URL", START_BY_SAM,
        )  # fmt: skip
    empty = [name for name in NAMES_OF_RESOURCES if os.environ.get(name) == ""]
    if empty:
        raise Fault(f"the names of the stack's resources are empty: {', '.join(empty)}", "environment", START_BY_SAM)


def _endpoint() -> str:
    """Return the address of a local cloud; empty on AWS."""
    return os.environ.get("AWS_ENDPOINT_URL", "")


def runtime_api() -> str | None:
    """Return host and port of Lambda's runtime and extensions APIs; None outside a function's process."""
    return os.environ.get("AWS_LAMBDA_RUNTIME_API")
