"""The aliases whose traffic CodeDeploy moves on AWS, as the translated template describes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

POLICY = "CodeDeployLambdaAliasUpdate"


@dataclass(frozen=True)
class CheckedAlias:
    """An alias whose function is checked before it gets traffic. All names are logical ids.

    Parameters
    ----------
    before, after : the functions that check; empty if there is none
    """

    alias: str
    version: str
    before: str
    after: str

    def hold(self, template: dict[str, Any], version: str) -> None:
        """Let the alias stay at a version of its function, in a template, in place."""
        template["Resources"][self.alias]["Properties"]["FunctionVersion"] = version


def take_checked_aliases(template: dict[str, Any]) -> list[CheckedAlias]:
    """Remove CodeDeploy's part of the aliases from a template, in place, and return what it said."""
    taken = []
    for name, resource in template["Resources"].items():
        policy = (resource.get("UpdatePolicy") or {}).get(POLICY)
        if policy is None:
            continue
        del resource["UpdatePolicy"]
        version = resource["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]
        before, after = (_name(policy.get(hook)) for hook in ("BeforeAllowTrafficHook", "AfterAllowTrafficHook"))
        taken.append(CheckedAlias(name, version, before, after))
    return taken


def _name(reference: Any) -> str:
    return str(reference["Ref"]) if reference else ""
