"""A LocalStack of our own, without Docker: an environment that holds exactly the packages of its lock."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from infra.local.deployment.code_hash import hash_of
from infra.local.deployment.layers import BASE_PYTHON
from infra.local.faults import LayerNotInstalled
from infra.local.uv import uv

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "build" / "localstack"
LOCK = ROOT / "requirements-localstack.txt"
PLUGIN = Path(__file__).parent / "plugin"
PYTHONS = ("python3.13", "python3.12")


def install(say: Callable[[str], None]) -> Path:
    """Return the interpreter of LocalStack's environment; install what has changed since the last call.

    Parameters
    ----------
    say : prints a line of progress

    Raises
    ------
    LayerNotInstalled
    """
    python, stamp = FOLDER / "bin" / "python", FOLDER / "installed"
    wanted = hashlib.sha256(LOCK.read_bytes() + f"{hash_of([PLUGIN])}".encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    say(f"installing LocalStack into {FOLDER.relative_to(ROOT)}, about 350 MB, once")
    shutil.rmtree(FOLDER, ignore_errors=True)
    _uv("venv", "--python", _interpreter(), str(FOLDER))
    _uv("pip", "sync", "--require-hashes", "--python", str(python), str(LOCK))
    # built in a folder of its own: setuptools writes beside the sources
    source = FOLDER / "plugin"
    shutil.copytree(PLUGIN, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    _uv("pip", "install", "--no-deps", "--no-build-isolation", "--python", str(python), str(source))
    stamp.write_text(wanted)
    return python


def variables(home: Path, port: int) -> dict[str, str]:
    """Return all variables of LocalStack's process; nothing of the user's own environment is in it.

    Parameters
    ----------
    home : a folder of its own: LocalStack empties `$TMPDIR/localstack`
    port : on loopback
    """
    return {
        "PATH": f"{FOLDER / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home / "home"),
        "TMPDIR": str(home / "tmp"),
        "LC_ALL": "C.UTF-8",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "PROVIDER_OVERRIDE_DYNAMODB": "moto",
        "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "moto",
        # it would send usage figures, and download certificates, binaries and images
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DOCKER_HOST": f"unix://{home}/no-docker",
    }


def _interpreter() -> str:
    """Return a Python on which LocalStack 4.14.0 runs: its syntax is that of 3.12.

    Raises
    ------
    LayerNotInstalled
    """
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = sorted(versions.glob("3.1[23]*/bin/python"), reverse=True)
    for candidate in [BASE_PYTHON, *map(shutil.which, PYTHONS), *map(str, found)]:
        if candidate is None:
            continue
        probe = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if f"python{probe.stdout.strip()}" in PYTHONS:
            return candidate
    raise LayerNotInstalled(
        "LocalStack needs Python 3.13 or 3.12, and none was found.",
        where="PATH",
        remedy="Install one of them, or deploy to a LocalStack that runs: leave out --start.",
    )


def _uv(*arguments: str) -> None:
    uv(*arguments, subject="LocalStack", lock=LOCK)
