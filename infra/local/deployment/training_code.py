"""One hash of the code that decides what a model learns: a change of it makes live versions stale."""

from __future__ import annotations

from pathlib import Path

from infra.local.deployment.code_hash import hash_of_files, source_files

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
    parts += [project / "layers" / name / "requirements.txt" for name in LOCKS]
    files = (path for part in parts for path in ([part] if part.is_file() else source_files(part)))
    return hash_of_files((path.relative_to(project).as_posix(), path) for path in files)


def missing_parts(project: Path) -> list[str]:
    """Return what this module names and the project does not have."""
    domain = project / "layers" / "modelcycle" / "modelcycle"
    named = [project / "functions" / name for name in FUNCTIONS] + [domain / name for name in MODULES]
    return [path.name for path in named if not (path.is_file() or any(source_files(path)))]
