"""Connect to the place that a command line names."""

from __future__ import annotations

import os
from collections.abc import Callable

from cli import remote
from cli.place import Credentials, Place, PlaceName, home
from modelcycle.faults import BadInput


def open_place(
    name: PlaceName,
    stage: str = "dev",
    *,
    start: bool = False,
    port: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Place:
    """Connect to a place.

    Parameters
    ----------
    stage : of the stack; ignored for `local`
    start : start the local cloud, and deploy what has changed
    port : for the local cloud; else MODELCYCLE_PORT, else the port that it uses already, else 4566
    say : prints a line of progress

    Raises
    ------
    Fault : nothing is deployed there, or it does not answer
    """
    if name == "local":
        from infra.local import cloud

        local = cloud.up(port=port or _port(), home=home(), say=say) if start else cloud.connect(home=home())
        session = local.operator
        return Place("local", session, local.outputs, Credentials(*session.credentials()), endpoint=local.endpoint)
    return remote.localstack(stage) if name == "localstack" else remote.aws(stage)


def _port() -> int:
    from infra.local import cloud

    port = os.environ.get("MODELCYCLE_PORT", "")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise BadInput(f"{port!r} is not a port", "MODELCYCLE_PORT", "use a number from 1024 to 65535")
    return int(port) if port else cloud.status(home=home()).port or 4566
