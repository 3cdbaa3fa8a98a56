"""One hash of the code that decides what a model learns: a change of it makes live versions stale."""

from __future__ import annotations

import hashlib
from pathlib import Path

from infra.local.deployment.code_hash import hash_of, source_files

FUNCTIONS = ("collect", "preprocess", "engineer_features", "train", "refit")
# of the domain: what reads rows, and what plans, fits and exports; not what moves messages or records
MODULES = (
    "cells", "reading", "column_types", "collect", "preprocess", "engineer_features", "train", "refit", "model", "spec",
    "engine.py",
)  # fmt: skip
LOCKS = ("modelcycle", "data", "learning")


def training_code(project: Path) -> str:
    """Return the hash of a project's training code, and of the versions of the packages that it uses."""
    domain = project / "layers" / "modelcycle" / "modelcycle"
    parts = [project / "functions" / name for name in FUNCTIONS] + [domain / name for name in MODULES]
    folders = [part for part in parts if part.is_dir()]
    files = [part for part in parts if part.is_file()]
    files += [lock for name in LOCKS if (lock := project / "layers" / name / "requirements.txt").is_file()]
    digest = hashlib.sha256(hash_of(folders).encode())
    for path in files:
        digest.update(f"{path.relative_to(project).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def missing_parts(project: Path) -> list[str]:
    """Return what this module names and the project does not have."""
    domain = project / "layers" / "modelcycle" / "modelcycle"
    named = [project / "functions" / name for name in FUNCTIONS] + [domain / name for name in MODULES]
    return [path.name for path in named if not (path.is_file() or any(source_files(path)))]
