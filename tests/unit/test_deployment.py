"""What `make deploy` checks before it builds, what it builds, and what it says when something goes wrong."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from infra.deployment import command, deploy
from infra.deployment.account import Account
from infra.deployment.faults import BadSetting, NotCommitted, StackUnusable
from infra.deployment.settings import check_reader, read_settings, with_silence
from infra.deployment.source import committed_source, export
from infra.deployment.stack import Stack, check_changeable, first_failure
from infra.local.deployment.translate import read_template
from tests.unit.aws_login import log_in, log_out

ROOT = Path(__file__).parents[2]
DECLARED = read_template(ROOT / "template.yaml")["Parameters"]


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log_out(monkeypatch, tmp_path)


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(monkeypatch)


def stack(status: str = "UPDATE_COMPLETE", **parameters: str) -> Stack:
    return Stack(
        "modelcycle-dev", "arn:aws:cloudformation:eu-central-1:1:stack/modelcycle-dev/a", status, False, parameters
    )


# What is built


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    (folder / "functions" / "claim").mkdir(parents=True)
    (folder / "functions" / "claim" / "app.py").write_text("one\n")
    (folder / "template.yaml").write_text("Resources: {}\n")
    (folder / ".gitignore").write_text("__pycache__/\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def test_files_that_git_does_not_know_change_nothing_in_the_build(clone: Path, tmp_path: Path) -> None:
    (clone / "churn.yaml").write_text("name: churn\n")  # as `modelcycle init` writes it
    (clone / "functions" / "claim" / "__pycache__").mkdir()
    (clone / "functions" / "claim" / "__pycache__" / "app.pyc").write_bytes(b"\0")
    (clone / "functions" / "claim" / "forgotten one.py").write_text("two\n")
    source = committed_source(clone)
    assert source.unknown == ("functions/claim/forgotten one.py",)
    built = tmp_path / "built"
    built.mkdir()
    (built / "of an earlier build.py").write_text("three\n")
    export(source, built)
    assert {str(path.relative_to(built)) for path in built.rglob("*") if path.is_file()} == {
        ".gitignore", "template.yaml", "functions/claim/app.py",
    }  # fmt: skip


@pytest.mark.parametrize("staged", [False, True])
def test_a_change_that_is_not_committed_is_refused_by_its_name(clone: Path, staged: bool) -> None:
    (clone / "functions" / "claim" / "app.py").write_text("two\n")
    if staged:
        git(clone, "add", ".")
    with pytest.raises(NotCommitted, match="uncommitted changes") as raised:
        committed_source(clone)
    assert raised.value.where == "functions/claim/app.py"


def test_a_folder_without_a_commit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotCommitted, match="no commit to build"):
        committed_source(tmp_path)


def test_this_repository_can_be_exported_and_is_a_template_by_itself(tmp_path: Path) -> None:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    from infra.deployment.source import Source

    export(Source(ROOT, commit.strip()), tmp_path / "built")
    template = read_template(tmp_path / "built" / "template.yaml")
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for name in ("CodeUri", "ContentUri", "TemplateURL", "DefinitionUri"):
            assert (tmp_path / "built" / str(properties.get(name, "."))).exists()


# With which parameters


def test_settings_are_read_as_a_shell_reads_them_and_the_last_one_counts() -> None:
    text = "LogDays=365 MonitorRate='rate(1 day)' LogDays=90 SourceBuckets=arn:aws:s3:::a,arn:aws:s3:::a/*"
    assert read_settings(text, DECLARED) == {
        "LogDays": "90", "MonitorRate": "rate(1 day)", "SourceBuckets": "arn:aws:s3:::a,arn:aws:s3:::a/*",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says", "remedy"),
    [
        ("AlarmMail=a@example.com", "no parameter AlarmMail", "AlarmEmail"),
        ("Zzz=1", "no parameter Zzz", "LogDays"),
        ("Stream=kafka", "Stream cannot be 'kafka'", "kinesis"),
        ("Environment=prod", "is given by", "leave it out"),
        ("LogDays", "is not Name=value", "WITH="),
        ("MonitorRate='rate(1 day)", "quotation", "WITH="),
    ],
)
def test_a_setting_that_sam_would_drop_or_misread_is_refused(text: str, says: str, remedy: str) -> None:
    with pytest.raises(BadSetting, match=re.escape(says)) as raised:
        read_settings(text, DECLARED)
    assert remedy in raised.value.remedy


def test_prod_needs_an_address_once() -> None:
    with pytest.raises(BadSetting, match="reach nobody"):
        check_reader("prod", {}, None)
    check_reader("prod", {"AlarmEmail": "ops@example.com"}, None)
    check_reader("prod", {}, stack(AlarmEmail="ops@example.com"))
    check_reader("dev", {}, None)
    with pytest.raises(BadSetting, match="reach nobody"):
        check_reader("prod", {"AlarmEmail": ""}, stack(AlarmEmail="ops@example.com"))


@pytest.mark.parametrize(
    ("given", "before", "hours"),
    [
        ("rate(1 hour)", None, "3"),
        ("rate(15 minutes)", None, "1"),
        ("rate(2 hours)", stack(SilentHours="3", MonitorRate="rate(1 hour)"), "6"),
        ("rate(30 days)", None, "168"),
        ("cron(0 6 * * ? *)", None, "48"),
        (None, stack(MonitorRate="rate(1 day)"), "72"),  # a stack of an earlier release
        (None, stack(SilentHours="5", MonitorRate="rate(1 day)"), None),  # remembered, or given once
    ],
)
def test_silence_is_told_after_three_rates(given: str | None, before: Stack | None, hours: str | None) -> None:
    settings = {"MonitorRate": given} if given else {}
    assert with_silence(settings, before).get("SilentHours") == hours


# In which state


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("UPDATE_IN_PROGRESS", "wait"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "wait"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name modelcycle-dev"),
        ("DELETE_FAILED", "make destroy ENVIRONMENT=dev"),
    ],
)
def test_a_stack_that_takes_no_change_says_what_to_do(status: str, remedy: str) -> None:
    with pytest.raises(StackUnusable) as raised:
        check_changeable(stack(status))
    assert remedy in raised.value.remedy


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_that_takes_changes_is_not_refused(status: str) -> None:
    check_changeable(stack(status))


def event(
    logical: str, status: str, reason: str = "", kind: str = "AWS::S3::Bucket", physical: str = "p"
) -> dict[str, Any]:
    return {
        "StackId": "root", "EventId": "e", "StackName": "s", "Timestamp": 0, "LogicalResourceId": logical,
        "PhysicalResourceId": physical, "ResourceType": kind, "ResourceStatus": status, "ResourceStatusReason": reason,
    }  # fmt: skip


def test_the_first_failure_is_found_below_nested_stacks_and_older_deployments_are_not_read() -> None:
    cloudformation = boto3.client(
        "cloudformation", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    nested = "AWS::CloudFormation::Stack"
    root = [
        event("Alarms", "CREATE_FAILED", "Resource creation cancelled"),
        event("Storage", "CREATE_FAILED", "Embedded stack was not successfully created", nested, "below"),
        event("s", "UPDATE_IN_PROGRESS", "User Initiated", nested, "root"),
        event("Old", "UPDATE_FAILED", "of last year"),
    ]
    below = [
        event("Queue", "CREATE_FAILED", "Resource creation cancelled"),
        event("Data", "CREATE_FAILED", "the bucket exists already"),
        event("b", "CREATE_IN_PROGRESS", "", nested, "root"),
    ]
    with Stubber(cloudformation) as stubbed:
        stubbed.add_response("describe_stack_events", {"StackEvents": root}, {"StackName": "root"})
        stubbed.add_response("describe_stack_events", {"StackEvents": below}, {"StackName": "below"})
        assert first_failure(cloudformation, "root") == ("Storage/Data (AWS::S3::Bucket)", "the bucket exists already")


# The whole, with stand-ins for SAM and CloudFormation


class CloudFormation:
    """Has at most one stack."""

    def __init__(self) -> None:
        self.stack: dict[str, Any] | None = None
        self.protected: list[str] = []

    def describe_stacks(self, **request: Any) -> dict[str, Any]:
        if self.stack is None:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "it does not exist"}}, "DescribeStacks")
        return {"Stacks": [self.stack]}

    def get_paginator(self, name: str) -> Any:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        return [{"StackResourceSummaries": [], "ResourceTagMappingList": []}]

    def update_termination_protection(self, **request: Any) -> None:
        self.protected.append(request["StackName"])


class Site:
    """An account with nothing in it, SAM, and what was waited for."""

    def __init__(self, status: int | None = 0) -> None:
        self.cloudformation = CloudFormation()
        self.status = status  # of SAM; None: a person does not confirm the changes, which is no failure
        self.calls: list[list[str]] = []
        self.waits: list[str] = []
        self.account = Account("123456789012", "arn:aws:iam::123456789012:user/me", "eu-central-1", self)

    def client(self, service: str, **settings: Any) -> Any:
        assert service in ("cloudformation", "kms", "resourcegroupstaggingapi")
        return self.cloudformation

    def sam(self, arguments: list[str], folder: Path, region: str) -> int:
        self.calls.append(arguments)
        assert (folder / "template.yaml").exists() and not (folder / "churn.yaml").exists()
        assert region == "eu-central-1"
        if arguments[0] != "deploy":
            return 0
        if self.status == 0:
            given = dict(text.split("=", 1) for text in arguments[arguments.index("--parameter-overrides") + 1 :])
            given = {key: value.strip('"') for key, value in given.items()}
            before = (self.cloudformation.stack or {"Parameters": []})["Parameters"]
            values = {name: str(body["Default"]) for name, body in DECLARED.items() if "Default" in body}
            values |= {item["ParameterKey"]: item["ParameterValue"] for item in before} | given
            self.cloudformation.stack = {
                "StackName": "modelcycle-prod", "StackId": "arn", "StackStatus": "CREATE_COMPLETE",
                "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
                "Outputs": [{"OutputKey": "DataBucket", "OutputValue": "bucket-1"}],
            }  # fmt: skip
        return self.status or 0

    def wait(self, client: Any, stack: str, bucket: str, say: Any) -> float:
        self.waits.append(bucket)
        return 1.0


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, clone: Path) -> Site:
    (clone / "template.yaml").write_text((ROOT / "template.yaml").read_text())
    (clone / ".gitignore").write_text("build/\n")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "template")
    (clone / "churn.yaml").write_text("name: churn\n")  # as `modelcycle init` writes it
    site = Site()
    monkeypatch.setattr(deploy, "ROOT", clone)
    monkeypatch.setattr(deploy, "sam", site.sam)
    monkeypatch.setattr(deploy, "wait_for_events", site.wait)
    monkeypatch.setattr(deploy, "find_account", lambda: site.account)
    return site


def test_a_first_deployment_waits_for_the_events_of_its_bucket_and_protects_prod(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    settings = "LogDays=90 MonitorRate='rate(1 day)' AlarmEmail=ops@example.com"
    assert command.run(lambda: deploy.main(["prod", "--settings", settings])) == 0
    build, deployed = site.calls
    assert build == ["build", "--config-env", "prod"]
    assert "--no-confirm-changeset" in deployed
    assert {'Place="aws"', 'Environment="prod"', 'LogDays="90"', 'MonitorRate="rate(1 day)"'} < set(deployed)
    assert site.waits == ["bucket-1"]
    assert site.cloudformation.protected == ["modelcycle-prod"]
    assert "modelcycle-prod is deployed" in capsys.readouterr().out
    # the next one finds the bucket that it had, and needs no address again
    assert command.run(lambda: deploy.main(["prod"])) == 0
    assert site.waits == ["bucket-1"]


def test_another_parameter_publishes_new_versions_of_the_same_code(site: Site) -> None:
    def deployed(*arguments: str) -> dict[str, str]:
        assert command.run(lambda: deploy.main(["dev", *arguments])) == 0
        given = site.calls[-1]
        return dict(text.split("=", 1) for text in given[given.index("--parameter-overrides") + 1 :])

    given = ("--settings", "SourceBuckets=arn:aws:s3:::b")
    one, same, other, remembered = deployed(), deployed(), deployed(*given), deployed()
    assert one == same
    assert one["BuildSha"] != other["BuildSha"] and one["CodeVersion"] == other["CodeVersion"]
    assert remembered["BuildSha"] == other["BuildSha"], "the stack has kept the parameter"
    assert deployed("--settings", "SourceBuckets=''")["BuildSha"] == one["BuildSha"]


def test_changes_that_were_not_confirmed_are_not_called_deployed(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.run(lambda: deploy.main(["dev"])) == 0
    site.status = None
    capsys.readouterr()
    assert command.run(lambda: deploy.main(["dev", "--settings", "AlarmEmail=ops@example.com"])) == 1
    said = capsys.readouterr()
    assert "nothing was changed: the changes were not confirmed" in said.err and "is deployed" not in said.out


@pytest.mark.parametrize(("status", "says"), [(1, "SAM's reason is above"), (None, "were not confirmed")])
def test_a_deployment_that_made_nothing_says_why_and_waits_for_nothing(
    site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, status: int | None, says: str
) -> None:
    site.status = status
    monkeypatch.delenv("CI", raising=False)
    assert command.run(lambda: deploy.main(["dev"])) == 1
    said = capsys.readouterr().err
    assert "error    nothing was deployed" in said and says in said and "Traceback" not in said
    assert "--no-confirm-changeset" not in site.calls[1]
    assert not site.waits


def test_what_is_refused_is_refused_before_anything_is_built(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(lambda: deploy.main(["prod"])) == 1
    assert command.run(lambda: deploy.main(["dev", "--settings", "LogDay=9"])) == 1
    (deploy.ROOT / "template.yaml").write_text((ROOT / "template.yaml").read_text() + "\n")
    assert command.run(lambda: deploy.main(["dev"])) == 1
    said = capsys.readouterr().err
    assert "reach nobody" in said and "did you mean LogDays" in said and "uncommitted changes" in said
    assert not site.calls


def test_without_a_terminal_nothing_is_deleted_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert not command.confirmed("Delete it?")
