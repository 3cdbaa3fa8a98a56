"""The places outside this project: a LocalStack, found through LOCALSTACK_HOST, and AWS, by boto3's configuration.

In both, CloudFormation gives the outputs of the stack `modelcycle-{stage}`.
"""

from __future__ import annotations

import re
from typing import Any

from cli.place import Credentials, Place, Session
from modelcycle.faults import BadInput, Fault


class AwsSession:
    """boto3 with the credentials and region of its own configuration."""

    def __init__(self) -> None:
        import boto3

        self.boto3 = boto3.Session()

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
    """Connect to a LocalStack, as root.

    Raises
    ------
    BadInput : LOCALSTACK_HOST is not HOST:PORT
    Fault : there is no such stack
    """
    from localstack_client.config import get_service_endpoint

    from infra.local.clients import ClientFactory

    try:
        endpoint = str(get_service_endpoint("s3"))
    except RuntimeError:
        raise BadInput(
            "LOCALSTACK_HOST is not HOST:PORT", "LOCALSTACK_HOST", "write it without http://, as in localhost:4566"
        ) from None
    session = ClientFactory(endpoint, "test", "test")
    outputs = _outputs(session, stage, f"localstack at {endpoint}")
    if "ApiUrl" in outputs:
        outputs["ApiUrl"] = _localstack_url(endpoint, outputs["ApiUrl"])
    return Place("localstack", session, outputs, Credentials("test", "test"), session.region_name, endpoint)


def _localstack_url(endpoint: str, url: str) -> str:
    """Return an API's address on the endpoint itself, which needs no DNS."""
    api = re.match(r"https?://([^./]+)\.execute-api\.[^/]+/([^/]+)", url)
    return f"{endpoint}/restapis/{api[1]}/{api[2]}/_user_request_" if api else url


def _outputs(session: Session, stage: str, where: str) -> dict[str, str]:
    from botocore.exceptions import ClientError

    name = f"modelcycle-{stage}"
    try:
        stack = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise Fault(
            f"there is no stack {name}", where, "deploy it (`make deploy`), or choose another with --stage"
        ) from None
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
