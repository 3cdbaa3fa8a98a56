"""Prints what decides whether versions of the functions are published anew: `python -m infra.build_sha NAME=VALUE ...`.

SAM publishes a version of every function when its parameter `BuildSha` changes, and only then. So the hash covers what
makes the functions: their code, the layers with their locks, their properties in the template, and the parameters. A
change of documents, tests, state machines or alarms publishes nothing.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.local.deployment.code_hash import code_version
from infra.local.deployment.translate import read_template

ROOT = Path(__file__).resolve().parents[1]
# they reach no function: who is written to, and how traffic moves
WITHOUT_EFFECT = frozenset(("AlarmEmail", "BuildSha", "MonthlyBudget", "TrafficShift"))


def functions_sha(template: Path, parameters: Mapping[str, str]) -> str:
    """Return the hash of the functions' properties in a template, and of the parameters that are given."""
    read = read_template(template)
    functions = {
        name: resource.get("Properties", {}) | {"Condition": resource.get("Condition")}
        for name, resource in read["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    for properties in functions.values():
        properties.pop("DeploymentPreference", None)
    given = {name: value for name, value in parameters.items() if name not in WITHOUT_EFFECT}
    parts = {
        "globals": read.get("Globals"), "mappings": read.get("Mappings"), "functions": functions, "parameters": given,
        "defaults": {
            name: parameter.get("Default")
            for name, parameter in (read.get("Parameters") or {}).items()
            if name not in WITHOUT_EFFECT
        },
    }  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def build_sha(template: Path, parameters: Mapping[str, str]) -> str:
    """Return the value of `BuildSha` for a deployment of a template with some parameters."""
    code = code_version(template.parent)
    return hashlib.sha256(f"{code}{functions_sha(template, parameters)}".encode()).hexdigest()


if __name__ == "__main__":
    print(build_sha(ROOT / "template.yaml", dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)))
