"""The template can name a local cloud's endpoint to every function, and names none on AWS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load

ROOT = Path(__file__).parents[2]

TEMPLATE: dict[str, Any] = load(str(ROOT / "template.yaml"))
FUNCTIONS = {
    name: resource["Properties"]
    for name, resource in TEMPLATE["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}


def test_without_an_endpoint_the_variable_is_not_declared() -> None:
    variables = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    assert TEMPLATE["Parameters"]["Endpoint"]["Default"] == ""
    assert variables["AWS_ENDPOINT_URL"] == {"Fn::If": ["NamedEndpoint", {"Ref": "Endpoint"}, {"Ref": "AWS::NoValue"}]}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_function_names_an_endpoint_of_its_own(name: str) -> None:
    assert "AWS_ENDPOINT_URL" not in FUNCTIONS[name].get("Environment", {}).get("Variables", {})
