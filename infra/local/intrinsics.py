"""Resolves the intrinsic functions of a deployed stack's template, from its parameters and physical ids."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ABSENT = object()  # AWS::NoValue


class Unresolvable(LookupError):
    """A piece of the template whose value cannot be known from outside CloudFormation."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack.

    `resources` give type and physical id by logical id; `outputs` those of nested stacks by the stack's logical id.
    """

    template: dict[str, Any]
    parameters: dict[str, str]
    resources: dict[str, dict[str, str]]
    region: str
    account: str
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    def value(self, node: Any) -> Any:
        """A piece of the template with its intrinsics resolved.

        Raises
        ------
        Unresolvable
        """
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not ABSENT]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument), *_ = node.items()
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](self, argument)
            if name.startswith("Fn::"):
                raise Unresolvable(f"{name} is not known here")
        pairs = ((key, self.value(value)) for key, value in node.items())
        return {key: value for key, value in pairs if value is not ABSENT}

    def ref(self, name: str) -> Any:
        pseudo = {
            "AWS::AccountId": self.account,
            "AWS::NoValue": ABSENT,
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        if name in self.resources:
            return self.resources[name]["id"]
        raise Unresolvable(f"nothing is called {name}")

    def attribute(self, argument: Any) -> Any:
        name, _, wanted = (".".join(argument) if isinstance(argument, list) else str(argument)).partition(".")
        if name in self.outputs and wanted.startswith("Outputs."):
            return self.outputs[name][wanted.removeprefix("Outputs.")]
        resource = self.resources.get(name)
        pattern = _ARNS.get(resource["type"]) if resource else None
        if resource is None or pattern is None or wanted not in ("Arn", "TopicArn"):
            raise Unresolvable(f"{name}.{wanted} is not known here")
        short = resource["id"].rsplit("/", 1)[-1] if resource["type"] == "AWS::SQS::Queue" else resource["id"]
        return pattern.format(id=short, scope=f"{self.region}:{self.account}", account=self.account)

    def holds(self, condition: Any) -> bool:
        """Whether a condition, by name or written out, is true."""
        if isinstance(condition, str):
            return self.holds(self.template["Conditions"][condition])
        (name, argument), *_ = condition.items()
        if name == "Condition":
            return self.holds(argument)
        if name == "Fn::Equals":
            return str(self.value(argument[0])) == str(self.value(argument[1]))
        if name == "Fn::Not":
            return not self.holds(argument[0])
        if name == "Fn::And":
            return all(map(self.holds, argument))
        if name == "Fn::Or":
            return any(map(self.holds, argument))
        raise Unresolvable(f"{name} is not a condition")

    def choice(self, argument: list[Any]) -> Any:
        return self.value(argument[1] if self.holds(argument[0]) else argument[2])

    def substitution(self, argument: Any) -> str:
        text, names = (argument[0], argument[1]) if isinstance(argument, list) else (argument, {})

        def one(match: re.Match[str]) -> str:
            name = match.group(1)
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in names:
                return str(self.value(names[name]))
            return str(self.attribute(name) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^}]+)\}", one, text)

    def lookup(self, argument: list[Any]) -> Any:
        table, key, name = (self.value(part) for part in argument)
        return self.template["Mappings"][table][key][name]


_FUNCTIONS: dict[str, Callable[[Stack, Any], Any]] = {
    "Ref": Stack.ref,
    "Fn::FindInMap": Stack.lookup,
    "Fn::GetAtt": Stack.attribute,
    "Fn::If": Stack.choice,
    "Fn::Join": lambda stack, argument: argument[0].join(map(str, stack.value(argument[1]))),
    "Fn::Select": lambda stack, argument: stack.value(argument[1])[int(argument[0])],
    "Fn::Split": lambda stack, argument: stack.value(argument[1]).split(argument[0]),
    "Fn::Sub": Stack.substitution,
}

_ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{scope}:table/{id}",
    "AWS::Events::EventBus": "arn:aws:events:{scope}:event-bus/{id}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{id}",
    "AWS::KMS::Key": "arn:aws:kms:{scope}:key/{id}",
    "AWS::Lambda::Function": "arn:aws:lambda:{scope}:function:{id}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{scope}:log-group:{id}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{id}",
    "AWS::SNS::Topic": "{id}",
    "AWS::SQS::Queue": "arn:aws:sqs:{scope}:{id}",
    "AWS::StepFunctions::StateMachine": "{id}",
}
