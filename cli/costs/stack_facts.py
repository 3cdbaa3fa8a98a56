"""What the template says that decides a bill: memory, alarms, logs, keys, streams, of each environment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cli.costs.parameters import check_settings
from infra.local.deployment.intrinsics import DeployedStack, Unresolvable
from infra.local.deployment.translate import read_template

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("dev", "staging", "prod")
HOURS_A_MONTH = 730
MONITOR = "Look"  # the schedule of the monitoring
MINUTES = {"minute": 1, "hour": 60, "day": 1440}

# resources that the estimate counts, or that cost nothing by themselves
COUNTED = (
    "AWS::ApiGateway", "AWS::CloudFormation::", "AWS::CloudWatch::", "AWS::CodeDeploy::", "AWS::DynamoDB::Table",
    "AWS::Events::", "AWS::IAM::", "AWS::KMS::", "AWS::Kinesis::Stream", "AWS::KinesisFirehose::", "AWS::Lambda::",
    "AWS::Logs::", "AWS::S3::", "AWS::SNS::", "AWS::SQS::", "AWS::Scheduler::", "AWS::Serverless::",
    "AWS::WAFv2::",
)  # fmt: skip


@dataclass
class StackFacts:
    """What one environment of the stack holds.

    Parameters
    ----------
    memory : megabytes of each function, by logical id
    alarms : metrics that alarms watch; an alarm over several metrics is billed for each
    log_days : the longest retention of a log group; None if one never expires
    capture_days : after how many days captures are deleted; None if never
    looks : of the monitor, a month; None if its schedule is no plain rate
    data_keys : those of the keys that encrypt data
    firewall_rules : of a web ACL that the stack makes; 0: it makes none
    other : types of resources that the estimate does not know
    """

    memory: dict[str, int] = field(default_factory=dict)
    alarms: int = 0
    dashboards: int = 0
    log_days: int | None = 0
    capture_days: int | None = None
    looks: float | None = None
    traced: bool = False
    detailed_metrics: bool = False
    http_api: bool = False
    partitions: bool = False
    buffer_seconds: int = 300
    point_in_time: bool = False
    keys: int = 0
    data_keys: int = 0
    shards: int = 0
    queues: bool = False
    firewall_rules: int = 0
    other: list[str] = field(default_factory=list)


@cache
def stack_facts(environment: str, settings: tuple[tuple[str, str], ...] = (), root: Path = ROOT) -> StackFacts:
    """Return the facts of an environment.

    Parameters
    ----------
    settings : values of template parameters, which go before those that `make deploy` gives

    Raises
    ------
    TemplateInvalid, BadInput : the template cannot be read; there is no such parameter
    """
    template = read_template(root / "template.yaml")
    check_settings(settings, template.get("Parameters", {}))
    given = {"Place": "aws", "Environment": environment} | _deploy_settings(root, environment) | dict(settings)
    facts = StackFacts()
    for stack, name, resource in _resources(template, given, root):
        _add(facts, stack, name, resource)
    facts.other = sorted(set(facts.other))
    return facts


def _deploy_settings(root: Path, environment: str) -> dict[str, str]:
    """Return the parameters that `make deploy` gives to an environment."""
    makefile = root / "Makefile"
    text = makefile.read_text(encoding="utf-8") if makefile.is_file() else ""
    found = re.search(rf"^SETTINGS_{environment} *:?= *(.*)$", text, re.MULTILINE)
    pairs = (part.partition("=") for part in found.group(1).split()) if found else ()
    return {name: value for name, _, value in pairs}


def _resources(
    template: dict[str, Any], given: dict[str, str], folder: Path
) -> Iterator[tuple[DeployedStack, str, dict[str, Any]]]:
    """Yield the resources that exist under these parameters, those of nested stacks included, with their stack."""
    defaults = {
        name: str(declared["Default"])
        for name, declared in template.get("Parameters", {}).items()
        if "Default" in declared
    }
    stack = DeployedStack(template, defaults | given, {}, "us-east-1", "000000000000")
    for name, resource in template["Resources"].items():
        condition = resource.get("Condition")
        if condition is not None and not _known(lambda condition=condition: stack.is_true(condition), default=True):
            continue
        yield stack, name, resource
        if resource["Type"] == "AWS::CloudFormation::Stack":
            properties = resource["Properties"]
            values = properties.get("Parameters", {})
            nested = {key: str(_value(stack, value, "unknown")) for key, value in values.items()}
            path = folder / str(properties["TemplateURL"])
            yield from _resources(read_template(path), nested, path.parent)


def _add(facts: StackFacts, stack: DeployedStack, name: str, resource: dict[str, Any]) -> None:
    kind, properties = resource["Type"], resource.get("Properties", {})
    shared = stack.template.get("Globals", {}).get("Function", {})
    if kind == "AWS::Serverless::Function":
        # 128 MB where nothing is said (AWS page "Configure Lambda function memory")
        facts.memory[name] = int(_value(stack, properties.get("MemorySize", shared.get("MemorySize")), None) or 128)
        facts.traced |= _value(stack, properties.get("Tracing", shared.get("Tracing")), "") == "Active"
    elif kind == "AWS::Serverless::Api":
        methods = _value(stack, properties.get("MethodSettings", []), [])
        facts.detailed_metrics |= any(method.get("MetricsEnabled") for method in methods)
    elif kind in ("AWS::Serverless::HttpApi", "AWS::ApiGatewayV2::Api"):
        facts.http_api = True
    elif kind == "AWS::CloudWatch::Alarm":
        facts.alarms += max(1, sum("MetricStat" in metric for metric in properties.get("Metrics", [])))
    elif kind == "AWS::CloudWatch::Dashboard":
        facts.dashboards += 1
    elif kind == "AWS::Logs::LogGroup":
        days = _value(stack, properties.get("RetentionInDays"), None)
        facts.log_days = None if days is None or facts.log_days is None else max(facts.log_days, int(days))
    elif kind == "AWS::S3::Bucket":
        rules = _value(stack, properties.get("LifecycleConfiguration", {}), {}).get("Rules", [])
        for rule in rules:
            if rule.get("Prefix") == "captures/" and "ExpirationInDays" in rule:
                facts.capture_days = int(rule["ExpirationInDays"])
    elif kind == "AWS::DynamoDB::Table":
        recovery = _value(stack, properties.get("PointInTimeRecoverySpecification", {}), {})
        facts.point_in_time |= recovery.get("PointInTimeRecoveryEnabled") is True
    elif kind == "AWS::KinesisFirehose::DeliveryStream":
        target = properties.get("ExtendedS3DestinationConfiguration", {})
        facts.partitions |= _value(stack, target.get("DynamicPartitioningConfiguration", {}), {}).get("Enabled") is True
        hints = _value(stack, target.get("BufferingHints", {}), {})
        facts.buffer_seconds = int(hints.get("IntervalInSeconds", facts.buffer_seconds))
    elif kind == "AWS::Scheduler::Schedule" and name == MONITOR:  # the others fire once a day
        facts.looks = _looks(str(_value(stack, properties.get("ScheduleExpression"), "")))
    elif kind == "AWS::Kinesis::Stream":
        facts.shards += int(_value(stack, properties.get("ShardCount"), None) or 1)
    elif kind == "AWS::KMS::Key":
        facts.keys += 1
        facts.data_keys += "KeySpec" not in properties  # the others sign, or make pseudonyms
    elif kind == "AWS::SQS::Queue" and "Condition" in resource:
        facts.queues = True
    elif kind == "AWS::WAFv2::WebACL":
        facts.firewall_rules += len(properties.get("Rules", []))
    elif not kind.startswith(COUNTED):
        facts.other.append(kind)


def _looks(expression: str) -> float | None:
    """Return how often a rate fires in a month; None for another schedule.

    >>> _looks("rate(1 hour)"), _looks("cron(0 12 * * ? *)")
    (730.0, None)
    """
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
    return HOURS_A_MONTH * 60 / (int(found.group(1)) * MINUTES[found.group(2)]) if found else None


def _value(stack: DeployedStack, node: Any, default: Any) -> Any:
    return default if node is None else _known(lambda: stack.value(node), default=default)


def _known(evaluate: Any, default: Any) -> Any:
    """Return a value of the template, or the default if only CloudFormation knows it."""
    try:
        return evaluate()
    except (Unresolvable, KeyError):
        return default
