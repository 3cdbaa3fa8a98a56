"""Connect to the place that a command line names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cli import remote
from cli.place import Credentials, Place, PlaceName, home
from modelcycle.faults import BadInput

if TYPE_CHECKING:
    from infra.local.clients import ClientFactory


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
    BadInput : MODELCYCLE_KEY names a file that is no access key
    Fault : nothing is deployed there, or it does not answer

    Notes
    -----
    The command line acts in the local cloud as its operator, or as the person whose access key is in MODELCYCLE_KEY.
    """
    if name == "local":
        from infra.local import cloud

        local = cloud.up(port=port or _port(), home=home(), say=say) if start else cloud.connect(home=home())
        session = _person(local.endpoint) or local.operator
        return Place("local", session, local.outputs, Credentials(*session.credentials()), endpoint=local.endpoint)
    return remote.localstack(stage) if name == "localstack" else remote.aws(stage)


def _person(endpoint: str) -> ClientFactory | None:
    """Return clients of the person whose key is in the file MODELCYCLE_KEY, or None if the variable is not set."""
    file = os.environ.get("MODELCYCLE_KEY", "")
    if not file:
        return None
    from infra.local.clients import ClientFactory
    from infra.local.keys import read_created_key

    key = read_created_key(Path(file))
    if key is None:
        raise BadInput(
            f"there is no access key in {file}", "MODELCYCLE_KEY",
            "it is what IAM's CreateAccessKey answers, as JSON: docs/policy.md shows how to make one",
        )  # fmt: skip
    return ClientFactory.of(endpoint, key)


def _port() -> int:
    from infra.local import cloud

    port = os.environ.get("MODELCYCLE_PORT", "")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise BadInput(f"{port!r} is not a port", "MODELCYCLE_PORT", "use a number from 1024 to 65535")
    return int(port) if port else cloud.status(home=home()).port or 4566
