"""What a function can import is what its layers hold, and `predict`, for which somebody waits, imports little."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local import cloud as local
from infra.local.package import _PYTHON
from tests.contract.functions import ROOT, functions, template
from tests.e2e.conftest import Place

HEAVY = {"pandas", "sklearn", "scipy", "duckdb", "skl2onnx", "onnx", "skops"}
# what Lambda itself gives to a Python function
RUNTIME = {"boto3", "botocore", "awslambdaric"}
# validate reads scores beside the class that makes them, and never makes any
NOT_CALLED = {"Validate": {"onnxruntime"}}


@pytest.fixture(scope="module")
def python_of(cloud: local.Cloud, real_place: Place) -> Any:
    """Runs Python as the bootstrap of a function would: its layers and its code on PYTHONPATH, and nothing else."""
    layers: dict[str, str] = {}
    configurations = cloud.admin.client("lambda").list_functions()["Functions"]
    from infra.local.package import install_layer, install_runtime

    runtime = install_runtime(real_place.home)

    def run(resource: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        properties = template()["Resources"][resource]["Properties"]
        if resource not in layers:
            folders = [ROOT / template()["Resources"][one]["Properties"]["ContentUri"] for one in properties["Layers"]]
            installed = [install_layer(folder, real_place.home) for folder in reversed(folders)]
            paths = [ROOT / properties["CodeUri"], *[f for layer in installed for f in layer.folders], runtime]
            layers[resource] = ":".join(map(str, paths))
        given = next(c for c in configurations if c["FunctionName"].split("-")[1] == resource)["Environment"][
            "Variables"
        ]
        environment = {
            **given,
            "PYTHONPATH": layers[resource],
            "PYTHONPYCACHEPREFIX": str(real_place.home / "pycache"),
            "PATH": os.defpath,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": cloud.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_LAMBDA_FUNCTION_NAME": resource,
        }
        return subprocess.run(
            [_PYTHON, "-s", "-S", *words], env=environment, input=stdin, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    return run


def test_predict_imports_neither_pandas_nor_scikit_learn(python_of: Any) -> None:
    done = python_of("Predict", "-X", "importtime", "-c", "import app")
    assert done.returncode == 0, done.stderr[-2000:]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "app" in imported
    assert not {name for name in imported if name.partition(".")[0] in HEAVY}
    assert not {name for name in imported if name.partition(".")[0] == "onnxruntime"}, "only a model needs it"


ANSWER = """
import json, sys
import app

class Context:
    function_name, memory_limit_in_mb, aws_request_id = "predict", 1769, "one"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:predict"

answer = app.handler(json.load(sys.stdin), Context())
print(json.dumps({"status": answer["statusCode"], "body": json.loads(answer["body"]), "modules": sorted(sys.modules)}))
"""


def test_a_whole_answer_needs_neither_of_them(cloud: local.Cloud, python_of: Any) -> None:
    from tests.e2e.watch import Watch

    watch = Watch(cloud, "light-plums")
    watch.pipeline()
    watch.upload("plums.csv")
    watch.settled(seconds=240)
    watch.live()
    event = json.loads((ROOT / "events" / "predict.json").read_text())
    row = {"=weight (g)": 30, "größe": 9, 'the "kind"': "Mirabelle", "picked.on": "2025-07-01", "washed/peeled": None}
    event |= {
        "path": "/models/light-plums/predict", "resource": "/models/{name}/predict", "httpMethod": "POST",
        "pathParameters": {"name": "light-plums"}, "body": json.dumps({"instances": [row]}), "isBase64Encoded": False,
    }  # fmt: skip
    done = python_of("Predict", "-c", ANSWER, stdin=json.dumps(event))
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["status"] == 200, told["body"]
    assert told["body"]["predictions"][0] in ("sour", "sweet")
    roots = {name.partition(".")[0] for name in told["modules"]}
    assert "onnxruntime" in roots
    assert not roots & HEAVY


@pytest.mark.parametrize("resource", sorted(functions()))
def test_a_function_finds_all_that_its_code_imports(python_of: Any, resource: str) -> None:
    """Of its own file, and of the packages of the domain that it names; also what they import late."""
    done = python_of(resource, "-c", f"import {functions()[resource].path.stem}")
    assert done.returncode == 0, done.stderr[-2000:]
    names = late_imports(ROOT / "layers" / "modelcycle", functions()[resource].path) - NOT_CALLED.get(resource, set())
    find = "import importlib.util as u, sys; print(*[n for n in sys.stdin.read().split() if not u.find_spec(n)])"
    missing = python_of(resource, "-c", find, stdin=" ".join(names)).stdout.split()
    assert not missing, f"{resource}'s layers do not hold {missing}"


def late_imports(layer: Path, start: Path) -> set[str]:
    """Every foreign package that is imported anywhere in the files of the domain that `start` reaches."""
    seen: set[Path] = set()
    foreign: set[str] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                named = [node.module, *[f"{node.module}.{alias.name}" for alias in node.names]]
            else:
                continue
            for name in named:
                root = name.partition(".")[0]
                if root == "modelcycle":
                    file = layer / Path(*name.split("."))
                    waiting += [p for p in (file.with_suffix(".py"), file / "__init__.py") if p.is_file()]
                elif root not in sys.stdlib_module_names and root not in RUNTIME:
                    foreign.add(root)
    return foreign


def test_a_broken_import_is_named_as_on_aws(sample: Place) -> None:
    code = next((sample.template.parent / "functions").glob("*/app.py"))
    text = code.read_text()
    try:
        code.write_text(f"import pandas\n{text}")
        cloud = sample.up()
        answer = cloud.session().client("lambda").invoke(FunctionName=f"{cloud.outputs['Hello']}:live", Payload=b"{}")
        told = json.loads(answer["Payload"].read())
    finally:
        code.write_text(text)
    assert told["errorType"] == "Runtime.ImportModuleError"
    assert re.search("No module named 'pandas'", told["errorMessage"])
