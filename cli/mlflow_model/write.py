"""Writes the folder: MLmodel, the copied graph, and what an environment for it needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from cli.place import home
from cli.reproduction import environment
from modelcycle.faults import NotExportable
from modelcycle.registry import Version
from modelcycle.store import Store

MEMORY = 2048  # MB
LAYERS = ["modelcycle", "learning", "serving"]  # what the step has that exports and scores a candidate
GRAPH = "model.onnx"
HOW_TO_READ = (
    "texts without spaces around them, an empty text where missing; dates as seconds since 1970 UTC; "
    "true and false as 1 and 0; NaN where missing"
)


def write_mlflow_model(version: Version, store: Store, folder: Path) -> None:
    """Write what `mlflow.pyfunc.load_model` opens into an empty folder.

    Raises
    ------
    NotExportable : the graph cannot be copied, or the copy answers otherwise
    Tampered, Unknown, Transient, Throttled : see `Store.read`
    """
    with TemporaryDirectory(prefix="modelcycle-export-") as name:
        work = Path(name)
        (work / GRAPH).write_bytes(store.read(version.onnx))
        (work / "signature.json").write_bytes(store.read(version.signature))
        layers = environment.install(LAYERS, (home() or environment.ROOT / ".modelcycle").resolve())
        environment.run("mlflow_model.copy", work, layers, MEMORY)
        made: dict[str, Any] = json.loads((work / "copy.json").read_text())
        if "fault" in made:
            raise NotExportable(*made["fault"])
        shutil.copyfile(work / "copy.onnx", folder / GRAPH)
    packages = [f"{package}=={number}" for package, number in made["packages"].items()]
    # MLflow hands text columns of pandas 3 to the graph as they are, which ONNX Runtime refuses
    requirements = ["mlflow", *packages, "pandas<3"]
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in requirements))
    python = {"python": made["python"], "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    (folder / "python_env.yaml").write_text(yaml.safe_dump(python, sort_keys=False))
    (folder / "MLmodel").write_text(yaml.safe_dump(_mlmodel(version, made), sort_keys=False, allow_unicode=True))


def _mlmodel(version: Version, made: dict[str, Any]) -> dict[str, Any]:
    """Return the content of MLmodel (MLflow, "MLflow Model format")."""
    onnx_version = made["packages"]["onnx"]
    return {
        "flavors": {
            "onnx": {"data": GRAPH, "onnx_version": onnx_version, "providers": ["CPUExecutionProvider"], "code": None},
            "python_function": {
                "data": GRAPH, "env": {"virtualenv": "python_env.yaml"}, "loader_module": "mlflow.onnx",
                "python_version": made["python"],
            },
        },
        "signature": {
            "inputs": json.dumps([{"type": kind, "name": name} for name, kind in made["inputs"].items()]),
            "outputs": json.dumps([{"type": kind, "name": name} for name, kind in made["outputs"].items()]),
            "params": None,
        },
        "utc_time_created": version.created_at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "metadata": {
            "model": version.model, "version": version.version, "run": version.run_id,
            "copy_of": version.onnx.sha256, "cells": HOW_TO_READ,
        },
    }  # fmt: skip
