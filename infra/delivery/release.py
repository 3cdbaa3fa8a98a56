"""A release: everything that a stack is deployed from, copied once and named by its hash."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.local.deployment.code_hash import code_version, hash_of_files, source_files

CODE = ("functions", "governance", "layers", "statemachines")
TEMPLATES = ("template.yaml", "infra/*.yaml")
NAME_LENGTH = 16  # characters of the hash in the folder's name


@dataclass(frozen=True)
class Release:
    """A release.

    Parameters
    ----------
    folder : holds the files; nothing changes them
    sha : over names and contents of all files
    code : version of the code, which each stack's functions name, and each model version that they make
    """

    folder: Path
    sha: str
    code: str

    @property
    def template(self) -> Path:
        return self.folder / "template.yaml"


def make_release(project: Path, releases: Path) -> Release:
    """Copy what a stack is deployed from to a folder named by its hash; one that is there is used as it is.

    Raises
    ------
    ValueError : the folder that is there was changed since
    """
    sha = _sha(project)
    folder = releases / sha[:NAME_LENGTH]
    if not folder.is_dir():
        partial = folder.with_suffix(".half")
        shutil.rmtree(partial, ignore_errors=True)
        for path in _files(project):
            target = partial / path.relative_to(project)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        partial.rename(folder)  # after a kill the folder is complete or missing
    if _sha(folder) != sha:
        raise ValueError(f"{folder} was changed since it was made: delete it, and make the release again")
    return Release(folder, sha, code_version(folder))


def _files(project: Path) -> Iterator[Path]:
    for name in CODE:
        yield from source_files(project / name)
    for pattern in TEMPLATES:
        yield from sorted(project.glob(pattern))


def _sha(project: Path) -> str:
    return hash_of_files((path.relative_to(project).as_posix(), path) for path in _files(project))
