"""The bill of materials of a model, as CycloneDX 1.6 (ECMA-424): the model, its data, and the packages that made it.

https://cyclonedx.org/docs/1.6/json/ describes the format.
"""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

from modelcycle.documents.made import Made
from modelcycle.messages import Artifact

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
TASKS = {"binary": "binary classification", "multiclass": "multiclass classification", "regression": "regression"}
NAMESPACE = uuid.UUID("6f1d5a6e-0b62-5c0f-9d0a-5b1c8f5a7f10")  # of serial numbers: equal models have equal ones


def bill_of_materials(made: Made) -> dict[str, Any]:
    """Return the bill of a candidate; equal candidates give equal bills.

    No time of writing is in it: the time of the run is.
    """
    served = made.refit.onnx or made.select_model.onnx
    files = [_data(entry) for entry in made.manifest.get("objects", [])]
    packages = [_package(name, version) for name, version in sorted(made.select_model.packages.items())]
    model = _model(made, served, [component["bom-ref"] for component in files])
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, f'{made.run.model} {made.run.run_id} {served.sha256}')}",
        "version": 1,
        "metadata": {"timestamp": f"{made.run.started_at:%Y-%m-%dT%H:%M:%SZ}", "component": model},
        "components": [*packages, *files],
        "dependencies": [
            {"ref": model["bom-ref"], "dependsOn": sorted({part["bom-ref"] for part in [*packages, *files]})}
        ],
    }


def _model(made: Made, served: Artifact, data: list[str]) -> dict[str, Any]:
    run, about, task = made.run, made.pipeline.about, made.preprocess.task
    considerations: dict[str, Any] = {}
    if about.users:
        considerations["users"] = [about.users]
    if about.purpose:
        considerations["useCases"] = [about.purpose]
    if about.not_for:
        considerations["technicalLimitations"] = [about.not_for]
    if about.risks:
        considerations["ethicalConsiderations"] = [{"name": about.risks}]
    card: dict[str, Any] = {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": TASKS[task],
            "architectureFamily": "ensemble" if len(made.select_model.recipe.members) > 1 else "single model",
            "modelArchitecture": " + ".join(
                sorted({member.trial.algorithm for member in made.select_model.recipe.members})
            ),
            "datasets": [{"ref": reference} for reference in data],
            "inputs": [{"format": f"{column.name}: {column.type}"} for column in _inputs(made)],
            "outputs": [{"format": f"{made.pipeline.target}: {'number' if task == 'regression' else 'class'}"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": _metrics(made)},
    }
    if considerations:
        card["considerations"] = considerations
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{run.model}:{run.run_id}",
        "name": run.model,
        "version": run.run_id,
        "description": f"predicts {made.pipeline.target}",
        **({"supplier": {"name": about.provider}} if about.provider else {}),
        "hashes": [{"alg": "SHA-256", "content": served.sha256}],
        "modelCard": card,
        "properties": [
            {"name": "modelcycle:code", "value": made.code},
            {"name": "modelcycle:opset", "value": str(made.select_model.opset)},
            {"name": "modelcycle:data", "value": made.collect.manifest.sha256},
        ],
    }


def _inputs(made: Made) -> list[Any]:
    used = {planned.column for planned in made.plan.columns if planned.treatment != "left_out"}
    return [column for column in made.profile.columns if column.name in used]


def _metrics(made: Made) -> list[dict[str, Any]]:
    intervals = made.report.get("intervals", {})
    figures: list[dict[str, Any]] = []
    for name, value in sorted(made.validate.metrics.items()):
        figure: dict[str, Any] = {"type": name, "value": repr(value), "slice": "test rows"}
        if intervals.get(name):
            low, high = intervals[name]
            figure["confidenceInterval"] = {"lowerBound": repr(low), "upperBound": repr(high)}
        figures.append(figure)
    for column, found in sorted((made.report.get("groups") or {}).items()):
        for group, values in sorted(found["groups"].items()):
            figures += [
                {"type": name, "value": repr(value), "slice": f"{column}: {group}"}
                for name, value in sorted(values.items())
                if name != "rows" and isinstance(value, int | float)
            ]
    return figures


def _data(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "data",
        "bom-ref": f"data:{entry['sha256']}:{entry['key']}",
        "name": entry["key"],
        **({"version": entry["version"]} if entry.get("version") else {}),
        "hashes": [{"alg": "SHA-256", "content": entry["sha256"]}],
        "data": [{"type": "dataset", "name": entry["key"]}],
    }


def _package(name: str, version: str) -> dict[str, Any]:
    reference = f"pkg:pypi/{quote(name.lower())}@{quote(version)}"
    return {"type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference}
