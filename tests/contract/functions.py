"""Every function of the template: a new step is tested as soon as it is there."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


class _Loader(yaml.SafeLoader):
    """Reads the short form of the template's intrinsics (`!Ref x`) as their argument."""


def _intrinsic(loader: yaml.Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _intrinsic)


@dataclass(frozen=True)
class Function:
    """A function: `name` is that of its step, `resource` that in the template."""

    name: str
    resource: str
    path: Path
    handler: str

    @cache  # noqa: B019 (few, and they live until the tests end)
    def module(self) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"function_{self.name}", self.path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    def __call__(self, event: Any) -> Any:
        return getattr(self.module(), self.handler)(event, Context(self.resource))


class Context:
    """The context that Lambda gives a function."""

    memory_limit_in_mb = 2048
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, name: str) -> None:
        self.function_name = name
        self.invoked_function_arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@cache
def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Loader)
    return loaded


def functions() -> dict[str, Function]:
    """The functions, by name in the template."""
    by_resource = {}
    shared = template()["Globals"]["Function"]
    for resource, body in template()["Resources"].items():
        if body["Type"] == "AWS::Serverless::Function":
            properties = shared | body["Properties"]
            file, handler = properties["Handler"].split(".")
            name = re.sub(r"(?<!^)([A-Z])", r"_\1", resource).lower()
            by_resource[resource] = Function(name, resource, ROOT / properties["CodeUri"] / f"{file}.py", handler)
    return by_resource
