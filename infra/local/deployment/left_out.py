"""Removes from a template what makes the emulator refuse all of it, and names it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.faults import TemplateInvalid


@dataclass(frozen=True)
class LeftOut:
    """A resource, property or output of the template that the local cloud does not have, and why.

    Parameters
    ----------
    what, why : for people; `why` may be empty
    resource_type, property_name : what things alike have in common; empty for an output, or for a resource as a whole
    """

    what: str
    why: str
    resource_type: str = ""
    property_name: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what


def folded(left_out: Iterable[LeftOut]) -> list[str]:
    """Return a line for each reason, in which things alike are counted.

    >>> why, flow = "it is not kept", "AWS::StepFunctions::StateMachine"
    >>> flows = [LeftOut(f"{name}.Tracing", why, flow, "Tracing") for name in ("Train", "Score")]
    >>> folded([*flows, LeftOut("Ratio (AWS::CloudWatch::Alarm)", why, "AWS::CloudWatch::Alarm")])
    ['Tracing of 2 state machines, Ratio (AWS::CloudWatch::Alarm): it is not kept']
    """
    reasons: dict[str, dict[tuple[str, str], list[LeftOut]]] = {}
    for item in left_out:
        kinds = reasons.setdefault(item.why, {})
        kinds.setdefault((item.resource_type, item.property_name), []).append(item)
    lines = []
    for why, kinds in reasons.items():
        told = [part for kind, items in kinds.items() for part in _counted(*kind, items)]
        lines += [f"{', '.join(told)}: {why}"] if why else told
    return lines


def _counted(resource_type: str, property_name: str, items: list[LeftOut]) -> list[str]:
    """Return the words for things alike."""
    if len(items) == 1 or not resource_type:
        return [item.what for item in items]
    _, service, name = resource_type.split("::", 2)
    noun = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return [f"{property_name} of {len(items)} {plural}" if property_name else f"{len(items)} {plural} of {service}"]


def leave_out(template: dict[str, Any], path: Path) -> list[LeftOut]:
    """Remove from a CloudFormation template, in place, what the local cloud does not have.

    Parameters
    ----------
    path : of the template, for messages

    Raises
    ------
    TemplateInvalid : a resource that stays refers to one that was removed
    """
    resources = template["Resources"]
    reasons = {name: reason for name, resource in resources.items() if (reason := _refusal(resource))}
    types = {name: resources[name]["Type"] for name in reasons}
    left_out = [LeftOut(f"{name} ({types[name]})", reason, types[name]) for name, reason in reasons.items()]
    for name in reasons:
        del resources[name]
    return left_out + _remove_references(template, set(reasons), path)


def references(node: object) -> set[str]:
    """Return the logical ids to which a part of a template refers.

    >>> sorted(references({"a": [{"Ref": "A"}, {"Fn::GetAtt": ["B", "Arn"]}], "b": {"Fn::Sub": "${C.Arn}-x"}}))
    ['A', 'B', 'C']
    """
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    names: set[str] = set()
    for key, value in node.items():
        if key == "Ref":
            names.add(str(value))
        elif key == "Fn::GetAtt":
            names.add(str(value[0] if isinstance(value, list) else str(value).split(".")[0]))
        elif key == "Fn::Sub":
            text = value[0] if isinstance(value, list) else value
            names |= {name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text)}
            names |= references(value[1]) if isinstance(value, list) else set()
        else:
            names |= references(value)
    return names


def _refusal(resource: dict[str, Any]) -> str | None:
    """Return why MiniStack 1.5.33 refuses a template with this resource, or None."""
    if resource["Type"] == "AWS::CloudWatch::CompositeAlarm":
        return "the emulator has no composite alarms"
    if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in (resource.get("Properties") or {}):
        return "the emulator has no metric math"
    if resource["Type"] == "AWS::Logs::QueryDefinition":
        return "the emulator has no saved queries; `modelcycle status` and `modelcycle monitor` read its logs"
    if resource["Type"].startswith("AWS::CodeDeploy::"):
        return "`up` has new code checked itself, then moves all traffic at once"
    return None


def _remove_references(template: dict[str, Any], removed: set[str], path: Path) -> list[LeftOut]:
    """Remove dependencies on removed resources and outputs of them."""
    for resource in template["Resources"].values():
        if "DependsOn" in resource:
            names = resource["DependsOn"]
            resource["DependsOn"] = [
                name for name in ([names] if isinstance(names, str) else names) if name not in removed
            ]
    left_out = []
    outputs = template.get("Outputs") or {}
    for name, output in list(outputs.items()):
        if removed & references(output):
            del outputs[name]
            left_out.append(LeftOut(f"Outputs.{name}", "it refers to a resource that was left out"))
    for name, resource in template["Resources"].items():
        missing = removed & references(resource)
        if missing:
            raise TemplateInvalid(
                f"{name} needs {', '.join(sorted(missing))}, which the local cloud does not have.",
                where=str(path),
                remedy="Give both a condition on the parameter Place, then run the command again.",
            )
    return left_out
