"""The command line runs with the packages that `make run` installs, and with no others."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
# these run by themselves, with the packages of layers beside them (`cli/reproduction/environment.py`)
WITH_LAYERS = {f"cli/mlflow_model/{name}.py" for name in ("copy", "date_nodes", "graph", "nodes")}


def test_every_import_of_the_command_line_is_of_a_package_that_make_run_installs() -> None:
    locked = {
        plain(name) for name in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    }
    installed = {
        module
        for module, distributions in packages_distributions().items()
        if any(plain(name) in locked | {"modelcycle", "modelcycle-cli"} for name in distributions)
    }
    others = sorted(set(packages_distributions()) - installed)
    program = f"""
import importlib, json, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {others!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
failed = {{}}
for name in json.loads(sys.stdin.read()):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        failed[name] = str(error)
print(json.dumps(failed))
"""
    files = [path for path in (ROOT / "cli").rglob("*.py") if str(path.relative_to(ROOT)) not in WITH_LAYERS]
    modules = sorted({found for path in files for found in imported(path)})
    assert "modelcycle.model.signature" in modules and len(modules) > 100
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(modules), cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {}


def plain(name: str) -> str:
    """Return the name of a package as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere, and the file's own."""
    found = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found
