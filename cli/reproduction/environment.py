"""Runs a process that sees the layers of a function and nothing else, as a function does."""

from __future__ import annotations

import subprocess
from pathlib import Path

from infra.local.deployment.layers import BASE_PYTHON, install_layer
from modelcycle.faults import Fault

ROOT = Path(__file__).resolve().parents[2]
MAX_SHOWN_ERROR = 600  # characters
# as template.yaml sets them: a fit with another number of threads may add numbers in another order
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def install(layers: list[str], home: Path) -> list[Path]:
    """Return the folders of layers, the first ones first on the path; installs what `home` does not hold yet.

    Parameters
    ----------
    layers : their folders' names, in the order of the template
    home : of the installed layers

    Raises
    ------
    LayerNotInstalled
    """
    # on AWS a later layer overrides an earlier one; on PYTHONPATH the first folder wins
    return [folder for name in reversed(layers) for folder in install_layer(ROOT / "layers" / name, home).folders]


def run(module: str, folder: Path, layers: list[Path], memory: int) -> None:
    """Run a module of the command line on a folder.

    Parameters
    ----------
    module : its name after `cli.`
    memory : of the function whose work it does, in MB; DuckDB keeps to a share of it

    Raises
    ------
    Fault : the process failed otherwise than by a fault, which the module would have written down
    """
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(temporary), "TMPDIR": str(temporary), "TZ": "UTC",
        "LC_ALL": "C.UTF-8", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory), "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": ":".join(str(path) for path in (*layers, ROOT)),
    }  # fmt: skip
    result = subprocess.run(
        [BASE_PYTHON, "-s", "-S", "-P", "-m", f"cli.{module}", str(folder)],
        env=environment | THREADS, cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        raise Fault(
            f"the process {module} ended with status {result.returncode}:"
            f" {' '.join(result.stderr.split())[-MAX_SHOWN_ERROR:]}",
            module, "check the free memory and disk space, and try again",
        )  # fmt: skip
