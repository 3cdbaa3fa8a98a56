"""What is built: the files of one commit, and nothing else that lies in the folder."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from infra.deployment.faults import NotCommitted

BUILT = ("template.yaml", "samconfig.toml", "infra", "functions", "governance", "layers", "statemachines")
MAX_NAMED = 3


@dataclass(frozen=True)
class Source:
    """A commit that can be built.

    Parameters
    ----------
    root : the working copy
    commit : 40 hexadecimal digits
    unknown : files among the code that git does not know, and that are therefore not built
    """

    root: Path
    commit: str
    unknown: tuple[str, ...] = ()


def committed_source(root: Path) -> Source:
    """Return what would be built from a working copy: its HEAD.

    Files that git does not know, such as a pipeline file that `modelcycle init` has written, change nothing.

    Raises
    ------
    NotCommitted : it is no repository, has no commit, or a file that git knows has been changed
    """
    commit = _git(root, "rev-parse", "--verify", "HEAD").strip()
    changed = _lines(_git(root, "status", "--porcelain", "-z", "--untracked-files=no", "--no-renames"))
    if changed:
        names = [line[3:] for line in changed]
        raise NotCommitted(
            "there are uncommitted changes, and what is deployed has to be a commit",
            ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""),
            "`git commit` them, or undo them",
        )  # fmt: skip
    unknown = _lines(_git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *BUILT))
    return Source(root, commit, tuple(unknown))


def export(source: Source, folder: Path) -> None:
    """Write the files of the commit to a folder, which then contains nothing else."""
    archive = subprocess.run(
        ["git", "archive", "--format=tar", source.commit], cwd=source.root, capture_output=True, check=True
    ).stdout
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\0") if line]


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NotCommitted("git is not installed", "PATH", "install git: the build is made from a commit") from None
    if done.returncode:
        raise NotCommitted(
            "there is no commit to build", (done.stderr.strip().splitlines() or [str(root)])[0],
            "work in a clone of the repository, or `git init` and commit the files",
        )  # fmt: skip
    return done.stdout
