"""Checks the policies of a project before they are deployed: functions that cannot read them refuse every decision."""

from __future__ import annotations

from pathlib import Path


def check_policies(project: Path) -> None:
    """Check every policy of a project, if it has some.

    Raises
    ------
    BadPolicy : a file has errors, or it is not clear which one applies
    """
    folder = project / "governance"
    if folder.is_dir():
        from modelcycle.policy import Shelf  # loads Cedar

        Shelf.of(folder, permissions=True)
