"""What the emulator refuses a whole template for, left out of it and named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.faults import TemplateInvalid

# MiniStack 1.5.33 refuses the whole template for one of these.
REFUSED = {
    "AWS::Budgets::Budget": "budgets cost nothing here",
    "AWS::CloudTrail::Trail": "the emulator has no trails",
    "AWS::CloudWatch::CompositeAlarm": "the emulator has no composite alarms",
    "AWS::CodeDeploy::Application": "the emulator shifts no traffic",
    "AWS::CodeDeploy::DeploymentGroup": "the emulator shifts no traffic",
    "AWS::Events::Archive": "archives are made by API only",
    "AWS::Lambda::CodeSigningConfig": "the emulator checks no signatures",
    "AWS::Logs::QueryDefinition": "the emulator stores no queries",
    "AWS::SecretsManager::ResourcePolicy": "the emulator takes no policy of a secret here",
    "AWS::SecretsManager::RotationSchedule": "the emulator rotates no secrets",
    "AWS::StepFunctions::StateMachineAlias": "the emulator has no aliases of state machines",
    "AWS::StepFunctions::StateMachineVersion": "the emulator has no versions of state machines",
    "AWS::Synthetics::Canary": "the emulator has no canaries",
    "AWS::WAFv2::WebACLAssociation": "the emulator filters no requests",
    "AWS::XRay::Group": "the emulator keeps no traces",
}


@dataclass(frozen=True)
class LeftOut:
    """A resource or property of the template that the local cloud does not have, and why."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


def leave_out(template: dict[str, Any], path: Path) -> list[LeftOut]:
    """Take out of a CloudFormation template, in place, what the local cloud does not have.

    Raises
    ------
    TemplateInvalid
        When something that stays needs what goes.
    """
    resources = template["Resources"]
    left: list[LeftOut] = []
    gone: set[str] = set()
    for logical_id, resource in list(resources.items()):
        why = _refusal(resource)
        if why:
            del resources[logical_id]
            gone.add(logical_id)
            left.append(LeftOut(f"{logical_id} ({resource['Type']})", why))
        elif "CodeDeployLambdaAliasUpdate" in (resource.get("UpdatePolicy") or {}):
            del resource["UpdatePolicy"]
            left.append(LeftOut(f"{logical_id}.UpdatePolicy", "the emulator shifts no traffic"))
    if gone:
        left += _forget(template, gone, path)
    return left


def _refusal(resource: dict[str, Any]) -> str | None:
    if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in (resource.get("Properties") or {}):
        return "the emulator has no metric maths"
    return REFUSED.get(resource["Type"])


def _forget(template: dict[str, Any], gone: set[str], path: Path) -> list[LeftOut]:
    """Drop what only points to a resource that was left out; refuse what needs it."""
    for resource in template["Resources"].values():
        after = resource.get("DependsOn")
        if after is not None:
            resource["DependsOn"] = [one for one in ([after] if isinstance(after, str) else after) if one not in gone]
    left = []
    outputs = template.get("Outputs") or {}
    for name, output in list(outputs.items()):
        if gone & mentions(output):
            del outputs[name]
            left.append(LeftOut(f"Outputs.{name}", "it names what was left out"))
    for logical_id, resource in template["Resources"].items():
        needed = gone & mentions(resource)
        if needed:
            raise TemplateInvalid(
                f"{logical_id} needs {', '.join(sorted(needed))}, which the local cloud does not have.",
                where=str(path),
                remedy="Put both under a condition on the place, then run the command again.",
            )
    return left


def mentions(node: object) -> set[str]:
    """The logical ids that a piece of a template refers to."""
    if isinstance(node, list):
        return set().union(*map(mentions, node))
    if not isinstance(node, dict):
        return set()
    found: set[str] = set()
    for key, value in node.items():
        if key == "Ref":
            found.add(str(value))
        elif key == "Fn::GetAtt":
            found.add(str(value[0] if isinstance(value, list) else str(value).split(".")[0]))
        elif key == "Fn::Sub":
            text = value[0] if isinstance(value, list) else value
            found |= {name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text)}
            found |= mentions(value[1]) if isinstance(value, list) else set()
        else:
            found |= mentions(value)
    return found
