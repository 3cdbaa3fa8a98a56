"""The files for `sam local`, which `up` and `run` write for the local cloud."""

from __future__ import annotations

from cli import console
from cli.place import Place, home


def write_sam_files(place: Place) -> None:
    """Write variables and events of the functions to build/sam; where that fails, say why, and fail nothing else."""
    from botocore.exceptions import BotoCoreError, ClientError

    from infra.local.faults import LocalCloudFault
    from infra.local.invocation.sam_files import write_sam_files

    if place.name != "local":
        return
    try:
        reason = write_sam_files(home())
    except LocalCloudFault as fault:
        reason = fault.what
    except (BotoCoreError, ClientError) as error:
        reason = str(error)
    if reason:
        console.say(f"no files for `sam local`: {reason}")
