"""The template as LocalStack takes it, and how `up` and `down` find a LocalStack."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from infra.local.deployment.intrinsics import DeployedStack
from infra.local.deployment.left_out import references
from infra.local.deployment.translate import read_template
from infra.local.faults import CloudStopped, TemplateInvalid
from infra.local.localstack import place, process, updates
from infra.local.localstack.adapt import adapt
from infra.local.localstack.flatten import flatten

ROOT = Path(__file__).parents[2]
PARENT: dict[str, Any] = {
    "Parameters": {"Size": {"Type": "String"}},
    "Resources": {
        "Box": {
            "Type": "AWS::CloudFormation::Stack",
            "Properties": {"Parameters": {"Name": "", "Size": {"Ref": "Size"}}},
        },
        "Lid": {
            "Type": "AWS::CloudFormation::Stack",
            "DependsOn": "Box",
            "Properties": {"Parameters": {"Of": {"Fn::GetAtt": ["Box", "Outputs.Arn"]}}},
        },
    },
    "Outputs": {"Top": {"Value": {"Fn::GetAtt": "Lid.Outputs.Of"}}},
}
BOX: dict[str, Any] = {
    "Parameters": {
        "Name": {"Type": "String"},
        "Size": {"Type": "String"},
        "Colour": {"Type": "String", "Default": "red"},
    },
    "Conditions": {
        "Named": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Name"}, ""]}]},
        "Both": {"Fn::And": [{"Condition": "Named"}, {"Condition": "Named"}]},
    },
    "Resources": {
        "Store": {"Type": "AWS::S3::Bucket", "Condition": "Named", "Properties": {"Condition": {"Ref": "Colour"}}},
        "Rule": {
            "Type": "AWS::S3::BucketPolicy",
            "DependsOn": "Store",
            "Properties": {
                "A": {"Fn::Sub": "${Store.Arn}/${Size}/${AWS::Region}/${!kept}/${Colour}"},
                "B": {"Fn::Sub": ["${Store}-${x}", {"x": {"Ref": "Store"}}]},
                "C": {"Fn::If": ["Named", {"Ref": "Name"}, {"Ref": "AWS::NoValue"}]},
            },
        },
    },
    "Outputs": {"Arn": {"Value": {"Fn::GetAtt": "Store.Arn"}}},
}
LID: dict[str, Any] = {
    "Parameters": {"Of": {"Type": "String"}},
    "Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"N": {"Fn::Sub": "on-${Of}"}}}},
    "Outputs": {"Of": {"Value": {"Ref": "Of"}}},
}


@pytest.fixture
def flat() -> dict[str, Any]:
    return flatten(PARENT, {"Box": BOX, "Lid": LID})


def test_resources_of_nested_stacks_get_the_stacks_name(flat: dict[str, Any]) -> None:
    assert sorted(flat["Resources"]) == ["BoxRule", "BoxStore", "LidQ"]
    assert flat["Resources"]["BoxStore"]["Condition"] == "BoxNamed"
    assert flat["Resources"]["BoxRule"]["DependsOn"] == ["BoxStore"]


def test_parameters_are_written_out_an_empty_one_too(flat: dict[str, Any]) -> None:
    assert flat["Conditions"]["BoxNamed"] == {"Fn::Not": [{"Fn::Equals": ["", ""]}]}
    assert flat["Conditions"]["BoxBoth"] == {"Fn::And": [{"Condition": "BoxNamed"}, {"Condition": "BoxNamed"}]}
    assert flat["Resources"]["BoxStore"]["Properties"] == {"Condition": "red"}


def test_functions_refer_to_the_new_names(flat: dict[str, Any]) -> None:
    assert flat["Resources"]["BoxRule"]["Properties"] == {
        "A": {"Fn::Sub": ["${BoxStore.Arn}/${Size}/${AWS::Region}/${!kept}/${Colour}", {"Colour": "red"}]},
        "B": {"Fn::Sub": ["${BoxStore}-${x}", {"x": {"Ref": "BoxStore"}}]},
        "C": {"Fn::If": ["BoxNamed", "", {"Ref": "AWS::NoValue"}]},
    }


def test_outputs_are_followed_through_two_stacks(flat: dict[str, Any]) -> None:
    arn = {"Fn::GetAtt": ["BoxStore", "Arn"]}
    assert flat["Outputs"]["Top"]["Value"] == arn
    assert flat["Resources"]["LidQ"]["Properties"] == {"N": {"Fn::Sub": ["on-${Of}", {"Of": arn}]}}


def test_flattening_changes_no_argument() -> None:
    before = deepcopy((PARENT, BOX, LID))
    flatten(PARENT, {"Box": BOX, "Lid": LID})
    assert before == (PARENT, BOX, LID)


def test_two_resources_of_the_same_name_are_refused() -> None:
    parent = deepcopy(PARENT)
    parent["Resources"]["BoxStore"] = {"Type": "AWS::SQS::Queue"}
    with pytest.raises(TemplateInvalid, match="BoxStore"):
        flatten(parent, {"Box": BOX, "Lid": LID})


def api(routes: str, kind: str = "AWS::ApiGateway::RestApi") -> dict[str, Any]:
    """Return an API as SAM translates it: the name of its deployment contains a hash of it."""
    name = f"ShopDeployment{routes}"
    return {
        "Resources": {
            "Shop": {"Type": kind, "Properties": {"Body": routes}},
            name: {
                "Type": "AWS::ApiGateway::Deployment",
                "Properties": {"RestApiId": {"Ref": "Shop"}, "Description": routes},
            },
            "Stage": {
                "Type": "AWS::ApiGateway::Stage", "DependsOn": [name],
                "Properties": {"DeploymentId": {"Ref": name}, "Size": routes},
            },
        }
    }  # fmt: skip


def test_the_deployment_of_an_api_has_one_name_whatever_the_api() -> None:
    first, second = api("a"), api("b")
    for template in (first, second):
        updates.name_deployments(template)
    assert list(first["Resources"]) == list(second["Resources"]) == ["Shop", "ShopDeployment", "Stage"]
    assert first["Resources"]["Stage"]["Properties"]["DeploymentId"] == {"Ref": "ShopDeployment"}
    assert first["Resources"]["Stage"]["DependsOn"] == ["ShopDeployment"]


def test_an_api_is_deployed_once_and_its_changes_are_left_to_its_own_service() -> None:
    before, wanted = api("a"), api("b")
    for template in (before, wanted):
        updates.name_deployments(template)
    wanted["Resources"]["More"] = {"Type": "AWS::SQS::Queue", "Properties": {}}
    original = deepcopy(wanted)
    assert updates.keep_apis(wanted, before)["Resources"] == {
        **before["Resources"],
        "More": wanted["Resources"]["More"],
    }
    assert wanted == original
    assert updates.keep_apis(wanted, {"Resources": {}}) == wanted


class Gateway:
    """API Gateway with one API, whose stage has a deployment; it may fail before the stage is updated."""

    def __init__(self) -> None:
        self.deployments, self.current, self.routes, self.fails = {"d1": "a"}, "d1", "a", False

    def client(self, service: str) -> Gateway:
        return self

    def get_stage(self, *, restApiId: str, stageName: str) -> dict[str, str]:  # noqa: N803
        assert (restApiId, stageName) == ("shop-id", "live")
        return {"deploymentId": self.current}

    def get_deployment(self, *, restApiId: str, deploymentId: str) -> dict[str, str]:  # noqa: N803
        return {"description": self.deployments[deploymentId]}

    def put_rest_api(self, *, restApiId: str, mode: str, body: bytes) -> None:  # noqa: N803
        assert mode == "overwrite"
        self.routes = json.loads(body)

    def create_deployment(self, *, restApiId: str, description: str) -> dict[str, str]:  # noqa: N803
        self.deployments[made := f"d{len(self.deployments) + 1}"] = description
        return {"id": made}

    def update_stage(self, *, patchOperations: list[dict[str, str]], **stage: str) -> None:  # noqa: N803
        if self.fails:
            raise ConnectionError
        self.current = patchOperations[0]["value"]


@pytest.mark.parametrize("fails", [False, True])
def test_a_stage_gets_the_projects_api_even_if_the_first_attempt_was_cut_off(fails: bool) -> None:
    gateway, template = Gateway(), api("b")
    updates.name_deployments(template)
    template["Resources"]["Stage"]["Properties"] |= {"RestApiId": {"Ref": "Shop"}, "StageName": "live"}
    ids = {"Shop": {"type": "", "id": "shop-id"}, "Stage": {"type": "", "id": "live"}}
    stack = DeployedStack(template, {}, ids, "us-east-1", "1")
    if fails:
        gateway.fails = True
        with pytest.raises(ConnectionError):
            updates.update_apis(stack, gateway)
        gateway.fails = False
    assert [line.partition(":")[0] for line in updates.update_apis(stack, gateway)] == ["Shop"]
    assert (gateway.routes, gateway.deployments[gateway.current]) == ("b", "b")
    assert updates.update_apis(stack, gateway) == []


def test_a_change_that_localstack_leaves_out_is_named_and_others_are_not() -> None:
    before, wanted = api("a"), api("b")
    for template, rate in ((before, 1), (wanted, 2)):
        updates.name_deployments(template)
        for kind in ("AWS::Events::Rule", "AWS::IAM::Role", "AWS::Logs::LogGroup"):
            name = kind.rpartition(":")[2]
            template["Resources"][name] = {"Type": kind, "Properties": {"RetentionInDays": rate, "Kept": 1}}
    said = updates.not_updated(before, wanted)
    assert [line.partition(" ")[0] for line in said] == ["Stage.Size", "Rule.RetentionInDays"]


def referred(node: Any) -> set[str]:
    """Return the names to which a part refers, without those that a substitution defines itself."""
    if isinstance(node, list):
        return set().union(*map(referred, node))
    if not isinstance(node, dict):
        return set()
    own = node["Fn::Sub"][1] if isinstance(node.get("Fn::Sub"), list) else {}
    if own:
        return (references(node) - set(own)) | referred(own)
    if set(node) & {"Ref", "Fn::GetAtt", "Fn::Sub"}:
        return references(node)
    return set().union(*map(referred, node.values()))


def test_nothing_in_the_projects_own_template_refers_to_what_is_gone() -> None:
    template = read_template(ROOT / "template.yaml")
    nested = {
        name: read_template(ROOT / resource["Properties"]["TemplateURL"])
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::CloudFormation::Stack"
    }
    flat = flatten(template, nested)
    # before SAM's translation there are names like Predict.Alias
    missing = {name for name in referred(flat) if not name.startswith("AWS::") and "." not in name}
    assert missing - set(flat["Resources"]) - set(template["Parameters"]) == set()
    assert not [r for r in flat["Resources"].values() if r["Type"] == "AWS::CloudFormation::Stack"]


def sample() -> dict[str, Any]:
    return {
        "Resources": {
            "V": {"Type": "AWS::Lambda::Version", "Properties": {}},
            "A": {
                "Type": "AWS::Lambda::Alias", "DependsOn": "V",
                "Properties": {"FunctionVersion": {"Fn::GetAtt": ["V", "Version"]}},
            },
            "S": {
                "Type": "AWS::Scheduler::Schedule",
                "Properties": {
                    "ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"},
                    "Target": {"Arn": {"Ref": "M"}, "RoleArn": "r", "Input": "{}", "RetryPolicy": {}},
                },
            },
            "M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": {}},
            "Daily": {
                "Type": "AWS::Scheduler::Schedule",
                "Properties": {
                    "ScheduleExpression": "cron(30 0 * * ? *)", "State": "ENABLED",
                    "Target": {"Arn": {"Ref": "A"}, "RoleArn": "r", "Input": '{"kind": "seal"}', "RetryPolicy": {}},
                },
            },
            "F": {
                "Type": "AWS::KinesisFirehose::DeliveryStream",
                "Properties": {
                    "ExtendedS3DestinationConfiguration": {
                        "Prefix": "captures/model=!{partitionKeyFromQuery:model}/!{timestamp:yyyy}/",
                        "DynamicPartitioningConfiguration": {"Enabled": True}, "ProcessingConfiguration": {},
                    }
                },
            },
        }
    }  # fmt: skip


def test_aliases_stand_on_latest_and_schedules_become_rules() -> None:
    template = sample()
    said = adapt(template, "s", partitions=True)
    resources = template["Resources"]
    assert "V" not in resources
    assert resources["A"]["Properties"]["FunctionVersion"] == "$LATEST" and resources["A"]["DependsOn"] == []
    assert resources["S"] == {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "ScheduleExpression": "rate(1 hour)", "Targets": [{"Id": "schedule", "Arn": {"Ref": "M"}, "RoleArn": "r"}]
        },
    }  # fmt: skip
    daily = {"Id": "schedule", "Arn": {"Ref": "A"}, "RoleArn": "r", "Input": '{"kind": "seal"}'}
    assert resources["Daily"]["Properties"] == {
        "ScheduleExpression": "cron(30 0 * * ? *)", "State": "ENABLED", "Targets": [daily]
    }  # fmt: skip
    assert any("$LATEST" in line for line in said)
    assert [line for line in said if line.endswith("without Input")] == [line for line in said if line.startswith("S:")]
    assert any(line.startswith("Daily:") for line in said)


def test_dashboards_and_saved_queries_are_left_out_and_told() -> None:
    template = sample()
    template["Resources"] |= {
        "D": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody": "{}"}},
        "Q": {"Type": "AWS::Logs::QueryDefinition", "Properties": {"Name": "n", "QueryString": "limit 1"}},
    }
    template["Outputs"] = {"D": {"Value": {"Fn::If": ["Shown", {"Ref": "D"}, "none"]}}, "F": {"Value": {"Ref": "F"}}}
    said = adapt(template, "s", partitions=True)
    assert not {"D", "Q"} & template["Resources"].keys()
    assert template["Outputs"] == {"D": {"Value": "none"}, "F": {"Value": {"Ref": "F"}}}
    assert "2 dashboards and saved queries: there are none of these" in said


@pytest.mark.parametrize(("partitions", "prefix"), [
    (True, "captures/model=!{partitionKeyFromQuery:model}/!{timestamp:yyyy}/"), (False, "captures/"),
])  # fmt: skip
def test_a_prefix_is_cut_where_nobody_evaluates_it(partitions: bool, prefix: str) -> None:
    template = sample()
    said = adapt(template, "s", partitions=partitions)
    properties = template["Resources"]["F"]["Properties"]
    destination = properties["ExtendedS3DestinationConfiguration"]
    assert properties["DeliveryStreamName"] == "s-F" and destination["Prefix"] == prefix
    assert ("DynamicPartitioningConfiguration" in destination) is partitions
    assert any(line.startswith("F:") for line in said) is not partitions, "what is lost is said"


@pytest.mark.parametrize("prefix", ["!{timestamp:yyyy}/", "plain/", "model=!{x}"])
def test_any_prefix_can_be_cut(prefix: str) -> None:
    template = sample()
    destination = template["Resources"]["F"]["Properties"]["ExtendedS3DestinationConfiguration"]
    destination["Prefix"] = prefix
    adapt(template, "s", partitions=False)
    assert destination["Prefix"] == ("plain/" if prefix == "plain/" else "")


@pytest.mark.parametrize(("health", "version"), [
    ({"edition": "community", "version": "4.14.0"}, "4.14.0"), ({"version": "3.0.0"}, "3.0.0"),
    ({"edition": "light", "version": "1.5.33"}, None), ([], None), ({}, None),
])  # fmt: skip
def test_the_local_cloud_is_not_taken_for_a_localstack(
    health: Any, version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(json.dumps(health).encode()))
    assert process.version("http://127.0.0.1:4566") == version


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.setenv("MODELCYCLE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALSTACK_HOST", "127.0.0.1:1")
    yield tmp_path


def test_up_without_a_localstack_says_how_to_start_one(nowhere: Path) -> None:
    with pytest.raises(CloudStopped, match="No LocalStack answers") as caught:
        place.up("dev", home=nowhere)
    assert "--start" in caught.value.remedy


def test_down_and_status_are_true_where_none_runs(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down", "--place", "localstack", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"place": "localstack", "was_up": False}
    assert main(["status", "--place", "localstack", "--json"]) == 1
    health = json.loads(capsys.readouterr().out)
    assert health["up"] is False and health["facts"] == {}


@pytest.mark.parametrize(("words", "what"), [
    (["up", "--start"], "--start"), (["up", "--place", "aws"], "AWS"), (["down", "--place", "aws"], "AWS"),
    (["up", "--place", "localstack", "--port", "4999"], "--port is for --start"),
    (["up", "--place", "localstack", "--start", "--port", "4999"], "LOCALSTACK_HOST is 127.0.0.1:1"),
])  # fmt: skip
def test_words_that_do_not_fit_are_refused(
    words: list[str], what: str, nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert what in capsys.readouterr().err


def test_a_record_of_a_process_that_is_another_program_is_no_localstack(tmp_path: Path) -> None:
    (tmp_path / "process.json").write_text(json.dumps({"pid": os.getpid(), "port": 4566}))
    assert process.started(tmp_path) is None


def test_lines_are_parted_by_their_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT / "infra/local/localstack/plugin")])
    from modelcycle_localstack.partitions import partitions

    prefix = "captures/model=!{partitionKeyFromQuery:model}/!{timestamp:yyyy/MM/dd/HH}/"
    records = [
        b'{"model": "a", "n": 1}\n{"model": "b\xc3\xbc"}\n',
        b'{"model": "a", "n": 2}\n',
        b"[1]\nbroken\n",
        b"{}",
    ]
    assert partitions(records, prefix, "failed/") == {
        "captures/model=a/": [b'{"model": "a", "n": 1}', b'{"model": "a", "n": 2}'],
        "captures/model=bü/": [b'{"model": "b\xc3\xbc"}'],
        "failed/": [b"[1]", b"broken", b"{}"],
    }
