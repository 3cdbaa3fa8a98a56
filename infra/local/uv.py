"""Calls uv, which installs the packages of a lock."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.local.faults import LayerNotInstalled

# a company's proxy has its certificate in the system's store, not in uv's own
VARIABLES = {"UV_SYSTEM_CERTS": "1"}


def uv(*arguments: str, subject: str, lock: Path) -> None:
    """Run uv.

    Parameters
    ----------
    subject : what it installs, as the object of a sentence
    lock : the file with the packages

    Raises
    ------
    LayerNotInstalled
    """
    program = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if program is None:
        raise LayerNotInstalled(
            f"The program uv, which installs {subject}, was not found.",
            where=str(Path(sys.executable).parent),
            remedy="Run `make up`, which creates the environment, or install uv.",
        )
    result = subprocess.run(
        [program, *arguments, "--quiet"], env=os.environ | VARIABLES, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise LayerNotInstalled(
            f"uv could not install {subject}: {' '.join(result.stderr.split())[-400:]}",
            where=str(lock),
            remedy="Check the network and the lock (`make lock`), then run the command again.",
        )
