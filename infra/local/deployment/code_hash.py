"""One hash of many source files, the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

NOT_SOURCE = frozenset(("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "build"))


def source_files(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder in order, without compiled and generated ones."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        generated = any(part in NOT_SOURCE or part.endswith(".egg-info") for part in parts)
        if path.is_file() and not generated and path.suffix != ".pyc":
            yield path


def hash_of(folders: list[Path]) -> str:
    """Return one SHA-256 over the names and contents of all source files below the folders."""
    return hash_of_files(
        (f"{folder.name}/{path.relative_to(folder)}", path) for folder in folders for path in source_files(folder)
    )


def hash_of_files(named: Iterable[tuple[str, Path]]) -> str:
    """Return one SHA-256 over names and contents of files, in their order."""
    digest = hashlib.sha256()
    for name, path in named:
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def policies_hash(project: Path) -> str:
    """Return one hash over the policies, which are deployed with the code; empty if a project has none.

    It is no part of the code's version: another policy makes no other model, so no result is made anew.
    """
    folder = project / "governance"
    return hash_of([folder]) if folder.is_dir() else ""


def code_version(project: Path) -> str:
    """Return one hash over the code that determines a step's result: functions, and layers with their locks."""
    return hash_of([folder for name in ("functions", "layers") if (folder := project / name).is_dir()])
