"""The deployed functions, by their names in the template."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.clients import ClientFactory
from infra.local.deployment.deploy import STACK
from infra.local.deployment.stack import stack_resources
from infra.local.faults import FunctionUnknown

KEY_SECONDS = 30 * 24 * 3600  # whoever can read env.json can read the root key beside it, which never ends


@dataclass(frozen=True)
class DeployedFunction:
    """A function of the deployed stack.

    Parameters
    ----------
    name : in the template, such as `PlanTrials`
    deployed_name : in the local cloud
    role : its ARN
    handler : such as `plan_trials.handler`
    variables : of its environment, without the endpoint and keys that the cloud gives to its processes
    memory : in MB
    timeout : in seconds
    """

    name: str
    deployed_name: str
    role: str
    handler: str
    variables: dict[str, str] = field(repr=False)
    memory: int
    timeout: int

    @property
    def snake_name(self) -> str:
        """The name of its events and, in most cases, of its file, such as `plan_trials`."""
        return snake_name(self.name)


def snake_name(name: str) -> str:
    """Return a name of the template as files have it.

    Examples
    --------
    >>> snake_name("PlanTrials")
    'plan_trials'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def deployed_functions(admin: ClientFactory) -> dict[str, DeployedFunction]:
    """Return the functions of the stack by their names in the template, without those of nested templates."""
    resources = {name: item for name, item in stack_resources(STACK, admin).items() if "/" not in name}
    names = {item["id"]: name for name, item in resources.items() if item["type"] == "AWS::Lambda::Function"}
    pages = admin.client("lambda").get_paginator("list_functions").paginate()
    found = (_function(names[item["FunctionName"]], item) for page in pages for item in page["Functions"]
             if item["FunctionName"] in names)  # fmt: skip
    return {function.name: function for function in sorted(found, key=lambda function: function.name)}


def find_function(functions: dict[str, DeployedFunction], asked: str) -> DeployedFunction:
    """Return the function that a person means: `PlanTrials`, `plan_trials` and `plan-trials` are one.

    Raises
    ------
    FunctionUnknown
    """
    by_key = {_key(name): function for name, function in functions.items()}
    if _key(asked) not in by_key:
        names = ", ".join(function.snake_name for function in functions.values())
        raise FunctionUnknown(f"There is no function {asked!r}.", where="template.yaml", remedy=f"Name one of: {names}")
    return by_key[_key(asked)]


def credentials_of(function: DeployedFunction, admin: ClientFactory) -> dict[str, str]:
    """Return variables with keys of the function's own role, which the local cloud enforces."""
    keys = admin.client("sts").assume_role(
        RoleArn=function.role, RoleSessionName=function.name, DurationSeconds=KEY_SECONDS
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }  # fmt: skip


def code_folder(function: DeployedFunction, template: dict[str, Any], root: Path) -> Path:
    """Return the folder of a function's code in the project."""
    return root / str(template["Resources"][function.name]["Properties"]["CodeUri"])


def layer_folders(function: DeployedFunction, template: dict[str, Any], root: Path) -> list[Path]:
    """Return the folders of a function's layers in the project, in the order of the template."""
    resources = template["Resources"]
    names = [layer["Ref"] for layer in resources[function.name]["Properties"].get("Layers", [])]
    return [root / str(resources[name]["Properties"]["ContentUri"]) for name in names]


def _function(name: str, item: dict[str, Any]) -> DeployedFunction:
    variables = item.get("Environment", {}).get("Variables", {})
    return DeployedFunction(
        name, item["FunctionName"], item["Role"], item["Handler"], dict(variables), item["MemorySize"], item["Timeout"]
    )


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
