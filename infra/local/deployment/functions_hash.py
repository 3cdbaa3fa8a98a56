"""One hash over what the template says of the functions: a change of it needs new versions, like one of code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from infra.local.deployment.translate import read_template

# they reach no function: the code itself, who is written to, and how traffic moves
WITHOUT_EFFECT = frozenset(
    (
        "AlarmEmail",
        "BuildSha",
        "CodeVersion",
        "IncidentEmail",
        "IncidentWebhook",
        "IncidentWebhookSecret",
        "MonthlyBudget",
        "Policies",
        "TrafficShift",
        "TrainingCode",
    )
)


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
