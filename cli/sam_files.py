"""The files for `sam local`, which `up` and `run` write for the local cloud."""

from __future__ import annotations

from cli import console
from cli.place import Place, home


def write_sam_files(place: Place) -> None:
    """Write variables and events of the functions to build/sam, and say so where they are not written."""
    from infra.local.invocation.sam_files import write_sam_files

    if place.name == "local":
        reason = write_sam_files(home())
        if reason:
            console.say(f"no files for `sam local`: {reason}")
