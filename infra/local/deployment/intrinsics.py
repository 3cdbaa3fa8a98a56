"""Evaluates the intrinsic functions of a deployed template, from its parameters and physical ids.

See https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ABSENT = object()  # AWS::NoValue


class Unresolvable(LookupError):
    """A value of the template that is known to CloudFormation only."""


@dataclass(frozen=True)
class DeployedStack:
    """A deployed stack.

    Parameters
    ----------
    template : after its translation by SAM
    resources : type and physical id by logical id
    outputs : of nested stacks, by the stack's logical id and the output's name
    """

    template: dict[str, Any]
    parameters: dict[str, str]
    resources: dict[str, dict[str, str]]
    region: str
    account: str
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)

    def value(self, node: Any) -> Any:
        """Return a part of the template with its intrinsic functions evaluated; ABSENT for AWS::NoValue.

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
                raise Unresolvable(f"{name} is not supported here")
        pairs = ((key, self.value(value)) for key, value in node.items())
        return {key: value for key, value in pairs if value is not ABSENT}

    def ref(self, name: str) -> Any:
        """Evaluate `Ref`."""
        pseudo_parameters = {
            "AWS::AccountId": self.account,
            "AWS::NoValue": ABSENT,
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name in pseudo_parameters:
            return pseudo_parameters[name]
        if name in self.parameters:
            return self.parameters[name]
        if name in self.resources:
            return self.resources[name]["id"]
        raise Unresolvable(f"there is no {name}")

    def get_att(self, argument: Any) -> Any:
        """Evaluate `Fn::GetAtt` for ARNs and outputs of nested stacks."""
        path = ".".join(argument) if isinstance(argument, list) else str(argument)
        name, _, attribute = path.partition(".")
        if name in self.outputs and attribute.startswith("Outputs."):
            return self.outputs[name][attribute.removeprefix("Outputs.")]
        resource = self.resources.get(name)
        pattern = _ARNS.get(resource["type"]) if resource else None
        if resource is None or pattern is None or attribute not in ("Arn", "TopicArn"):
            raise Unresolvable(f"{path} is not supported here")
        # the physical id of a queue is its URL
        short_id = resource["id"].rsplit("/", 1)[-1] if resource["type"] == "AWS::SQS::Queue" else resource["id"]
        return pattern.format(id=short_id, scope=f"{self.region}:{self.account}", account=self.account)

    def is_true(self, condition: Any) -> bool:
        """Return whether a condition, by name or written out, is true."""
        if isinstance(condition, str):
            return self.is_true(self.template["Conditions"][condition])
        (name, argument), *_ = condition.items()
        if name == "Condition":
            return self.is_true(argument)
        if name == "Fn::Equals":
            return str(self.value(argument[0])) == str(self.value(argument[1]))
        if name == "Fn::Not":
            return not self.is_true(argument[0])
        if name == "Fn::And":
            return all(map(self.is_true, argument))
        if name == "Fn::Or":
            return any(map(self.is_true, argument))
        raise Unresolvable(f"{name} is not a condition")

    def if_(self, argument: list[Any]) -> Any:
        """Evaluate `Fn::If`."""
        condition, then, otherwise = argument
        return self.value(then if self.is_true(condition) else otherwise)

    def sub(self, argument: Any) -> str:
        """Evaluate `Fn::Sub`, with or without a map of names."""
        text, names = (argument[0], argument[1]) if isinstance(argument, list) else (argument, {})

        def replacement(match: re.Match[str]) -> str:
            name = match.group(1)
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in names:
                return str(self.value(names[name]))
            return str(self.get_att(name) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^}]+)\}", replacement, text)

    def find_in_map(self, argument: list[Any]) -> Any:
        """Evaluate `Fn::FindInMap`."""
        mapping, top_key, second_key = (self.value(part) for part in argument)
        return self.template["Mappings"][mapping][top_key][second_key]


_FUNCTIONS: dict[str, Callable[[DeployedStack, Any], Any]] = {
    "Ref": DeployedStack.ref,
    "Fn::FindInMap": DeployedStack.find_in_map,
    "Fn::GetAtt": DeployedStack.get_att,
    "Fn::If": DeployedStack.if_,
    "Fn::Join": lambda stack, argument: argument[0].join(map(str, stack.value(argument[1]))),
    "Fn::Select": lambda stack, argument: stack.value(argument[1])[int(argument[0])],
    "Fn::Split": lambda stack, argument: stack.value(argument[1]).split(argument[0]),
    "Fn::Sub": DeployedStack.sub,
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
