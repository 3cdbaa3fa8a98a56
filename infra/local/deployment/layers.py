"""Installs layers into folders.

A folder of installed packages is named by the hash of its lock and by the Python version, so a second deployment
installs nothing.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.local.deployment.code_hash import NOT_SOURCE, hash_of
from infra.local.uv import uv

DATA_OF_LAYERS = {"policy": "governance"}  # folders of the project that the Makefile of a layer copies into it
MAX_UNUSED_SECONDS = 7 * 24 * 3600
RUNTIME_LOCK = Path(__file__).parents[1] / "runtime" / "requirements.txt"
# the interpreter of a virtual environment would expose the packages of that environment to every function
BASE_PYTHON: str = getattr(sys, "_base_executable", sys.executable)


@dataclass(frozen=True)
class Layer:
    """An installed layer.

    Parameters
    ----------
    folders : take the place of /opt/python
    sha : hash of their content
    """

    name: str
    folders: tuple[Path, ...]
    sha: str


def install_layer(source: Path, home: Path) -> Layer:
    """Install the packages of a layer's lock, and copy the layer's own Python package or data if it has some.

    Parameters
    ----------
    source : the layer's folder in the project
    home : folder of the cloud's state

    Raises
    ------
    LayerNotInstalled
    """
    installed = _install(source / "requirements.txt", home / "layers" / source.name)
    packages = [path for path in sorted(source.iterdir()) if _is_package(path)]
    if source.name in DATA_OF_LAYERS:
        packages.append(source.parent.parent / DATA_OF_LAYERS[source.name])
    if not packages:
        return Layer(source.name, (installed,), installed.name)
    sha = hash_of(packages)
    copied = home / "layers" / source.name / f"source-{sha[:16]}"
    if not copied.is_dir():
        _create_folder(copied, lambda folder: _copy(packages, folder))
    copied.touch()
    return Layer(source.name, (copied, installed), hashlib.sha256(f"{installed.name}{sha}".encode()).hexdigest()[:16])


def install_runtime(home: Path) -> Path:
    """Return the folder with what the AWS runtime itself contains: its client and boto3."""
    return _install(RUNTIME_LOCK, home / "layers" / "runtime")


def remove_unused_layers(home: Path) -> None:
    """Remove the folders of layers that no deployment has used for a week."""
    for folder in (home / "layers").glob("*/*"):
        if time.time() - folder.stat().st_mtime > MAX_UNUSED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _is_package(path: Path) -> bool:
    return (path / "__init__.py").is_file() or (path / "py.typed").is_file()


def _copy(packages: list[Path], folder: Path) -> None:
    for package in packages:
        shutil.copytree(package, folder / package.name, ignore=lambda _, names: NOT_SOURCE.intersection(names))


def _install(lock: Path, parent: Path) -> Path:
    """Return the folder with the packages of a lock; its modification time is that of its last use."""
    python = f"{platform.python_version()}-{sys.platform}-{platform.machine()}"
    folder = parent / hashlib.sha256(lock.read_bytes() + python.encode()).hexdigest()[:16]
    if not folder.is_dir():
        _create_folder(folder, lambda target: _install_packages(lock, target))
    folder.touch()
    return folder


def _install_packages(lock: Path, folder: Path) -> None:
    uv(
        "pip", "sync", "--require-hashes", "--python", BASE_PYTHON, "--target", str(folder), str(lock),
        subject="the packages of a layer", lock=lock,
    )  # fmt: skip


def _create_folder(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a temporary folder and rename it: after a kill the folder is complete or missing."""
    partial = folder.with_name(folder.name + ".half")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    fill(partial)
    partial.rename(folder)
