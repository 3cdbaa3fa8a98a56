"""Turns the folders of the project into what a function runs from: layers as folders, code as zips, one hash of it all.

A layer is a folder of installed packages, keyed by its lock and the Python at hand, so that a second `up` installs
nothing. A function's process sees its code, its layers and the runtime's own packages, and nothing else: what it can
import here is what it can import on AWS.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.local.faults import LayerNotInstalled

UNUSED_FOR = 7 * 24 * 3600  # seconds
RUNTIME = Path(__file__).parent / "runtime"
# a company's proxy has its certificate in the system's store, not in uv's own
_TRUST = {"UV_SYSTEM_CERTS": "1"}
_NEVER_SHIPPED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "build"}
# A venv's own interpreter would leak the venv's packages into every function.
_PYTHON = getattr(sys, "_base_executable", sys.executable)


@dataclass(frozen=True)
class Layer:
    """A layer as the local cloud has it: the folders that stand for /opt/python, and a hash of their content."""

    name: str
    folders: tuple[Path, ...]
    sha: str

    def archive(self) -> bytes:
        """What is uploaded in place of up to 200 MiB: where the folders are."""
        note = json.dumps({"layer": self.name, "sha": self.sha, "folders": [str(folder) for folder in self.folders]})
        return _zip({"layer.json": note.encode()})


def install_layer(source: Path, home: Path) -> Layer:
    """Install what a layer's lock names, beside the layer's own Python package if it has one.

    Raises
    ------
    LayerNotInstalled
    """
    installed = _install(source / "requirements.txt", home / "layers" / source.name)
    own = sorted(path for path in source.iterdir() if (path / "__init__.py").is_file() or (path / "py.typed").is_file())
    if not own:
        return Layer(source.name, (installed,), installed.name)
    sha = hash_of(own)
    copied = home / "layers" / source.name / f"source-{sha[:16]}"
    if not copied.is_dir():
        _appear(copied, lambda to: [shutil.copytree(p, to / p.name, ignore=_ignored) for p in own])
    copied.touch()
    return Layer(source.name, (copied, installed), hashlib.sha256(f"{installed.name}{sha}".encode()).hexdigest()[:16])


def install_runtime(home: Path) -> Path:
    """The folder with what the AWS runtime gives to every function: its client and boto3."""
    return _install(RUNTIME / "requirements.txt", home / "layers" / "runtime")


def forget_unused(home: Path) -> None:
    """Remove the folders of layers that no deploy has used for a week."""
    for folder in (home / "layers").glob("*/*"):
        if time.time() - folder.stat().st_mtime > UNUSED_FOR:
            shutil.rmtree(folder, ignore_errors=True)


def function_archive(code: Path, layers: list[Layer], runtime: Path, scratch: Path) -> bytes:
    """A function's code with a `bootstrap` that starts it. `layers` are in the template's order.

    The same files give the same bytes.
    """
    members = {str(path.relative_to(code)): path.read_bytes() for path in _files(code)}
    members["bootstrap"] = _bootstrap(layers, runtime, scratch).encode()
    return _zip(members)


def hash_of(folders: list[Path]) -> str:
    """One SHA-256 over the names and contents of all files below the folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in _files(folder):
            digest.update(f"{folder.name}/{path.relative_to(folder)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def code_version(project: Path) -> str:
    """One hash over what decides a step's result, on any machine: the functions and the layers with their locks."""
    return hash_of([folder for name in ("functions", "layers") if (folder := project / name).is_dir()])


def build_sha(project: Path, home: Path) -> str:
    """One hash over all that the functions' archives are made of: AutoPublishCodeSha256 publishes versions by it.

    It holds the layers, which SAM leaves out, and whatever this package puts into a `bootstrap`.
    """
    digest = code_version(project) + hash_of([Path(__file__).parent])
    return hashlib.sha256(f"{digest}{home}{_PYTHON}{platform.python_version()}".encode()).hexdigest()


def _bootstrap(layers: list[Layer], runtime: Path, scratch: Path) -> str:
    # On AWS the last layer wins; on PYTHONPATH the first folder does.
    folders = [str(folder) for layer in reversed(layers) for folder in layer.folders] + [str(runtime)]
    path = shlex.quote(":".join(folders))
    return f"""#!/bin/sh
# What the emulator needs to know and a function on AWS would not find.
unset AUTH BIND_HOST DOCKER_HOST GATEWAY_PORT IOT_MTLS_ENABLED LAMBDA_WARM_TTL_SECONDS PERSIST_STATE \\
      S3_DATA_DIR S3_PERSIST SFTP_ENABLED STATE_DIR
export PYTHONPATH="$LAMBDA_TASK_ROOT":{path} TZ=UTC TMPDIR={shlex.quote(str(scratch))} \\
       PYTHONPYCACHEPREFIX={shlex.quote(str(scratch.parent / "pycache"))}
exec {shlex.quote(_PYTHON)} -s -S -m awslambdaric "$_HANDLER"
"""


def _install(lock: Path, shelf: Path) -> Path:
    """Install a lock into a folder of the shelf that is named by the lock and the Python."""
    python = f"{platform.python_version()}-{sys.platform}-{platform.machine()}"
    folder = shelf / hashlib.sha256(lock.read_bytes() + python.encode()).hexdigest()[:16]
    if not folder.is_dir():
        _appear(folder, lambda to: _sync(lock, to))
    folder.touch()
    return folder


def _sync(lock: Path, folder: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise LayerNotInstalled(
            "uv, which installs the layers, is not there.",
            where=str(Path(sys.executable).parent),
            remedy="Run `make up`, which sets up the environment, or install uv.",
        )
    done = subprocess.run(
        [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", _PYTHON, "--target", str(folder), str(lock)],
        env=os.environ | _TRUST,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LayerNotInstalled(
            f"The packages of the layer could not be installed: {' '.join(done.stderr.split())[-400:]}",
            where=str(lock),
            remedy="Check the network and the lock (`make lock`), then run the command again.",
        )


def _appear(folder: Path, fill: Callable[[Path], object]) -> None:
    """Fill a folder beside its place and move it there: it is whole or absent, whatever is killed."""
    half = folder.with_name(folder.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    fill(half)
    half.rename(folder)


def _ignored(_: str, names: list[str]) -> set[str]:
    return {name for name in names if name in _NEVER_SHIPPED}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part in _NEVER_SHIPPED or part.endswith(".egg-info") for part in parts)
        if path.is_file() and not hidden and path.suffix != ".pyc":
            yield path


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if name == "bootstrap" else 0o644) << 16
            archive.writestr(entry, members[name])
    return buffer.getvalue()
