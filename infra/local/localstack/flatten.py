"""Writes nested stacks into their parent: LocalStack never updates a nested stack, and says UPDATE_COMPLETE.

Each resource of a nested stack gets the stack's logical id as a prefix, its parameters are replaced by what the parent
gives, and the parent's references to its outputs by what they stand for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from infra.local.faults import TemplateInvalid

Template = dict[str, Any]
VARIABLE = re.compile(r"\$\{([^!}]+)\}")


def flatten(template: Template, nested: dict[str, Template]) -> Template:
    """Return the template with its nested stacks written into it; neither argument is changed.

    Parameters
    ----------
    template : of the parent
    nested : the templates of nested stacks by logical id; these nest no further ones

    Raises
    ------
    TemplateInvalid : two resources would get the same name

    Examples
    --------
    >>> queue = {"Type": "Q", "Properties": {"N": {"Ref": "Name"}}}
    >>> child = {"Parameters": {"Name": {}}, "Resources": {"Queue": queue},
    ...          "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}}}}
    >>> stack = {"Type": "AWS::CloudFormation::Stack", "Properties": {"Parameters": {"Name": "n"}}}
    >>> parent = {"Resources": {"Mail": stack}, "Outputs": {"Q": {"Value": {"Fn::GetAtt": ["Mail", "Outputs.Arn"]}}}}
    >>> flatten(parent, {"Mail": child})["Resources"]
    {'MailQueue': {'Type': 'Q', 'Properties': {'N': 'n'}}}
    >>> flatten(parent, {"Mail": child})["Outputs"]
    {'Q': {'Value': {'Fn::GetAtt': ['MailQueue', 'Arn']}}}
    """
    flat = {name: dict(part) if isinstance(part, dict) else part for name, part in template.items()}
    outputs: dict[tuple[str, str], Any] = {}
    for stack, child in nested.items():
        properties = flat["Resources"].pop(stack).get("Properties", {})
        names = _Names(stack, child, properties.get("Parameters", {}))
        for section in ("Conditions", "Mappings", "Resources"):
            moved = {stack + name: names.moved(part) for name, part in (child.get(section) or {}).items()}
            taken = sorted(moved.keys() & flat.get(section, {}).keys())
            if taken:
                raise TemplateInvalid(
                    f"{taken[0]} is the name of a resource, and would be that of one in the nested stack {stack}.",
                    where=stack,
                    remedy="Rename one of the two, then run the command again.",
                )
            if moved:
                flat.setdefault(section, {}).update(moved)
        outputs |= {
            (stack, name): names.moved(output["Value"]) for name, output in (child.get("Outputs") or {}).items()
        }
    return {name: _with_outputs(part, outputs, set(nested)) for name, part in flat.items()}


@dataclass(frozen=True)
class _Names:
    """Renames what one nested stack refers to."""

    stack: str
    child: Template
    given: dict[str, Any]

    def moved(self, node: Any) -> Any:
        """Return a part of the nested template as it reads in the parent."""
        if isinstance(node, list):
            return [self.moved(item) for item in node]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((function, argument),) = node.items()
            if function == "Ref":
                return self._value(argument)
            if function == "Fn::GetAtt":
                name, *rest = argument if isinstance(argument, list) else argument.split(".", 1)
                return {"Fn::GetAtt": [self._renamed(name), *map(self.moved, rest)]}
            if function == "Fn::Sub":
                return self._substitution(argument)
            if function == "Fn::If":
                return {"Fn::If": [self.stack + argument[0], *map(self.moved, argument[1:])]}
            if function == "Fn::FindInMap":
                return {"Fn::FindInMap": [self.stack + argument[0], *map(self.moved, argument[1:])]}
            if function == "Condition" and isinstance(argument, str):
                return {"Condition": self.stack + argument}
        if isinstance(node.get("Type"), str) and node["Type"].count("::") >= 2:
            return self._resource(node)
        return {key: self.moved(value) for key, value in node.items()}

    def _resource(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Return a resource; its Condition and DependsOn are names, not functions."""
        moved = {
            key: self.moved(value) for key, value in resource.items() if key not in ("Type", "Condition", "DependsOn")
        }
        moved = {"Type": resource["Type"], **moved}
        if "Condition" in resource:
            moved["Condition"] = self.stack + resource["Condition"]
        if "DependsOn" in resource:
            names = resource["DependsOn"]
            moved["DependsOn"] = [self._renamed(name) for name in ([names] if isinstance(names, str) else names)]
        return moved

    def _value(self, name: str) -> Any:
        parameters = self.child.get("Parameters") or {}
        if name in parameters:
            return self.given.get(name, parameters[name].get("Default", ""))
        return {"Ref": self._renamed(name)}

    def _renamed(self, name: str) -> str:
        return self.stack + name if name in self.child["Resources"] else name

    def _substitution(self, argument: Any) -> dict[str, Any]:
        text, values = (argument, {}) if isinstance(argument, str) else argument
        values = {name: self.moved(value) for name, value in values.items()}

        def variable(match: re.Match[str]) -> str:
            name, dot, attribute = match[1].partition(".")
            if match[1] in values:
                return match[0]
            value = self._value(name)
            if value == {"Ref": name}:
                return match[0]
            if isinstance(value, dict) and set(value) == {"Ref"}:
                return f"${{{value['Ref']}{dot}{attribute}}}"
            values[name] = value
            return match[0]

        text = VARIABLE.sub(variable, text)
        return {"Fn::Sub": [text, values] if values else text}


def _with_outputs(node: Any, outputs: dict[tuple[str, str], Any], stacks: set[str]) -> Any:
    """Replace references to outputs of nested stacks by their values, which may refer to further outputs."""
    if isinstance(node, list):
        return [_with_outputs(item, outputs, stacks) for item in node]
    if not isinstance(node, dict):
        return node
    if set(node) == {"Fn::GetAtt"}:
        argument = node["Fn::GetAtt"]
        name, _, attribute = (".".join(argument) if isinstance(argument, list) else argument).partition(".")
        output = (name, attribute.removeprefix("Outputs."))
        if output in outputs:
            return _with_outputs(outputs[output], outputs, stacks)
    replaced = {key: _with_outputs(value, outputs, stacks) for key, value in node.items()}
    if "DependsOn" in replaced:
        names = replaced["DependsOn"]
        kept = [name for name in ([names] if isinstance(names, str) else names) if name not in stacks]
        replaced["DependsOn"] = kept
    return replaced
