"""What LocalStack 4.14.0 takes otherwise than CloudFormation, changed in a flat template.

Each change returns the sentence that `up` shows. `tests/localstack` fails where one is missing.
"""

from __future__ import annotations

import re
from typing import Any

from infra.local.deployment.left_out import references

Template = dict[str, Any]
EXPRESSION = re.compile(r"!\{")
STATE_MACHINE = "AWS::StepFunctions::StateMachine"
UNSEEN = ("AWS::CloudWatch::Dashboard", "AWS::Logs::QueryDefinition")

UNCHECKED = "unsigned requests to the API are answered: who predicts and who decides is not checked, nor recorded"
NO_SCHEDULES = (
    "schedules of models (`every:` in a pipeline file) never start a run: LocalStack's Scheduler does not fire"
)
ALWAYS = (
    UNCHECKED,
    "roles and policies are kept and not enforced: the local cloud enforces them",
    NO_SCHEDULES,
    "functions log to /aws/lambda/NAME, not to the stack's own log groups",
    "records of streams come by the queue alone: Kinesis would need a program that is not in the package",
)
"""What LocalStack 4.14.0 leaves out and no change of the template mends."""


def adapt(template: Template, stack: str, *, partitions: bool) -> list[str]:
    """Change a flat template in place; return what was changed or left out, for people.

    Parameters
    ----------
    stack : its name, with which names of resources begin
    partitions : whether Firehose partitions there; LocalStack's own does not
    """
    return [
        *_aliases_without_versions(template),
        *_rules_for_schedules(template),
        *_named_streams(template, stack),
        *_untraced_machines(template),
        *_without_dashboards(template),
        *([] if partitions else _plain_prefixes(template)),
    ]


def _aliases_without_versions(template: Template) -> list[str]:
    """Point aliases to $LATEST: an update would lose the alias, or leave it on a version that is gone."""
    resources = template["Resources"]
    versions = {name for name, resource in resources.items() if resource["Type"] == "AWS::Lambda::Version"}
    functions = {name: resources.pop(name).get("Properties", {}).get("FunctionName") for name in versions}
    _refer_to_functions(template, functions)
    for resource in resources.values():
        if resource["Type"] == "AWS::Lambda::Alias":
            resource["Properties"]["FunctionVersion"] = "$LATEST"
        if "DependsOn" in resource:
            names = resource["DependsOn"]
            resource["DependsOn"] = [n for n in ([names] if isinstance(names, str) else names) if n not in versions]
    if not versions:
        return []
    return [
        f"{len(versions)} versions of functions: aliases point to $LATEST, because an update would lose them; so new "
        "code of Predict and Decide gets traffic at once, without a check"
    ]


def _refer_to_functions(node: Any, functions: dict[str, Any]) -> Any:
    """Replace references to versions by references to their functions, in place; return what takes the node's place.

    Parameters
    ----------
    functions : by version, what refers to its function
    """
    if isinstance(node, list):
        node[:] = [_refer_to_functions(item, functions) for item in node]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((name, argument),) = node.items()
        if name == "Ref" and argument in functions:
            return functions[argument]
        if name == "Fn::GetAtt" and isinstance(argument, list) and argument[0] in functions:
            return "$LATEST"
    for key, value in node.items():
        node[key] = _refer_to_functions(value, functions)
    return node


def _rules_for_schedules(template: Template) -> list[str]:
    """Replace schedules by scheduled rules, which fire; those of state machines have no Input.

    An execution is named by the `id` of the event, which an Input replaces: it would never start.
    """
    resources, said = template["Resources"], []
    machines = {name for name, resource in resources.items() if resource["Type"] == STATE_MACHINE}
    for name, resource in resources.items():
        if resource["Type"] != "AWS::Scheduler::Schedule":
            continue
        properties = resource["Properties"]
        starts_machine = bool(machines & references(properties["Target"]["Arn"]))
        kept = ("Arn", "RoleArn") if starts_machine else ("Arn", "RoleArn", "Input")
        target = {key: properties["Target"][key] for key in kept if key in properties["Target"]}
        rule: dict[str, Any] = {"ScheduleExpression": properties["ScheduleExpression"]}
        if "State" in properties:
            rule["State"] = properties["State"]
        resource["Type"] = "AWS::Events::Rule"
        resource["Properties"] = {**rule, "Targets": [{"Id": "schedule", **target}]}
        without = "; without Input" if starts_machine else ""
        said.append(f"{name}: a scheduled rule instead of a schedule, which never fires there{without}")
    return said


def _named_streams(template: Template, stack: str) -> list[str]:
    """Name the delivery streams: one without a name cannot be created."""
    for name, properties in _delivery_streams(template):
        properties.setdefault("DeliveryStreamName", f"{stack}-{name}")
    return []


def _untraced_machines(template: Template) -> list[str]:
    """Leave out the traces of state machines: CloudFormation drops the setting, and the API refuses it alone."""
    traced = 0
    for resource in template["Resources"].values():
        if resource["Type"] == STATE_MACHINE:
            traced += resource["Properties"].pop("TracingConfiguration", None) is not None
    return [f"{traced} state machines are not traced: there is no X-Ray"] if traced else []


def _without_dashboards(template: Template) -> list[str]:
    """Leave out dashboards and saved queries, for which it has no providers; outputs that name them say `none`."""
    resources = template["Resources"]
    names = {name for name, resource in resources.items() if resource["Type"] in UNSEEN}
    for name in names:
        del resources[name]
    for output in (template.get("Outputs") or {}).values():
        if names & references(output):
            output["Value"] = "none"
    return [f"{len(names)} dashboards and saved queries: there are none of these"] if names else []


def _plain_prefixes(template: Template) -> list[str]:
    """Cut a prefix before its first expression: LocalStack would write the expression itself into the keys."""
    said = []
    for name, properties in _delivery_streams(template):
        destination = properties.get("ExtendedS3DestinationConfiguration", {})
        prefix = destination.get("Prefix", "")
        expression = EXPRESSION.search(prefix) if isinstance(prefix, str) else None
        if expression is None:
            continue
        destination["Prefix"] = prefix[: prefix.rfind("/", 0, expression.start()) + 1]
        for setting in ("DynamicPartitioningConfiguration", "ProcessingConfiguration"):
            destination.pop(setting, None)
        said.append(
            f"{name}: captures are not parted by model, so that staging and the judge of rollouts find none; "
            "the LocalStack that `up --place localstack --start` starts parts them"
        )
    return said


def _delivery_streams(template: Template) -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, resource.setdefault("Properties", {}))
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::KinesisFirehose::DeliveryStream"
    ]
