"""The unzipped size of each function with its layers and compiled files; `sam build` does not check Lambda's limit.

The layers are those that `sam build` makes. It compiles with the runtime's own Python. Where that is not here, this one
compiles instead: those of 3.11 are a tenth larger, so that the table does not show less than AWS counts.
"""

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
            _compile(ROOT / body["Properties"]["ContentUri"], built[name])
    return built


def _compile(layer: Path, folder: Path) -> None:
    """Compile a layer that is shipped compiled, if its Makefile has found no Python for it."""
    if "compileall" in (layer / "Makefile").read_text() and not any(folder.rglob("*.pyc")):
        mode = ("--invalidation-mode", "unchecked-hash")
        subprocess.run([sys.executable, "-m", "compileall", "-q", *mode, str(folder / "python")], check=False)


def test_every_function_with_its_layers_is_below_lambdas_limit(layers: dict[str, Path]) -> None:
    table = sizes(layers)
    print()
    for name, (total, used) in table.items():
        print(f"{name:18} {total / 2**20:6.1f} MiB  {' + '.join(used)}")
    assert too_large(table) == []


def test_a_function_that_one_layer_takes_past_the_limit_is_named(layers: dict[str, Path], tmp_path: Path) -> None:
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(MAX_UNZIPPED_BYTES - _size(layers["ModelcycleLayer"]))
    named = too_large(sizes(layers | {"ServingLayer": tmp_path}))
    serving = {name for name in functions() if "ServingLayer" in template()["Resources"][name]["Properties"]["Layers"]}
    assert set(named) == serving != set()


def test_layers_that_are_shipped_compiled_are_measured_compiled(layers: dict[str, Path]) -> None:
    for name in ("ModelcycleLayer", "DataLayer", "ServingLayer", "SourcesLayer"):
        folder = layers[name] / "python"
        sources = sum(1 for _ in folder.rglob("*.py"))
        assert sum(1 for _ in folder.rglob("*.pyc")) > 0.9 * sources > 0, name


def sizes(layers: dict[str, Path]) -> dict[str, tuple[int, list[str]]]:
    """Return the bytes of each function with its layers, and the layers."""
    size, found = {name: _size(path) for name, path in layers.items()}, {}
    for name, function in functions().items():
        used = template()["Resources"][name]["Properties"]["Layers"]
        found[name] = (sum(size[layer] for layer in used) + _size(function.path.parent), used)
    return found


def too_large(table: dict[str, tuple[int, list[str]]]) -> list[str]:
    """Return the functions that Lambda would refuse."""
    return [name for name, (total, _) in table.items() if total > MAX_UNZIPPED_BYTES]


def test_the_layer_that_serves_has_neither_pandas_nor_scikit_learn(layers: dict[str, Path]) -> None:
    packages = {path.name for path in (layers["ServingLayer"] / "python").iterdir()}
    assert not packages & {"pandas", "sklearn", "scipy"}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
