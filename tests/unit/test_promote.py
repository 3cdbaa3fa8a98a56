"""`make promote` and the commands around it: what they refuse, what they give to SAM, what they say."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from infra.delivery import deployed, drift, pipelines, promote, smoke
from infra.delivery.packaged import facts
from infra.deployment import command, deploy
from infra.deployment.account import Account, find_account
from infra.deployment.existing_data import HOLDS_TAG, SET_TAG, STACK_TAG
from infra.deployment.faults import StackUnusable
from infra.deployment.stack import Stack
from tests.unit.aws_login import REGION, log_in, log_out

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log_out(monkeypatch, tmp_path)
    log_in(monkeypatch)


class Site:
    """An account with at most one stack; all but CloudFormation is moto's."""

    def __init__(self) -> None:
        self.stack: dict[str, Any] | None = None
        self.status = 0  # of SAM
        self.calls: list[list[str]] = []
        self.waits: list[str] = []
        self.protected: list[str] = []
        self.account = Account("123456789012", "arn:aws:iam::123456789012:user/me", REGION, self)

    def client(self, service: str, **settings: Any) -> Any:
        return self if service == "cloudformation" else boto3.client(service, region_name=REGION)

    def describe_stacks(self, **request: Any) -> dict[str, Any]:
        if self.stack is None:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "it does not exist"}}, "DescribeStacks")
        return {"Stacks": [self.stack]}

    def get_paginator(self, name: str) -> Any:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        return [{"StackResourceSummaries": [], "StackEvents": []}]

    def sam(self, arguments: list[str], folder: Path, region: str) -> int:
        self.calls.append(arguments)
        assert region == REGION
        if self.status == 0:
            given = self.given()
            self.stack = {
                "StackName": arguments[arguments.index("--stack-name") + 1], "StackId": "arn",
                "StackStatus": "CREATE_COMPLETE", "Outputs": [{"OutputKey": "DataBucket", "OutputValue": "bucket-1"}],
                "Parameters": [{"ParameterKey": key, "ParameterValue": given[key]} for key in given],
            }  # fmt: skip
        return self.status

    def given(self) -> dict[str, str]:
        """Return the parameters of the last deployment."""
        call = self.calls[-1]
        texts = (text.split("=", 1) for text in call[call.index("--parameter-overrides") + 1 :])
        return {key: value.removeprefix('"').removesuffix('"') for key, value in texts}

    def wait(self, client: Any, stack: str, bucket: str, say: Any) -> float:
        self.waits.append(bucket)
        return 1.0


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site()
    monkeypatch.setattr(promote, "sam", site.sam)
    monkeypatch.setattr(deploy, "wait_for_events", site.wait)
    monkeypatch.setattr(deploy, "protect", lambda client, stack: site.protected.append(stack))
    for module in (promote, drift, smoke, pipelines):
        monkeypatch.setattr(module, "find_account", lambda: site.account)
    return site


@pytest.fixture
def release(tmp_path: Path) -> Path:
    (tmp_path / "template.yaml").write_text("Resources: {}\n")
    (tmp_path / "release.json").write_text(json.dumps(facts(tmp_path, ROOT)))
    return tmp_path


def promoted(release: Path, *arguments: str, environment: str = "dev") -> int:
    return command.run(lambda: promote.main([environment, str(release), "--bucket", "releases", *arguments]))


@mock_aws
def test_a_first_promotion_waits_for_the_events_of_its_bucket_and_the_next_does_not(site: Site, release: Path) -> None:
    settings = "AlarmEmail=ops@example.com MonitorRate='rate(1 day)'"
    assert promoted(release, "--settings", settings, "--role", "arn:role", environment="prod") == 0
    call = site.calls[-1]
    for option, value in (("--template-file", str(release / "template.yaml")), ("--s3-bucket", "releases"),
                          ("--s3-prefix", "deployments/prod"), ("--role-arn", "arn:role"),
                          ("--stack-name", "modelcycle-prod")):  # fmt: skip
        assert call[call.index(option) + 1] == value
    given = site.given()
    assert (given["Place"], given["Environment"], given["MonitorRate"]) == ("aws", "prod", "rate(1 day)")
    assert len(given["BuildSha"]) == len(given["CodeVersion"]) == 64
    assert (site.waits, site.protected) == (["bucket-1"], ["modelcycle-prod"])
    assert promoted(release, environment="prod") == 0, "a stack remembers the address of its alarms"
    assert "--role-arn" not in site.calls[-1]
    assert site.waits == ["bucket-1"]


@mock_aws
def test_a_new_stack_gets_the_data_that_were_kept(
    site: Site, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tags = {STACK_TAG: "modelcycle-dev", SET_TAG: "modelcycle-dev-Storage-1"}
    s3 = boto3.client("s3", region_name=REGION)
    for name in ("data", "artifacts"):
        s3.create_bucket(Bucket=f"kept-{name}", CreateBucketConfiguration={"LocationConstraint": REGION})
        tag_set = [{"Key": key, "Value": value} for key, value in (tags | {HOLDS_TAG: name}).items()]
        s3.put_bucket_tagging(Bucket=f"kept-{name}", Tagging={"TagSet": tag_set})
    boto3.client("dynamodb", region_name=REGION).create_table(
        TableName="kept-registry", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        Tags=[{"Key": key, "Value": value} for key, value in (tags | {HOLDS_TAG: "registry"}).items()],
    )  # fmt: skip
    assert promoted(release) == 0
    given = site.given()
    assert given["ExistingDataBucket"] == "kept-data" and given["ExistingRegistry"] == "kept-registry"
    assert "kept-registry/stream/" in given["ExistingRegistryStream"]
    assert "uses the data that an earlier modelcycle-dev has left" in capsys.readouterr().err
    # beginning anew has to be said
    site.stack = None
    assert promoted(release, "--kept", "new") == 0
    assert not [name for name in site.given() if name.startswith("Existing")]
    s3.delete_bucket(Bucket="kept-artifacts")
    site.stack = None
    calls = len(site.calls)
    assert promoted(release) == 1
    assert "without their artifact bucket" in capsys.readouterr().err
    assert len(site.calls) == calls


@pytest.mark.parametrize(("change", "arguments", "says"), [
    (lambda site, release: None, ["--bucket", ""], "no bucket of releases is named"),
    (lambda site, release: (release / "template.yaml").write_text("{}"), [], "the packaged template is not that of"),
    (lambda site, release: (release / "release.json").unlink(), [], "`make release` makes it"),
    (lambda site, release: None, ["--settings", "LogDay=9"], "did you mean LogDays?"),
    (lambda site, release: setattr(site, "stack", {"StackName": "modelcycle-dev", "StackId": "arn",
     "StackStatus": "ROLLBACK_COMPLETE"}), [], "`make destroy ENVIRONMENT=dev`"),
    (lambda site, release: setattr(site, "stack", {"StackName": "modelcycle-dev", "StackId": "arn",
     "StackStatus": "UPDATE_IN_PROGRESS"}), [], "CloudFormation is changing it"),
])  # fmt: skip
def test_what_is_refused_is_refused_before_anything_is_deployed(
    site: Site, release: Path, capsys: pytest.CaptureFixture[str], change: Callable[..., Any], arguments: list[str],
    says: str,
) -> None:  # fmt: skip
    change(site, release)
    assert promoted(release, *arguments) == 1
    said = capsys.readouterr().err
    assert says in said and "Traceback" not in said
    assert not site.calls


@mock_aws
def test_a_promotion_that_sam_refuses_ends_without_the_wait(
    site: Site, release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.status = 1
    assert promoted(release) == 1
    assert "error    the release was not deployed: SAM's reason is above" in capsys.readouterr().err
    assert not site.waits


@pytest.mark.parametrize(("module", "status"), [(smoke, 1), (pipelines, 1), (drift, 2)])
def test_a_wrong_name_of_a_stack_is_one_clear_sentence(
    site: Site, capsys: pytest.CaptureFixture[str], module: Any, status: int
) -> None:
    assert command.run(lambda: module.main(["modelcycle-def"])) == status
    assert "error    there is no stack modelcycle-def\n" in capsys.readouterr().err


def test_a_stack_that_was_never_complete_is_no_stack_to_ask(site: Site) -> None:
    site.stack = {"StackName": "modelcycle-dev", "StackId": "arn", "StackStatus": "ROLLBACK_COMPLETE"}
    with pytest.raises(StackUnusable, match="ROLLBACK_COMPLETE"):
        deployed.deployed_stack(site.account, "modelcycle-dev")


@pytest.mark.parametrize(("name", "status"), [("smoke", 1), ("pipelines", 1), ("drift", 2), ("promote", 1)])
def test_without_a_login_each_command_says_so_in_three_lines(tmp_path: Path, name: str, status: int) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    environment |= {"AWS_REGION": REGION, "AWS_CONFIG_FILE": str(tmp_path / "no"), "AWS_EC2_METADATA_DISABLED": "true",
                    "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no")}  # fmt: skip
    arguments = ["dev", str(tmp_path)] if name == "promote" else ["modelcycle-dev"]
    done = subprocess.run(
        [ROOT / ".venv/bin/python", "-m", f"infra.delivery.{name}", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status
    assert done.stderr.splitlines()[0] == "error    there are no AWS credentials"
    assert "Traceback" not in done.stderr


@mock_aws
def test_a_stack_is_asked_in_the_region_of_aws_region(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def found(cloudformation: Any, name: str) -> Stack:
        asked.append(cloudformation.meta.region_name)
        return Stack(name, "arn", "CREATE_COMPLETE", False, {}, {"DataBucket": "bucket-1"})

    monkeypatch.setattr(deployed, "find_stack", found)
    stack = deployed.deployed_stack(find_account(), "modelcycle-dev")
    assert (stack.outputs, stack.region, asked) == ({"DataBucket": "bucket-1"}, REGION, [REGION])
    assert all(stack.credentials[:2])
    assert stack.session.client("s3").meta.region_name == REGION


@pytest.mark.parametrize(("given", "region"), [
    ({"AWS_REGION": "eu-west-3"}, "eu-west-3"), ({}, ""), ({"AWS_DEFAULT_REGION": "us-east-1"}, "us-east-1"),
    ({"AWS_REGION": "eu-west-3", "AWS_DEFAULT_REGION": "us-east-1"}, "eu-west-3"),
])  # fmt: skip
def test_sam_gets_the_region_of_the_command_line(given: dict[str, str], region: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    recipe = "include Makefile\nshown:\n\t@echo [$$AWS_DEFAULT_REGION]\n"
    told = subprocess.run(
        ["make", "--no-print-directory", "--file", "-", "shown"],
        cwd=ROOT, capture_output=True, text=True, check=True, input=recipe, env=environment | given,
    ).stdout  # fmt: skip
    assert told.strip() == f"[{region}]"
