"""Runs `modelcycle` on a local cloud of a bench's own, in a temporary folder and on a free port."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from infra.local.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "examples" / "data" / "adult.csv.gz"
PIPELINE = ROOT / "pipelines" / "adult-income.yaml"
TIMEOUT = 600.0  # seconds of one command


def cloud_variables(home: Path) -> dict[str, str]:
    """Return environment variables for a local cloud in `home` on a free port."""
    return os.environ | {"MODELCYCLE_HOME": str(home), "MODELCYCLE_PORT": str(free_port())}


def modelcycle(environment: dict[str, str], *arguments: str) -> str:
    """Run a command and return what it prints.

    Raises
    ------
    subprocess.CalledProcessError
    """
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
    ).stdout
