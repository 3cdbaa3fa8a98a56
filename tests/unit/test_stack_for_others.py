"""What a stack that others use needs: alarms that reach people, data that end, roles for its account alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ministack.services.cloudformation.engine import _evaluate_rules

from infra.local.deployment.translate import read_template
from infra.termination_protection import protect

ROOT = Path(__file__).parents[2]
TEMPLATES = {path.stem: read_template(path) for path in [ROOT / "template.yaml", *(ROOT / "infra").glob("*.yaml")]}
ALARMS = {
    name: resource["Properties"]
    for name, resource in TEMPLATES["alarms"]["Resources"].items()
    if resource["Type"] == "AWS::CloudWatch::Alarm"
}
CONFUSABLE = ("ecs-tasks.amazonaws.com", "states.amazonaws.com", "events.amazonaws.com", "scheduler.amazonaws.com")


def refusals(**parameters: str) -> str:
    """Return why the template's rules refuse a deployment with these parameters; empty if they do not."""
    declared = TEMPLATES["template"]["Parameters"]
    values = {name: str(body.get("Default", "")) for name, body in declared.items()} | parameters
    try:
        _evaluate_rules(TEMPLATES["template"], {name: {"Value": value} for name, value in values.items()}, {})
    except ValueError as error:
        return str(error)
    return ""


def test_production_is_refused_without_somebody_who_reads_its_alarms() -> None:
    assert "AlarmEmail" in refusals(Place="aws", Environment="prod")
    assert not refusals(Place="aws", Environment="prod", AlarmEmail="ops@example.com")


@pytest.mark.parametrize(("place", "stage"), [("aws", "dev"), ("local", "dev"), ("local", "prod")])
def test_no_other_place_or_environment_asks_for_an_address(place: str, stage: str) -> None:
    assert not refusals(Place=place, Environment=stage)


def test_a_budget_is_refused_without_an_address() -> None:
    assert "MonthlyBudget" in refusals(Place="aws", Environment="dev", MonthlyBudget="50")
    assert not refusals(Place="aws", Environment="dev", MonthlyBudget="50", AlarmEmail="ops@example.com")


def test_subnets_are_refused_without_security_groups() -> None:
    given = {"Place": "aws", "Environment": "dev", "SubnetIds": "subnet-1,subnet-2"}
    assert "SecurityGroupIds" in refusals(**given)
    assert not refusals(**given, SecurityGroupIds="sg-1")


def test_every_log_group_has_a_name_by_which_destroy_finds_what_was_written_after_the_stack() -> None:
    groups = {
        f"{file}/{name}": resource.get("Properties", {}).get("LogGroupName", {}).get("Fn::Sub", "")
        for file, template in TEMPLATES.items()
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Logs::LogGroup"
    }
    assert groups["storage/CaptureLog"] == "/modelcycle/${Stack}/capture"
    # WAF demands the beginning of this one; CloudFormation deletes it with the stack, and only WAF writes to it
    assert groups.pop("firewall/Log") == "aws-waf-logs-${Stack}"
    assert {
        name for name, value in groups.items() if not re.match(r"/modelcycle/\$\{(AWS::)?Stack(Name)?\}/", value)
    } == set()


def test_rules_use_no_function_that_cloudformation_does_not_know_in_rules() -> None:
    """AWS page "Rule functions"; the local cloud would take more."""
    known = {"Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Fn::Contains", "Fn::EachMemberEquals", "Fn::EachMemberIn",
             "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"}  # fmt: skip
    assert set(re.findall(r"Fn::\w+", json.dumps(TEMPLATES["template"]["Rules"]))) <= known


@pytest.mark.parametrize("machine", ["LifecycleArn", "RolloutArn", "MonitoringArn", "BatchScoringArn"])
def test_a_state_machine_that_fails_or_takes_too_long_is_not_silent(machine: str) -> None:
    metrics = {
        alarm["MetricName"]
        for alarm in ALARMS.values()
        if alarm["Dimensions"] == [{"Name": "StateMachineArn", "Value": {"Ref": machine}}]
    }
    assert {"ExecutionsFailed", "ExecutionsTimedOut"} <= metrics


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_goes_to_the_topic_and_says_what_is_wrong(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == [{"Ref": "Topic"}]
    assert len(alarm["AlarmDescription"]) > 10


@pytest.mark.parametrize("name", ALARMS)
def test_no_alarm_rings_on_a_new_stack_that_nobody_uses(name: str) -> None:
    """Step Functions and our own metrics count no zeros: without use there are no data, and that must be no alarm."""
    assert ALARMS[name]["TreatMissingData"] in ("notBreaching", "missing")


def test_an_alarm_about_silence_tells_when_data_end_and_not_before_they_began() -> None:
    silent = {name: alarm for name, alarm in ALARMS.items() if alarm["ComparisonOperator"].startswith("LessThan")}
    assert silent.keys() == {"NothingMonitored"}
    for alarm in silent.values():
        # from OK to INSUFFICIENT_DATA; a new alarm starts there, which is no change and tells nobody
        assert (alarm["TreatMissingData"], alarm["InsufficientDataActions"]) == ("missing", [{"Ref": "Topic"}])
        # three looks at the default rate; `make deploy` makes them fit
        parameters = TEMPLATES["template"]["Parameters"]
        assert (alarm["Period"], alarm["EvaluationPeriods"]) == (3600, {"Ref": "SilentHours"})
        assert (parameters["MonitorRate"]["Default"], parameters["SilentHours"]["Default"]) == ("rate(1 hour)", 3)


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if alarm["Namespace"] == "ModelCycle"])
def test_a_metric_of_our_own_that_has_an_alarm_is_written_somewhere(name: str) -> None:
    folders = [ROOT / "functions", ROOT / "layers/modelcycle/modelcycle"]
    code = "\n".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    assert f'"{ALARMS[name]["MetricName"]}"' in code


def test_captures_that_have_ended_are_gone_with_their_old_versions() -> None:
    rules = TEMPLATES["storage"]["Resources"]["Data"]["Properties"]["LifecycleConfiguration"]["Rules"]
    by_prefix = {rule["Prefix"]: rule for rule in rules if "Prefix" in rule}
    for prefix in ("captures/", "captures-failed/"):
        assert by_prefix[prefix]["ExpirationInDays"] == 90
        assert by_prefix[prefix]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 1


def test_a_role_for_a_service_that_acts_for_others_too_names_this_account() -> None:
    checked = 0
    for template in TEMPLATES.values():
        for resource in template["Resources"].values():
            if resource["Type"] != "AWS::IAM::Role":
                continue
            for stated in resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]:
                statement = stated["Fn::If"][1] if "Fn::If" in stated else stated
                service = statement["Principal"]["Service"]
                if "Fn::If" in service or service in CONFUSABLE:  # of containers, one of two
                    checked += 1
                    condition = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
                    assert statement["Condition"] == condition
    assert checked >= 8


def test_protection_is_asked_for_the_stack_that_is_named() -> None:
    class CloudFormation:
        def __init__(self) -> None:
            self.asked: list[dict[str, Any]] = []

        def update_termination_protection(self, **request: Any) -> None:
            self.asked.append(request)

    client = CloudFormation()
    protect(client, "modelcycle-prod")
    assert client.asked == [{"StackName": "modelcycle-prod", "EnableTerminationProtection": True}]
