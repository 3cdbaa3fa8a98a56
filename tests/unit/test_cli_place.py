"""Places are opened, each in its own way; if nothing is deployed, the error says so."""

from __future__ import annotations

import json
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import decide as deciding
from cli import open_place as opening
from cli import signing
from cli.main import main
from cli.place import Credentials, Place
from cli.remote import AwsSession
from infra.local import clients
from infra.local.cloud import LocalCloud
from infra.local.faults import CloudStopped
from infra.local.keys import Key, write_key
from modelcycle.faults import BadInput, Fault, NotAllowed


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
    place = opening.open_place("localstack")
    assert place.api_url == f"{place.endpoint}/restapis/abc123/live/_user_request_"
    assert place.output("DataBucket") == "d"
    with pytest.raises(Fault, match="no output RolloutArn"):
        place.output("RolloutArn")


def test_a_missing_stack_is_named(stack: CloudFormation) -> None:
    stack.outputs = None
    with pytest.raises(Fault, match="no stack modelcycle-staging") as caught:
        opening.open_place("localstack", "staging")
    assert "--stage" in caught.value.remedy


def test_the_region_of_aws_is_read_from_the_variable_that_the_remedy_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert AwsSession().boto3.region_name == "eu-north-1"


def test_aws_without_credentials_says_which_variable_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.Session.get_credentials", lambda self: None)
    with pytest.raises(BadInput, match="no AWS credentials") as caught:
        opening.open_place("aws")
    assert "AWS_PROFILE" in caught.value.remedy


def test_opening_a_local_cloud_that_is_down_does_not_start_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELCYCLE_HOME", str(tmp_path / "home"))
    with pytest.raises(CloudStopped):
        opening.open_place("local")


@pytest.mark.parametrize("port", ["x", "-1", "99999", "²"])
def test_an_invalid_port_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: str) -> None:
    monkeypatch.setenv("MODELCYCLE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODELCYCLE_PORT", port)
    with pytest.raises(BadInput, match="is not a port"):
        opening.open_place("local", start=True)


def test_a_printed_place_shows_no_secret() -> None:
    place = Place("aws", None, {}, Credentials("KEY", "SECRET", "TOKEN"))  # type: ignore[arg-type]
    assert "SECRET" not in repr(place)
    assert "TOKEN" not in repr(place)


@pytest.mark.parametrize(("arguments", "variable", "opened"), [
    ([], None, ("local", "dev")),
    ([], "aws", ("aws", "dev")),
    (["--place", "localstack"], "aws", ("localstack", "dev")),
    (["--place", "aws", "--stage", "prod"], None, ("aws", "prod")),
])  # fmt: skip
def test_the_shared_options_name_the_place(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], variable: str | None, opened: tuple[str, str]
) -> None:
    calls: list[tuple[str, str]] = []

    def open_place(*name_and_stage: str, **settings: Any) -> Place:
        calls.append(name_and_stage)  # type: ignore[arg-type]
        raise Fault("not here")

    if variable:
        monkeypatch.setenv("MODELCYCLE_PLACE", variable)
    else:
        monkeypatch.delenv("MODELCYCLE_PLACE", raising=False)
    monkeypatch.setattr(opening, "open_place", open_place)
    assert main(["models", *arguments]) == 1
    assert calls == [opened]


def test_a_localstack_host_that_is_a_url_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSTACK_HOST", "http://127.0.0.1:4566")
    with pytest.raises(BadInput, match="not HOST:PORT"):
        opening.open_place("localstack")


def test_the_command_alone_prints_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    screen = capsys.readouterr()
    assert "rollback" in screen.out and not screen.err


class Iam:
    """Takes what the script of docs/policy.md asks, and remembers it."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        self.attached: list[str] = []

    def client(self, service: str, **settings: Any) -> Iam:
        assert service == "iam"
        self.settings = settings
        return self

    def create_user(self, *, UserName: str) -> None:  # noqa: N803
        assert UserName == "ann"

    def attach_user_policy(self, *, UserName: str, PolicyArn: str) -> None:  # noqa: N803
        self.attached.append(f"{UserName} {PolicyArn}")

    def create_access_key(self, *, UserName: str) -> dict[str, Any]:  # noqa: N803
        created = {"AccessKeyId": "AKIAANN", "SecretAccessKey": "secret of ann", "CreateDate": datetime.now(UTC)}
        return {"AccessKey": created | {"UserName": UserName}}


def test_the_script_of_the_document_makes_another_person_of_the_local_cloud(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "policy.md").read_text()
    (script,) = [one for one in re.findall(r"```python\n(.*?)```", text, re.S) if "ann.json" in one]
    monkeypatch.chdir(tmp_path)
    outputs = {"AuditorPolicy": "arn:auditor", "DecidePolicy": "arn:approver"}
    (tmp_path / "cloud.json").write_text(json.dumps({"endpoint": "http://127.0.0.1:4599", "outputs": outputs}))
    write_key(tmp_path / "root.half.json", root := Key("AKIAROOT", "secret of root"))
    (tmp_path / ".modelcycle").mkdir()
    (tmp_path / "root.half.json").rename(tmp_path / ".modelcycle" / "root.json")
    iam, mask = Iam(), os.umask(0o022)
    monkeypatch.setattr("boto3.client", iam.client)
    try:
        exec(compile(script, "docs/policy.md", "exec"), {})
    finally:
        os.umask(mask)
    assert iam.settings["endpoint_url"] == "http://127.0.0.1:4599"
    assert iam.settings["aws_secret_access_key"] == root.secret_key
    assert iam.attached == ["ann arn:auditor", "ann arn:approver"]
    assert stat.S_IMODE((tmp_path / "ann.json").stat().st_mode) == 0o600

    operator = clients.ClientFactory("http://127.0.0.1:4599", "AKIAOPERATOR", "secret")
    up = LocalCloud("http://127.0.0.1:4599", outputs, (), operator, operator)
    monkeypatch.setattr("infra.local.cloud.connect", lambda **_: up)
    assert opening.open_place("local").credentials == Credentials("AKIAOPERATOR", "secret")
    monkeypatch.setenv("MODELCYCLE_KEY", "ann.json")
    assert opening.open_place("local").credentials == Credentials("AKIAANN", "secret of ann")
    assert opening.open_place("local").session.access_key == "AKIAANN"  # type: ignore[attr-defined]


@pytest.mark.parametrize("content", [None, "[]", "{}", "x", '{"AccessKey": 7}'])
def test_a_file_without_an_access_key_is_named(
    content: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    operator = clients.ClientFactory("http://127.0.0.1:4599", "AKIAOPERATOR", "secret")
    up = LocalCloud("http://127.0.0.1:4599", {}, (), operator, operator)
    monkeypatch.setattr("infra.local.cloud.connect", lambda **_: up)
    file = tmp_path / "bob.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("MODELCYCLE_KEY", str(file))
    with pytest.raises(BadInput, match="no access key in") as caught:
        opening.open_place("local")
    assert "docs/policy.md" in caught.value.remedy


def test_who_may_not_approve_alone_hears_how_to_be_another_person_of_the_local_cloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = SimpleNamespace(name="local", check_model=lambda model: None)
    options: Any = SimpleNamespace(open_place=lambda: place, as_json=False)
    monkeypatch.setattr(deciding, "say_of_a_decision", lambda place: None)

    def refuse(*request: Any) -> dict[str, Any]:
        raise NotAllowed("you started a run: credit asks for four eyes", "m:1", "another person has to approve it")

    monkeypatch.setattr(signing, "call", refuse)
    with pytest.raises(NotAllowed) as caught:
        deciding.decide("approve", "m:1", "w", options)
    assert caught.value.remedy == f"another person has to approve it: {deciding.BE_ANOTHER}"
    place.name = "aws"
    with pytest.raises(NotAllowed) as caught:
        deciding.decide("approve", "m:1", "w", options)
    assert "local cloud" not in caught.value.remedy
    place.name = "local"
    waits = {"model": "m", "decision": "approve", "version": 1, "route": {}, "note": "1 of 2", "waits": True}
    monkeypatch.setattr(signing, "call", lambda *request: waits)
    assert deciding.decide("approve", "m:1", "w", options) == 0
    assert "docs/policy.md" in " ".join(capsys.readouterr().err.split())
