"""Each function can be imported with the packages of its layers alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BLOCKING = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("numpy", "duckdb"):
            raise ImportError(f"{name} is in no layer of this function")
sys.meta_path.insert(0, Blocked())
sys.path.insert(0, sys.argv[1])
__import__(sys.argv[2])
"""


class Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as their text."""


Loader.add_multi_constructor("!", lambda loader, tag, node: str(node.value))


def functions_without_data() -> list[tuple[str, str]]:
    """Folder and module of each function whose only layer is that of the domain."""
    resources = yaml.load((ROOT / "template.yaml").read_text(), Loader)["Resources"].values()
    return [
        (resource["Properties"]["CodeUri"], resource["Properties"].get("Handler", "app").partition(".")[0])
        for resource in resources
        if resource["Type"] == "AWS::Serverless::Function"
        and resource["Properties"].get("Layers") == ["ModelcycleLayer"]
    ]


@pytest.mark.parametrize(("folder", "module"), functions_without_data())
def test_a_function_without_the_data_layer_needs_neither_numpy_nor_duckdb(folder: str, module: str) -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKING, str(ROOT / folder), module], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
