"""How the local cloud judges alarms. With a running cloud: tests/e2e/test_observability.py."""

from __future__ import annotations

import json
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from ministack.services import cloudwatch

from infra.local.emulator.alarms import Alarms, embedded_metrics, state_of
from infra.local.emulator.cloudwatch_rights import fill_in_cloudwatch_rights

NOW = 1_000_000.0


def alarm(**changed: Any) -> dict[str, Any]:
    return {
        "AlarmName": "a", "Namespace": "N", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching", "StateValue": "INSUFFICIENT_DATA", "Dimensions": [],
    } | changed  # fmt: skip


def points(*ago_and_value: tuple[float, float]) -> list[dict[str, Any]]:
    return [{"Timestamp": NOW - ago, "Value": value} for ago, value in ago_and_value]


@pytest.mark.parametrize(
    ("given", "seen", "state"),
    [
        ({}, [(5, 0), (6, 1)], "ALARM"),
        ({}, [(5, 0)], "OK"),
        ({"StateValue": "ALARM"}, [(100, 1)], "OK"),  # over, and nothing since
        ({}, [(-5, 1)], "OK"),  # of the future
        ({"EvaluationPeriods": 2}, [(5, 1)], "OK"),
        ({"EvaluationPeriods": 2}, [(5, 1), (65, 1)], "ALARM"),
        ({"EvaluationPeriods": 3, "DatapointsToAlarm": 2}, [(5, 1), (130, 1)], "ALARM"),
        ({"EvaluationPeriods": 3, "DatapointsToAlarm": 2}, [(130, 1)], "OK"),
        ({"TreatMissingData": "breaching"}, [], "ALARM"),
        ({"TreatMissingData": "missing", "StateValue": "OK"}, [], "INSUFFICIENT_DATA"),
        ({"TreatMissingData": "ignore", "StateValue": "ALARM"}, [], "ALARM"),
        # as NothingMonitored: data in one of three hours are enough, and only their absence tells
        (
            {"TreatMissingData": "missing", "ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 3},
            [(150, 1)],
            "OK",
        ),
        ({"Statistic": None, "ExtendedStatistic": "p50", "Threshold": 5.0}, [(5, 1), (6, 9), (7, 9)], "ALARM"),
        ({"ComparisonOperator": "LessThanLowerThreshold", "StateValue": "OK"}, [(5, 1)], "OK"),  # not known here
    ],
)
def test_periods_that_end_now_decide(given: dict[str, Any], seen: list[tuple[float, float]], state: str) -> None:
    assert state_of(alarm(**given), points(*seen), NOW, cloudwatch) == state


class Emulator:
    """The parts of MiniStack that alarms are made of; `told` are the letters of their topics."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[tuple[str, str]] = []
        self.flows = SimpleNamespace(_emit_execution_status_event=lambda execution: None)
        self.functions = SimpleNamespace(_emit_lambda_logs=lambda *given, **named: None)
        for name in ("_evaluate_alarm", "_dispatch_alarm_actions"):
            monkeypatch.setattr(cloudwatch, name, getattr(cloudwatch, name))
        monkeypatch.setattr(
            cloudwatch,
            "_dispatch_alarm_actions",
            lambda alarm, old, new, why: self.told.append((alarm["AlarmName"], new)),
        )
        self.alarms = Alarms(cloudwatch, self.flows, self.functions, lambda account, region: nullcontext())
        self.alarms.install()
        cloudwatch.reset()


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    return Emulator(monkeypatch)


def test_an_alarm_reads_its_own_dimensions_alone_and_tells_a_change_once(emulator: Emulator) -> None:
    mine = alarm(AlarmName="mine", Dimensions=[{"Name": "FunctionName", "Value": "monitor"}])
    other = alarm(AlarmName="other", Dimensions=[{"Name": "FunctionName", "Value": "predict"}])
    cloudwatch.record_metric("N", "Errors", 1, "Count", {"FunctionName": "monitor"})
    for one in (mine, other, mine):
        emulator.alarms.judge(one)
    assert (mine["StateValue"], other["StateValue"]) == ("ALARM", "OK")
    assert emulator.told == [("mine", "ALARM"), ("other", "OK")]


def test_ends_of_executions_are_counted(emulator: Emulator) -> None:
    for status in ("RUNNING", "FAILED"):
        emulator.flows._emit_execution_status_event({"stateMachineArn": "arn:look", "status": status})
    failed = alarm(
        Namespace="AWS/States", MetricName="ExecutionsFailed",
        Dimensions=[{"Name": "StateMachineArn", "Value": "arn:look"}],
    )  # fmt: skip
    emulator.alarms.judge(failed)
    assert failed["StateValue"] == "ALARM"


def test_metrics_in_the_log_of_a_function_are_counted(emulator: Emulator) -> None:
    line = json.dumps({
        "_aws": {"CloudWatchMetrics": [{
            "Namespace": "ModelCycle", "Dimensions": [["service"]], "Metrics": [{"Name": "NotCaptured"}],
        }]},
        "service": "predict", "NotCaptured": [3.0],
    })  # fmt: skip
    emulator.functions._emit_lambda_logs({}, "id", f"START\n{line}\nEND", False, 5)
    lost = alarm(Namespace="ModelCycle", MetricName="NotCaptured", Dimensions=[{"Name": "service", "Value": "predict"}])
    emulator.alarms.judge(lost)
    assert lost["StateValue"] == "ALARM"


@pytest.mark.parametrize(
    "line",
    ['{"_aws": {"CloudWatchMetrics": [{"Namespace": "N"}]}}', '{"_aws": 3}', '"_aws" {'],
)  # fmt: skip
def test_a_line_that_only_looks_like_metrics_is_none(line: str) -> None:
    assert embedded_metrics(line) == []


def test_policies_about_metrics_and_alarms_have_what_they_compare() -> None:
    actions = SimpleNamespace(
        request_tag_context=lambda service, action, body, parameters: {"a": "b"},
        extract_resource_arn=lambda *request: "*",
        extract_iam_action=lambda service, method, path, headers, body, parameters: headers["action"],
    )
    fill_in_cloudwatch_rights(actions)
    body = json.dumps({"Namespace": "ModelCycle/Models"}).encode()
    context = actions.request_tag_context("cloudwatch", "cloudwatch:PutMetricData", body, {})
    assert context == {"a": "b", "cloudwatch:namespace": "ModelCycle/Models"}
    assert actions.request_tag_context("cloudwatch", "cloudwatch:PutMetricData", b"\xff", {}) == {"a": "b"}
    assert actions.request_tag_context("sqs", "sqs:SendMessage", body, {}) == {"a": "b"}

    def resource(service: str, action: str) -> str:
        return str(actions.extract_resource_arn(service, "POST", "/", {"action": action}, b"", {}, "us-east-1", "1"))

    assert resource("monitoring", "cloudwatch:DescribeAlarms") == "arn:aws:cloudwatch:us-east-1:1:alarm:*"
    assert resource("monitoring", "cloudwatch:PutMetricData") == "*"
    assert resource("sqs", "sqs:SendMessage") == "*"
