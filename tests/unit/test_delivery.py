"""What republishes functions and what does not; releases; the aliases that are held."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.stub import Stubber
from moto import mock_aws

from cli.stale import stale_text, stale_versions
from infra.build_sha import build_sha
from infra.code_version import code_parameters
from infra.delivery.drift import Compared, Drift, NotCompared, drift_of, report
from infra.delivery.packaged import differences, facts
from infra.delivery.pipelines import start_changed
from infra.delivery.release import make_release
from infra.deployment.deploy import effective_parameters, stack_parameters
from infra.local.deployment.checked_alias import take_checked_aliases
from infra.local.deployment.code_traffic import hold_traffic
from infra.local.deployment.training_code import missing_parts, training_code
from infra.local.deployment.translate import Translation, read_template
from infra.local.localstack.adapt import adapt
from modelcycle.faults import Fault
from modelcycle.registry import Registry
from tests.fakes import MemoryTable
from tests.unit.test_cli_show import version

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    for name in ("functions", "statemachines", "docs", "infra"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("modelcycle", "data"):
        shutil.copytree(ROOT / "layers" / name, folder / "layers" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("template.yaml", "README.md"):
        shutil.copy(ROOT / name, folder)
    return folder


def sha(project: Path, **parameters: str) -> str:
    return build_sha(project / "template.yaml", parameters)


@pytest.mark.parametrize(
    "file", ["README.md", "docs/limits.md", "statemachines/lifecycle.asl.yaml", "infra/alarms.yaml"]
)
def test_a_change_elsewhere_republishes_no_function(project: Path, file: str) -> None:
    before = sha(project)
    path = project / file
    path.write_text(path.read_text() + "\n# changed\n")
    (project / "functions" / "predict" / "__pycache__").mkdir()
    (project / "functions" / "predict" / "__pycache__" / "app.pyc").write_bytes(b"compiled")
    assert sha(project) == before


@pytest.mark.parametrize("file", [
    "functions/predict/app.py", "layers/modelcycle/modelcycle/faults.py", "layers/data/requirements.txt",
])  # fmt: skip
def test_a_change_of_code_or_of_a_lock_republishes(project: Path, file: str) -> None:
    before = sha(project)
    path = project / file
    path.write_text(path.read_text() + "\n# changed\n")
    assert sha(project) != before


def test_a_change_of_a_functions_properties_republishes(project: Path) -> None:
    before, template = sha(project), project / "template.yaml"
    text = template.read_text()
    assert sha(project, LogDays="30") != before, "a parameter may reach a function"
    assert sha(project, AlarmEmail="a@b.c", TrafficShift="AllAtOnce", BuildSha="x") == before
    template.write_text(text.replace("      Timeout: 29\n", "      Timeout: 28\n"))
    assert sha(project) != before
    template.write_text(text.replace("AlarmDescription: New code of Predict fails", "AlarmDescription: It fails"))
    assert sha(project) == before


def test_make_deploy_and_the_workflow_name_the_code_by_its_hash() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "rev-parse" not in makefile
    for module in ("deployment/deploy.py", "delivery/promote.py"):
        assert "parameters = stack_parameters(" in (ROOT / "infra" / module).read_text()
    template = ROOT / "template.yaml"
    effective = effective_parameters(read_template(template)["Parameters"], None, {"LogDays": "30"})
    given = stack_parameters(ROOT, "dev", None, {"LogDays": "30"}, {})
    named = {"Place": "aws", "Environment": "dev", **code_parameters(ROOT)}
    assert given["BuildSha"] == build_sha(template, {**effective, **named})


def test_a_release_is_made_once_and_never_changed(project: Path, tmp_path: Path) -> None:
    release = make_release(project, tmp_path / "releases")
    assert release.folder.name == release.sha[:16]
    assert (release.folder / "layers/modelcycle/modelcycle/faults.py").is_file()
    assert not (release.folder / "README.md").exists()
    (project / "README.md").write_text("changed")
    assert make_release(project, tmp_path / "releases") == release
    app = project / "functions/predict/app.py"
    app.write_text(app.read_text() + "\n")
    assert make_release(project, tmp_path / "releases").sha != release.sha
    (release.folder / "template.yaml").write_text("changed")
    shutil.copy(ROOT / "functions/predict/app.py", app)
    with pytest.raises(ValueError, match="was changed since it was made"):
        make_release(project, tmp_path / "releases")


def template() -> dict[str, Any]:
    policy = {"ApplicationName": {"Ref": "App"}, "BeforeAllowTrafficHook": {"Ref": "Before"}}
    return {
        "Resources": {
            "AskAliaslive": {
                "Type": "AWS::Lambda::Alias", "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": policy},
                "Properties": {"Name": "live", "FunctionVersion": {"Fn::GetAtt": ["AskVersion1", "Version"]}},
            },
            "OtherAliaslive": {"Type": "AWS::Lambda::Alias", "Properties": {"Name": "live"}},
        }
    }  # fmt: skip


class Admin:
    """A cloud in which an alias serves a version."""

    def __init__(self, version: str) -> None:
        self.version = version

    def client(self, service: str) -> Any:
        return self

    def get_alias(self, **names: str) -> dict[str, str]:
        assert names == {"FunctionName": "mc-Ask-1", "Name": "live"}
        return {"FunctionVersion": self.version}


@pytest.mark.parametrize(
    ("deployed", "held"),
    [
        ({}, False),  # the first deployment
        ({"AskAliaslive": "arn:aws:lambda:r:1:function:mc-Ask-1:live"}, True),
        (
            {
                "AskAliaslive": "arn:aws:lambda:r:1:function:mc-Ask-1:live",
                "AskVersion1": "arn:aws:lambda:r:1:function:mc-Ask-1:4",
            },
            False,
        ),  # that version serves
        (
            {
                "AskAliaslive": "arn:aws:lambda:r:1:function:mc-Ask-1:live",
                "AskVersion1": "arn:aws:lambda:r:1:function:mc-Ask-1:5",
            },
            True,
        ),  # a deployment was killed before its check
    ],
)
def test_an_alias_is_held_while_there_is_code_that_was_not_checked(deployed: dict[str, str], held: bool) -> None:
    body = template()
    translation = Translation(body, {}, checked_aliases=take_checked_aliases(body))
    assert "UpdatePolicy" not in body["Resources"]["AskAliaslive"]
    resources = {name: {"type": "", "id": physical} for name, physical in deployed.items()}
    aliases = hold_traffic(translation, resources, Admin("4"))  # type: ignore[arg-type]
    version = body["Resources"]["AskAliaslive"]["Properties"]["FunctionVersion"]
    assert [(alias.step, alias.version) for alias in aliases] == ([("Ask", "4")] if held else [])
    assert version == ("4" if held else {"Fn::GetAtt": ["AskVersion1", "Version"]})


def test_training_code_is_what_decides_what_a_model_learns(project: Path) -> None:
    assert missing_parts(ROOT) == []
    before = training_code(project)
    for file in ("functions/predict/app.py", "layers/modelcycle/modelcycle/predict/predict.py", "template.yaml"):
        (project / file).write_text((project / file).read_text() + "\n")
        assert training_code(project) == before, file
    for file in ("functions/train/run_trial.py", "layers/modelcycle/modelcycle/model/recipe.py",
                 "layers/modelcycle/modelcycle/engine.py", "layers/data/requirements.txt"):  # fmt: skip
        (project / file).write_text((project / file).read_text() + "\n")
        assert training_code(project) != before, file
        before = training_code(project)


class Place:
    """A place with a registry and the training code that is deployed there."""

    def __init__(self, registry: Registry, deployed: str) -> None:
        self.registry, self.outputs = registry, {"TrainingCode": deployed}


def test_a_version_is_stale_until_the_deployed_code_has_made_it_again() -> None:
    registry = Registry(MemoryTable())
    for code in ("old", ""):  # a run that does not know its code says nothing of it
        made, _ = registry.versions.register(version(1), "content", training_code=code)
    stale = [stale_versions(Place(registry, at), "m", [made.version]) for at in ("old", "new", "unknown")]  # type: ignore[arg-type]
    assert stale == [[], [1], []]
    assert "`modelcycle run m.yaml`" in stale_text("m", [1])[0]
    again, created = registry.versions.register(version(1), "content", training_code="new")
    assert (again.version, created) == (1, False)
    assert stale_versions(Place(registry, "new"), "m", [1]) == []  # type: ignore[arg-type]
    assert stale_versions(Place(registry, "new"), "m", [7]) == [7]  # type: ignore[arg-type]


def test_the_sbom_names_the_tool_and_every_layer() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nsbom:")[2].partition("\n\n")[0]
    layers = {path.parent.name for path in (ROOT / "layers").glob("*/requirements.txt")}
    assert layers <= set(re.findall(r"\w+", recipe))


@mock_aws
def test_a_changed_pipeline_file_starts_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    session = boto3.Session(region_name="us-east-1")
    s3, states = session.client("s3"), session.client("stepfunctions")
    s3.create_bucket(Bucket="data")
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    definition = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'
    role = "arn:aws:iam::123456789012:role/any"
    machine = states.create_state_machine(name="l", definition=definition, roleArn=role)["stateMachineArn"]
    outputs, file = {"DataBucket": "data", "LifecycleArn": machine}, tmp_path / "churn.yaml"

    def deliver() -> tuple[list[str], int]:
        started = start_changed([file], session, outputs, lambda line: None)
        return started, len(states.list_executions(stateMachineArn=machine)["executions"])

    file.write_text("name: größe-x\n")
    with pytest.raises(Fault):
        deliver()
    file.write_text("name: churn\ntarget: left\n")
    assert deliver() == ([], 0)  # no rows yet
    s3.put_object(Bucket="data", Key="raw/churn/a.csv", Body=b"a,left\n1,2\n")
    assert deliver() == (["churn"], 1)
    assert deliver() == ([], 1)
    file.write_text("name: churn\ntarget: stayed\n")
    real = session.client("s3")
    assert deliver() == (["churn"], 2)
    # killed after the start: the mark is still the first one
    real.put_object(Bucket="data", Key="pipelines/churn.yaml", Body=file.read_bytes(), Metadata={"run": "wanted"})
    assert deliver() == (["churn"], 3)
    assert deliver() == ([], 3)
    # a file that a person has uploaded is known to have its run
    real.put_object(Bucket="data", Key="pipelines/churn.yaml", Body=file.read_bytes())
    assert deliver() == ([], 3)


def test_drift_is_told_of_nested_stacks_too() -> None:
    client = boto3.client("cloudformation", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    nested = "arn:aws:cloudformation:us-east-1:1:stack/mc-dev-Storage/1"
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with Stubber(client) as stub:
        for stack, found in (("mc-dev", []), (nested, ["Data"])):
            identity = {"StackName": stack}
            stub.add_response("detect_stack_drift", {"StackDriftDetectionId": "d"}, identity)
            for status in ("DETECTION_IN_PROGRESS", "DETECTION_COMPLETE"):
                told = {"StackId": stack, "StackDriftDetectionId": "d", "DetectionStatus": status, "Timestamp": at}
                stub.add_response("describe_stack_drift_detection_status", told, {"StackDriftDetectionId": "d"})
            drifts = [
                {
                    "StackId": stack, "LogicalResourceId": name, "ResourceType": "AWS::S3::Bucket",
                    "StackResourceDriftStatus": "MODIFIED", "Timestamp": at,
                    "PropertyDifferences": [
                        {"PropertyPath": "/Versioning", "ExpectedValue": "Enabled", "ActualValue": "Suspended",
                         "DifferenceType": "NOT_EQUAL"}
                    ],
                }
                for name in found
            ]  # fmt: skip
            filters = {"StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"]}
            stub.add_response("describe_stack_resource_drifts", {"StackResourceDrifts": drifts}, identity | filters)
            resources = [] if found else [
                {"LogicalResourceId": "Storage", "ResourceType": "AWS::CloudFormation::Stack",
                 "LastUpdatedTimestamp": at, "PhysicalResourceId": nested, "ResourceStatus": "CREATE_COMPLETE"}
            ]  # fmt: skip
            stub.add_response("list_stack_resources", {"StackResourceSummaries": resources}, identity)
        # a stack's own drift is told before that of those that it nests
        outer, inner, drift = drift_of(client, "mc-dev", sleep=lambda seconds: None)
    assert (outer, inner) == (Compared("mc-dev"), Compared("mc-dev-Storage"))
    assert str(drift) == (
        "mc-dev-Storage: Data (AWS::S3::Bucket) is modified\n    /Versioning: Suspended instead of Enabled"
    )


def test_of_a_stack_with_an_unreadable_resource_the_others_are_compared_and_its_name_is_told() -> None:
    client = boto3.client("cloudformation", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    nested = "arn:aws:cloudformation:us-east-1:1:stack/mc-Storage/1"
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with Stubber(client) as stub:
        stub.add_response("detect_stack_drift", {"StackDriftDetectionId": "d"}, {"StackName": "mc"})
        told = {
            "StackId": "mc", "StackDriftDetectionId": "d", "DetectionStatus": "DETECTION_FAILED",
            "DetectionStatusReason": "no rights for [Log]", "Timestamp": at,
        }  # fmt: skip
        stub.add_response("describe_stack_drift_detection_status", told, {"StackDriftDetectionId": "d"})
        gone = {
            "StackId": "mc", "LogicalResourceId": "Rule", "ResourceType": "AWS::Events::Rule",
            "StackResourceDriftStatus": "DELETED", "Timestamp": at,
        }  # fmt: skip
        stub.add_response("describe_stack_resource_drifts", {"StackResourceDrifts": [gone]})
        below = {
            "LogicalResourceId": "Storage", "ResourceType": "AWS::CloudFormation::Stack", "LastUpdatedTimestamp": at,
            "PhysicalResourceId": nested, "ResourceStatus": "CREATE_COMPLETE",
        }  # fmt: skip
        stub.add_response("list_stack_resources", {"StackResourceSummaries": [below]}, {"StackName": "mc"})
        stub.add_client_error("detect_stack_drift", "AccessDenied", "not this one")
        stub.add_response("list_stack_resources", {"StackResourceSummaries": []}, {"StackName": nested})
        found = list(drift_of(client, "mc", sleep=lambda seconds: None))
    assert found[:2] == [
        NotCompared("mc", "no rights for [Log]"), Drift("mc", "Rule", "AWS::Events::Rule", "DELETED", ()),
    ]  # fmt: skip
    assert isinstance(found[2], NotCompared) and found[2].stack == "mc-Storage" and "not this one" in found[2].reason


DRIFT = Drift("mc", "Rule", "AWS::Events::Rule", "DELETED", ())


@pytest.mark.parametrize(("found", "status", "says"), [
    ([Compared("mc")], 0, "mc is as its template says\n"),
    ([Compared("mc"), NotCompared("mc-Storage", "no rights")], 0, "warning: mc-Storage was not compared as a whole"),
    ([Compared("mc"), DRIFT], 1, "mc: Rule (AWS::Events::Rule) is deleted"),
    ([NotCompared("mc", "no rights"), DRIFT], 1, "warning: mc was not compared as a whole: no rights"),
    ([NotCompared("mc", "no rights")], 2, "nothing of mc could be compared"),
])  # fmt: skip
def test_only_drift_is_reported_as_drift(
    found: list[Any], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report("mc", found) == status
    said = capsys.readouterr()
    assert says in said.out + said.err


def test_a_release_that_was_changed_or_belongs_to_other_code_is_not_promoted(project: Path, tmp_path: Path) -> None:
    assert "there is no" in differences(tmp_path, project)[0]
    (tmp_path / "template.yaml").write_text("Resources: {}\n")
    (tmp_path / "release.json").write_text(json.dumps(facts(tmp_path, project)))
    assert differences(tmp_path, project) == []
    (project / "functions" / "predict" / "app.py").write_text("other")
    assert differences(tmp_path, project) == ["the code that is checked out is not that of the release"]
    (tmp_path / "template.yaml").write_text("Resources: {A: {}}\n")
    assert len(differences(tmp_path, project)) == 2


def workflows() -> dict[str, Any]:
    return {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}


def test_every_step_of_a_delivery_is_a_target_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    if not (ROOT / ".checkov.yaml").exists():
        targets.add("checkov")  # comes with its settings
    commands = [
        step["run"]
        for name in ("deliver.yml", "promote.yml")
        for job in workflows()[name]["jobs"].values()
        for step in job.get("steps", [])
        if "run" in step
    ]
    assert len(commands) > 8
    for command in commands:
        assert command == ".ci/run" or re.fullmatch(r"make [a-z-]+( [A-Z_]+=\S+)?", command), command
        if command.startswith("make "):
            assert command.split()[1] in targets, command


def test_no_job_holds_a_key_and_only_those_that_deploy_may_ask_for_a_token() -> None:
    for name in ("deliver.yml", "promote.yml"):
        workflow = workflows()[name]
        assert workflow["permissions"] == {"contents": "read"}
        assert "secrets" not in (ROOT / ".github" / "workflows" / name).read_text()
    jobs = workflows()["deliver.yml"]["jobs"]
    assert "permissions" not in jobs["check"]
    assert workflows()["deliver.yml"]["concurrency"] == {"group": "deliver", "cancel-in-progress": False}
    order = ["check", "release", "dev", "staging", "prod"]
    assert [jobs[name]["needs"] for name in order[1:]] == order[:-1]
    (job,) = workflows()["promote.yml"]["jobs"].values()
    built = [step["run"] for step in job["steps"] if "run" in step]
    assert not any("build" in command or "release" in command for command in built), "promoted, not built again"


def roles(file: str) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in read_template(ROOT / "infra" / "delivery" / file)["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
    }


@pytest.mark.parametrize(("file", "role", "subject"), [
    ("environment.yaml", "DeliverRole", "repo:${Repository}:environment:${Environment}"),
    ("releases.yaml", "ReleaseRole", "repo:${Repository}:ref:refs/heads/main"),
])  # fmt: skip
def test_a_role_is_taken_by_one_environment_or_branch_of_one_repository(file: str, role: str, subject: str) -> None:
    (statement,) = roles(file)[role]["AssumeRolePolicyDocument"]["Statement"]
    issuer = "token.actions.githubusercontent.com"
    assert statement["Condition"] == {"StringEquals": {
        f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": {"Fn::Sub": subject},
    }}  # fmt: skip


def test_where_there_are_no_versions_nothing_refers_to_one() -> None:
    version_of = {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Ask"}}}
    alias = {"FunctionVersion": {"Fn::GetAtt": ["AskVersion1", "Version"]}}
    flat: dict[str, Any] = {
        "Resources": {
            "AskVersion1": version_of, "AskAlias": {"Type": "AWS::Lambda::Alias", "Properties": alias},
            "Check": {"Type": "AWS::Lambda::Function", "Properties": {"Environment": {"Variables": {
                "NEW_CODE": {"Ref": "AskVersion1"},
            }}}},
            "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Dimensions": [
                {"Name": "ExecutedVersion", "Value": {"Fn::GetAtt": ["AskVersion1", "Version"]}},
            ]}},
        }
    }  # fmt: skip
    (said,) = [line for line in adapt(flat, "mc", partitions=True) if "$LATEST" in line]
    assert "without a check" in said
    resources = flat["Resources"]
    assert resources["Check"]["Properties"]["Environment"]["Variables"]["NEW_CODE"] == {"Ref": "Ask"}
    assert resources["Alarm"]["Properties"]["Dimensions"][0]["Value"] == "$LATEST"
    assert resources["AskAlias"]["Properties"]["FunctionVersion"] == "$LATEST"
    assert "AskVersion1" not in json.dumps(flat)
