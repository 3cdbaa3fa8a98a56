"""The places outside this project: a LocalStack, found through LOCALSTACK_HOST, and AWS, by boto3's configuration.

In both, CloudFormation gives the outputs of the stack `modelcycle-{stage}`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from cli.place import Credentials, Place, Session, home
from modelcycle.faults import BadInput, Fault

LOCALSTACK_UP = "`modelcycle up --place localstack`"


class AwsSession:
    """boto3 with the credentials and region of its own configuration."""

    def __init__(self) -> None:
        import boto3

        # the AWS command line reads AWS_REGION too, boto3 does not
        self.boto3 = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)

    def client(self, service: str, **settings: Any) -> Any:
        from botocore.config import Config

        return self.boto3.client(service, config=Config(**settings))


def aws(stage: str) -> Place:
    """Connect to AWS.

    Raises
    ------
    BadInput : boto3 finds no credentials or no region
    Fault : there is no such stack
    """
    session = AwsSession()
    credentials, region = session.boto3.get_credentials(), session.boto3.region_name
    if credentials is None or region is None:
        raise BadInput(
            "there are no AWS credentials" if credentials is None else "no AWS region is set", "--place aws",
            "set AWS_PROFILE, and AWS_REGION if the profile names none",
        )  # fmt: skip
    keys = credentials.get_frozen_credentials()
    signing = Credentials(keys.access_key, keys.secret_key, keys.token)
    return Place("aws", session, _outputs(session, stage, f"aws at {region}"), signing, region)


def localstack(stage: str) -> Place:
    """Connect to a LocalStack, as root: the one that LOCALSTACK_HOST names, or that `up` has started.

    Raises
    ------
    BadInput : LOCALSTACK_HOST is not HOST:PORT
    Fault : there is no such stack, or no LocalStack answers
    """
    from botocore.exceptions import EndpointConnectionError

    from infra.local.clients import ClientFactory

    endpoint = localstack_endpoint()
    session = ClientFactory(endpoint, "test", "test")
    try:
        outputs = _outputs(session, stage, f"localstack at {endpoint}", LOCALSTACK_UP)
    except EndpointConnectionError:
        raise Fault(
            "no LocalStack answers", endpoint, "`modelcycle up --place localstack --start` starts one"
        ) from None
    outputs = {name: _localstack_url(endpoint, value) for name, value in outputs.items()}
    return Place("localstack", session, outputs, Credentials("test", "test"), session.region_name, endpoint)


def localstack_endpoint() -> str:
    """Return the endpoint of the LocalStack that a command means.

    Raises
    ------
    BadInput : LOCALSTACK_HOST is not HOST:PORT
    """
    from infra.local.localstack import place

    try:
        return place.endpoint(home())
    except RuntimeError:
        raise BadInput(
            "LOCALSTACK_HOST is not HOST:PORT", "LOCALSTACK_HOST", "write it without http://, as in localhost:4566"
        ) from None


def deploy_localstack(stage: str, *, start: bool, port: int | None, say: Callable[[str], None]) -> None:
    """Deploy what has changed to a LocalStack.

    Parameters
    ----------
    start : start one if none of ours runs
    port : for `start`; else that of LOCALSTACK_HOST, else that of the running one, else 4566

    Raises
    ------
    BadInput, Fault
    """
    from infra.local.localstack import place

    named = os.environ.get("LOCALSTACK_HOST")
    if not start and port is not None:
        raise BadInput("--port is for --start", "--port", "add --start, or name the endpoint with LOCALSTACK_HOST")
    if start and named:
        localstack_endpoint()
        host, _, named_port = named.rpartition(":")
        if host not in ("localhost", "127.0.0.1") or port not in (None, int(named_port)):
            raise BadInput(
                f"LOCALSTACK_HOST is {named}: later commands would not find the LocalStack that is started here",
                "LOCALSTACK_HOST", "unset it, or give it the same port",
            )  # fmt: skip
        port = int(named_port)
    if not start:
        localstack_endpoint()
    place.up(stage, start=start, port=port, home=home(), say=say)


def stop_localstack() -> bool:
    """Stop the LocalStack that `up` has started; return whether one ran."""
    from infra.local.localstack import place

    return place.down(home=home())


def _localstack_url(endpoint: str, url: str) -> str:
    """Return an API's address on the endpoint itself, which needs no DNS."""
    api = re.match(r"https?://([^./]+)\.execute-api\.[^/]+/([^/]+)(/.*)?$", url)
    return f"{endpoint}/restapis/{api[1]}/{api[2]}/_user_request_{api[3] or ''}" if api else url


def _outputs(session: Session, stage: str, where: str, remedy: str = "`make deploy`") -> dict[str, str]:
    from botocore.exceptions import ClientError

    name = f"modelcycle-{stage}"
    try:
        stack = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise Fault(
            f"there is no stack {name}", where, f"deploy it ({remedy}), or choose another with --stage"
        ) from None
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
