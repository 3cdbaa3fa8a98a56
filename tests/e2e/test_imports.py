"""A function's layers contain what it imports, and `predict`, for whose answers people wait, imports little."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from infra.local.deployment.layers import BASE_PYTHON, install_layer, install_runtime
from tests.contract.functions import ROOT, functions, template
from tests.e2e.conftest import CloudSite
from tests.e2e.observed_model import ObservedModel

HEAVY_PACKAGES = {"pandas", "sklearn", "scipy", "duckdb", "skl2onnx", "onnx", "skops"}
# in the runtime of Lambda itself
RUNTIME_PACKAGES = {"boto3", "botocore", "awslambdaric"}
# `collect` pulls in another function, and SQLAlchemy is for databases with a layer of their own;
# those that learn or judge import the file of scores, and never call the class in it that computes them; a refit and
# its check are one package, of which each function calls its own half
UNUSED_IMPORTS = {
    "Collect": {"pg8000", "pymysql", "pytds", "sqlalchemy"},
    "Pull": {"sqlalchemy"},
    **{
        name: {"onnxruntime"}
        for name in (
            "PlanTrials",
            "RunTrial",
            "SelectModel",
            "Refit",
            "Validate",
            "Judge",
            "FinishScoring",
            "Summarize",
            "Monitor",
            "PlanErasure",
            "EraseObjects",
            "FinishErasure",
        )
    },
    "CheckRefit": {"onnx", "pandas", "scipy", "skl2onnx", "sklearn", "skops", "threadpoolctl"},
}
ANSWER_EVENT = """
import json, sys
import app

class Context:
    function_name, memory_limit_in_mb, aws_request_id = "predict", 1769, "one"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:predict"

answer = app.handler(json.load(sys.stdin), Context())
print(json.dumps({"status": answer["statusCode"], "body": json.loads(answer["body"]), "modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def run_python(cloud: LocalCloud, project: CloudSite) -> Any:
    """Runs Python as the bootstrap of a function does: with its layers and code on PYTHONPATH, and nothing else."""
    paths: dict[str, str] = {}
    configurations = cloud.admin.client("lambda").list_functions()["Functions"]
    runtime = install_runtime(project.home)
    access_key, secret_key = cloud.admin.credentials()

    def run(resource: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        resources = template()["Resources"]
        properties = resources[resource]["Properties"]
        if resource not in paths:
            sources = [ROOT / resources[name]["Properties"]["ContentUri"] for name in properties["Layers"]]
            installed = [install_layer(source, project.home) for source in reversed(sources)]
            folders = [
                ROOT / properties["CodeUri"], *[folder for layer in installed for folder in layer.folders], runtime,
            ]  # fmt: skip
            paths[resource] = ":".join(map(str, folders))
        configuration = next(c for c in configurations if c["FunctionName"].split("-")[1] == resource)
        environment = {
            **configuration["Environment"]["Variables"],
            "PYTHONPATH": paths[resource],
            "PYTHONPYCACHEPREFIX": str(project.home / "pycache"),
            "PATH": os.defpath,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key,
            "AWS_LAMBDA_FUNCTION_NAME": resource,
        }
        return subprocess.run(
            [BASE_PYTHON, "-s", "-S", *arguments], env=environment, input=stdin, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    return run


def test_predict_imports_no_heavy_package(run_python: Any) -> None:
    done = run_python("Predict", "-X", "importtime", "-c", "import app")
    assert done.returncode == 0, done.stderr[-2000:]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "app" in imported
    assert not {name for name in imported if name.partition(".")[0] in HEAVY_PACKAGES}
    assert not {name for name in imported if name.partition(".")[0] == "onnxruntime"}, "only a loaded model needs it"


def test_an_answer_needs_no_heavy_package(cloud: LocalCloud, run_python: Any) -> None:
    model = ObservedModel(cloud, "light-plums")
    model.put_pipeline()
    model.upload("plums.csv")
    model.wait_for_runs(seconds=240)
    model.wait_until_live()
    event = json.loads((ROOT / "events" / "predict.json").read_text())
    row = {"=weight (g)": 30, "größe": 9, 'the "kind"': "Mirabelle", "picked.on": "2025-07-01", "washed/peeled": None}
    event |= {
        "path": "/models/light-plums/predict", "resource": "/models/{name}/predict", "httpMethod": "POST",
        "pathParameters": {"name": "light-plums"}, "body": json.dumps({"instances": [row]}), "isBase64Encoded": False,
    }  # fmt: skip
    done = run_python("Predict", "-c", ANSWER_EVENT, stdin=json.dumps(event))
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["status"] == 200, answer["body"]
    assert answer["body"]["predictions"][0] in ("sour", "sweet")
    packages = {name.partition(".")[0] for name in answer["modules"]}
    assert "onnxruntime" in packages
    assert not packages & HEAVY_PACKAGES


@pytest.mark.parametrize("resource", sorted(functions()))
def test_a_functions_layers_contain_everything_that_it_imports(run_python: Any, resource: str) -> None:
    """What its own file and the domain's files import, late imports included."""
    done = run_python(resource, "-c", f"import {functions()[resource].path.stem}")
    assert done.returncode == 0, done.stderr[-2000:]
    names = third_party_imports(ROOT / "layers" / "modelcycle", functions()[resource].path)
    names -= UNUSED_IMPORTS.get(resource, set())
    asks_policies = "aws.policies" in functions()[resource].path.read_text()
    assert ("PolicyLayer" in template()["Resources"][resource]["Properties"]["Layers"]) == asks_policies
    if not asks_policies:
        names -= {"cedarpy"}  # the composition root imports it where policies are asked for
    find = "import importlib.util as u, sys; print(*[n for n in sys.stdin.read().split() if not u.find_spec(n)])"
    missing = run_python(resource, "-c", find, stdin=" ".join(names)).stdout.split()
    assert not missing, f"{resource}'s layers do not contain {missing}"


def third_party_imports(layer: Path, start: Path) -> set[str]:
    """Return the third-party packages that `start`, and the files of the domain that it reaches, import anywhere."""
    visited: set[Path] = set()
    packages: set[str] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in visited:
            continue
        visited.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module, *[f"{node.module}.{alias.name}" for alias in node.names]]
            else:
                continue
            for module in modules:
                package = module.partition(".")[0]
                if package == "modelcycle":
                    file = layer / Path(*module.split("."))
                    waiting += [p for p in (file.with_suffix(".py"), file / "__init__.py") if p.is_file()]
                elif package not in sys.stdlib_module_names and package not in RUNTIME_PACKAGES:
                    packages.add(package)
    return packages


def test_a_broken_import_is_reported_as_on_aws(sample: CloudSite) -> None:
    """Fails without `patches.report_errors_of_starting_functions`."""
    code = next((sample.template.parent / "functions").glob("*/app.py"))
    text = code.read_text()
    try:
        code.write_text(f"import pandas\n{text}")
        cloud = sample.up()
        answer = cloud.operator.client("lambda").invoke(FunctionName=f"{cloud.outputs['Hello']}:live", Payload=b"{}")
        error = json.loads(answer["Payload"].read())
    finally:
        code.write_text(text)
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'pandas'" in error["errorMessage"]
