"""The unzipped size of each function with its layers; `sam build` does not check Lambda's limit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.functions import ROOT, functions, template

MAX_UNZIPPED_BYTES = 262_144_000  # bytes of a function with all its layers, AWS page "Lambda quotas"


@pytest.fixture(scope="session")
def layers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each layer as `sam build` makes it, for the runtime's Python and platform."""
    uv = Path(sys.executable).with_name("uv")
    built = {}
    for name, body in template()["Resources"].items():
        if body["Type"] == "AWS::Serverless::LayerVersion":
            built[name] = tmp_path_factory.mktemp(name)
            subprocess.run(
                ["make", "-s", "-C", ROOT / body["Properties"]["ContentUri"], f"build-{name}"],
                env=os.environ | {"ARTIFACTS_DIR": str(built[name]), "UV": str(uv)},
                check=True,
            )
    return built


def test_every_function_with_its_layers_is_below_lambdas_limit(layers: dict[str, Path]) -> None:
    size = {name: _size(path) for name, path in layers.items()}
    for name, function in functions().items():
        used = template()["Resources"][name]["Properties"]["Layers"]
        total = sum(size[layer] for layer in used) + _size(function.path.parent)
        print(f"{name:18} {total / 2**20:6.1f} MiB  {' + '.join(used)}")
        assert total <= MAX_UNZIPPED_BYTES, f"{name} with its layers is {total / 2**20:.0f} MiB"


def test_the_layer_that_serves_has_neither_pandas_nor_scikit_learn(layers: dict[str, Path]) -> None:
    packages = {path.name for path in (layers["ServingLayer"] / "python").iterdir()}
    assert not packages & {"pandas", "sklearn", "scipy"}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
