"""Removes from a template what makes the emulator refuse all of it, and names it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.faults import TemplateInvalid


@dataclass(frozen=True)
class LeftOut:
    """A resource or output of the template that the local cloud does not have, and why."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


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
    left_out = [LeftOut(f"{name} ({resources[name]['Type']})", reason) for name, reason in reasons.items()]
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
