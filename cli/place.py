"""Where the command line works: the embedded cloud, a LocalStack, or AWS. The one file that knows the difference.

    local        the embedded cloud of this project, as its IAM user `operator`
    localstack   the endpoint that localstack-client finds (LOCALSTACK_HOST), as root
    aws          the account and region of boto3's own configuration

Outside `local`, the stack's outputs come from CloudFormation, stack `modelcycle-{stage}`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from modelcycle.faults import BadInput, Fault

if TYPE_CHECKING:
    from modelcycle.registry import Registry

Name = Literal["local", "localstack", "aws"]


class Session(Protocol):
    def client(self, service: str, **settings: Any) -> Any:
        """A boto3 client; `settings` go into botocore's Config."""


@dataclass(frozen=True)
class Credentials:
    """What signs a request. `token` only for temporary ones."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass
class Place:
    """A deployed ModelCycle. `outputs` are the stack's, by name; `endpoint` is empty on AWS."""

    name: Name
    session: Session = field(repr=False)
    outputs: dict[str, str]
    credentials: Credentials
    region: str = "us-east-1"
    endpoint: str = ""

    def client(self, service: str, **settings: Any) -> Any:
        return self.session.client(service, **settings)

    def output(self, name: str) -> str:
        """Raises Fault where the stack doesn't say it."""
        if name not in self.outputs:
            raise Fault(f"the stack has no output {name}", self.title, "deploy the template again: `modelcycle up`")
        return self.outputs[name]

    @property
    def api_url(self) -> str:
        return self.output("ApiUrl").rstrip("/")

    @property
    def title(self) -> str:
        return (
            f"local cloud at {self.endpoint}"
            if self.name == "local"
            else f"{self.name} at {self.endpoint or self.region}"
        )

    @cached_property
    def s3(self) -> Any:
        return self.client("s3")

    @cached_property
    def states(self) -> Any:
        return self.client("stepfunctions")

    @cached_property
    def registry(self) -> Registry:
        from modelcycle.registry import DynamoTable, Registry

        return Registry(DynamoTable(self.client("dynamodb"), self.output("RegistryTable")))


def find(
    name: Name,
    stage: str = "dev",
    *,
    start: bool = False,
    port: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Place:
    """The place of that name.

    Parameters
    ----------
    start : bring the local cloud up, and deploy what has changed, when it is not there
    port : where it shall listen; else MODELCYCLE_PORT, else where it does already, else 4566

    Raises
    ------
    Fault : nothing is deployed there, or nobody answers
    """
    if name == "local":
        from infra.local import cloud

        local = cloud.up(port=port or _port(), home=home(), say=say) if start else cloud.connect(home=home())
        session = local.operator
        return Place("local", session, local.outputs, Credentials(*session.credentials()), endpoint=local.endpoint)
    return _localstack(stage) if name == "localstack" else _aws(stage)


def home() -> Path | None:
    """The folder of the local cloud's state, where it is not the project's own."""
    told = os.environ.get("MODELCYCLE_HOME")
    return Path(told) if told else None


def _port() -> int:
    from infra.local import cloud

    told = os.environ.get("MODELCYCLE_PORT", "")
    if told and not (told.isascii() and told.isdigit() and 0 < int(told) < 65536):
        raise BadInput(f"{told!r} is no port", "MODELCYCLE_PORT", "give a number from 1024 to 65535")
    return int(told) if told else cloud.status(home=home()).port or 4566


def only_local(name: Name, verb: str) -> None:
    """Raises BadInput for a verb that has a meaning on the laptop alone."""
    if name != "local":
        remedy = "make deploy" if name == "aws" else "deploy template.yaml with LocalStack's samlocal"
        raise BadInput(f"`{verb}` is for the embedded cloud", f"--place {name}", f"there: {remedy}")


def _localstack(stage: str) -> Place:
    from localstack_client.config import get_service_endpoint

    from infra.local.clients import ClientFactory

    endpoint = str(get_service_endpoint("s3"))
    session = ClientFactory(endpoint, "test", "test")
    outputs = _outputs(session, stage, f"localstack at {endpoint}")
    if "ApiUrl" in outputs:
        outputs["ApiUrl"] = _through(endpoint, outputs["ApiUrl"])
    return Place("localstack", session, outputs, Credentials("test", "test"), session.region_name, endpoint)


def _through(endpoint: str, url: str) -> str:
    """An API's address the way a LocalStack answers to it without a name server."""
    found = re.match(r"https?://([^./]+)\.execute-api\.[^/]+/([^/]+)", url)
    return f"{endpoint}/restapis/{found[1]}/{found[2]}/_user_request_" if found else url


class _Account:
    """boto3 with the profile at hand."""

    def __init__(self) -> None:
        import boto3

        self.boto3 = boto3.Session()

    def client(self, service: str, **settings: Any) -> Any:
        from botocore.config import Config

        return self.boto3.client(service, config=Config(**settings))


def _aws(stage: str) -> Place:
    session = _Account()
    found = session.boto3.get_credentials()
    region = session.boto3.region_name
    if found is None or region is None:
        raise BadInput(
            "there are no AWS credentials" if found is None else "no AWS region is set", "--place aws",
            "set AWS_PROFILE, and AWS_REGION if the profile names none",
        )  # fmt: skip
    frozen = found.get_frozen_credentials()
    credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
    return Place("aws", session, _outputs(session, stage, f"aws at {region}"), credentials, region)


def _outputs(session: Session, stage: str, where: str) -> dict[str, str]:
    from botocore.exceptions import ClientError

    stack = f"modelcycle-{stage}"
    try:
        found = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise Fault(
            f"there is no stack {stack}", where, "deploy it (`make deploy`), or name another with --stage"
        ) from None
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
