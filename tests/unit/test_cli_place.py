"""The places are found, each in its own way; where nothing is deployed, that is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import place as places
from cli.place import Credentials, Place
from infra.local import clients
from infra.local.faults import CloudStopped
from modelcycle.faults import BadInput, Fault


class CloudFormation:
    def __init__(self, outputs: dict[str, str] | None) -> None:
        self.outputs = outputs

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        if self.outputs is None:
            message = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")
        return {"Stacks": [{"Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in self.outputs.items()]}]}


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> CloudFormation:
    made = CloudFormation({"ApiUrl": "https://abc123.execute-api.us-east-1.amazonaws.com/live", "DataBucket": "d"})
    monkeypatch.setattr(clients.ClientFactory, "client", lambda self, service, **settings: made)
    return made


@pytest.mark.usefixtures("stack")
def test_the_api_of_a_localstack_is_reached_through_its_endpoint() -> None:
    found = places.find("localstack")
    assert found.api_url == f"{found.endpoint}/restapis/abc123/live/_user_request_"
    assert found.output("DataBucket") == "d"
    with pytest.raises(Fault, match="no output RolloutArn"):
        found.output("RolloutArn")


def test_a_stack_that_is_not_there_is_named(stack: CloudFormation) -> None:
    stack.outputs = None
    with pytest.raises(Fault, match="no stack modelcycle-staging") as caught:
        places.find("localstack", "staging")
    assert "--stage" in caught.value.remedy


def test_aws_without_credentials_says_which_variable_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.Session.get_credentials", lambda self: None)
    with pytest.raises(BadInput, match="no AWS credentials") as caught:
        places.find("aws")
    assert "AWS_PROFILE" in caught.value.remedy


def test_a_local_cloud_that_is_down_is_not_started_to_be_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODELCYCLE_HOME", str(tmp_path / "home"))
    with pytest.raises(CloudStopped):
        places.find("local")


@pytest.mark.parametrize("port", ["x", "-1", "99999", "²"])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: str) -> None:
    monkeypatch.setenv("MODELCYCLE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODELCYCLE_PORT", port)
    with pytest.raises(BadInput, match="is no port"):
        places.find("local", start=True)


def test_no_secret_stands_in_what_is_printed_of_a_place() -> None:
    place = Place("aws", None, {}, Credentials("KEY", "SECRET", "TOKEN"))  # type: ignore[arg-type]
    assert "SECRET" not in repr(place)
    assert "TOKEN" not in repr(place)
