"""A place where ModelCycle is deployed: the project's local cloud, a LocalStack, or AWS."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from modelcycle.faults import BadInput, Fault, Unknown

if TYPE_CHECKING:
    from modelcycle.registry import Registry
    from modelcycle.store import S3Store

PlaceName = Literal["local", "localstack", "aws"]


class Session(Protocol):
    """Creates boto3 clients for a place."""

    def client(self, service: str, **settings: Any) -> Any:
        """Return a boto3 client; `settings` are arguments of botocore's Config."""


@dataclass(frozen=True)
class Credentials:
    """What signs a request; `token` belongs to temporary credentials."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class Caller(NamedTuple):
    """Who acts: the ARN as STS writes it, and the id that IAM has given them, which is never used again."""

    arn: str
    user_id: str


@dataclass
class Place:
    """A deployed ModelCycle.

    Parameters
    ----------
    outputs : of the stack, by name
    endpoint : of all services; empty on AWS
    """

    name: PlaceName
    session: Session = field(repr=False)
    outputs: dict[str, str]
    credentials: Credentials
    region: str = "us-east-1"
    endpoint: str = ""

    def client(self, service: str, **settings: Any) -> Any:
        """Return a boto3 client; `settings` are arguments of botocore's Config."""
        return self.session.client(service, **settings)

    def output(self, name: str) -> str:
        """Return an output of the stack.

        Raises
        ------
        Fault : the stack has no such output
        """
        if name not in self.outputs:
            raise Fault(f"the stack has no output {name}", self.title, "deploy the template again: `modelcycle up`")
        return self.outputs[name]

    @property
    def identity(self) -> str:
        """The ARN of who acts, as STS writes it."""
        return self.caller.arn

    @cached_property
    def caller(self) -> Caller:
        """Who acts, which STS tells without a permission (AWS page "GetCallerIdentity")."""
        answer = self.client("sts").get_caller_identity()
        return Caller(answer["Arn"], answer.get("UserId", ""))

    def check_model(self, model: str) -> None:
        """Raise Unknown if there is no model of that name."""
        if not self.registry.runs.has_model(model):
            raise Unknown(f"there is no model {model}", self.title, "`modelcycle models` lists the models")

    @property
    def api_url(self) -> str:
        """The address of the prediction API, without a slash at the end."""
        return self.output("ApiUrl").rstrip("/")

    @property
    def title(self) -> str:
        """The place for people, such as `local cloud at http://127.0.0.1:4566`."""
        name = "local cloud" if self.name == "local" else self.name
        return f"{name} at {self.endpoint or self.region}"

    @cached_property
    def s3(self) -> Any:
        """The S3 client."""
        return self.client("s3")

    @cached_property
    def states(self) -> Any:
        """The Step Functions client."""
        return self.client("stepfunctions")

    @cached_property
    def registry(self) -> Registry:
        """The registry, in the stack's DynamoDB table."""
        from modelcycle.registry import DynamoTable, Registry

        return Registry(DynamoTable(self.client("dynamodb"), self.output("RegistryTable")))

    @cached_property
    def artifacts(self) -> S3Store:
        """The bucket of artifacts; what an erasure has written anew is read by its former address."""
        from modelcycle.store import S3Store

        return S3Store(
            self.s3, self.output("ArtifactBucket"), replacement=lambda one: self.registry.erasures.replacement(one)
        )


def home() -> Path | None:
    """Return the folder of the local cloud's state in MODELCYCLE_HOME; None means the project's own."""
    folder = os.environ.get("MODELCYCLE_HOME")
    return Path(folder) if folder else None


def not_on_aws(name: PlaceName, verb: str) -> None:
    """Raise BadInput for a verb that AWS does not have."""
    if name == "aws":
        raise BadInput(f"`{verb}` does not work on AWS", f"--place {name}", "`make deploy`")
