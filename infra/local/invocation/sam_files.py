"""What `sam local` needs beside the template: the variables of each function, and an event for each.

They are in build/sam, where samconfig.toml names them: env.json, and events/, each file named by its function.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.local import cloud
from infra.local.emulator.container_bridge import CONTAINER_HOST
from infra.local.emulator.status import running_emulator, try_save
from infra.local.invocation.deployed_functions import DeployedFunction, credentials_of, deployed_functions
from infra.local.invocation.effects import effect_of
from infra.local.invocation.events import Event, events_of

SAM_FOLDER = cloud.ROOT / "build" / "sam"
OWNER = "cloud.json"


def write_sam_files(home: Path | None = None, folder: Path = SAM_FOLDER) -> str | None:
    """Write the files for a running local cloud; return why they were not written, or None.

    Parameters
    ----------
    home : folder of the cloud's state; default `.modelcycle` in the project
    folder : where they are written

    Raises
    ------
    CloudStopped
    """
    local = cloud.connect(home=home)
    state = cloud.home_folder(home)
    other = other_owner(folder, state)
    if other is not None:
        return f"{folder} belongs to the local cloud in {other}, which is up"
    functions = deployed_functions(local.admin)
    save_events(state)
    events = events_of(functions, state, cloud.ROOT)
    port = local.endpoint.rpartition(":")[2]
    endpoint = {"AWS_ENDPOINT_URL": f"http://{CONTAINER_HOST}:{port}"}
    variables = {
        name: function.variables | endpoint | credentials_of(function, local.admin)
        for name, function in functions.items()
    }
    try:
        (folder / "events").mkdir(parents=True, exist_ok=True)
        for name, event in events.items():
            _write(folder / "events" / f"{functions[name].snake_name}.json", event.value)
        _write_text(folder / "events" / "README.md", _list_of(functions, events))
        _write(folder / "env.json", variables)
        _write(folder / OWNER, {"home": str(state)})
    except OSError as error:
        return f"{folder} cannot be written: {error.strerror}"
    return None


def save_events(home: Path) -> None:
    """Have the running cloud write the events of the last calls."""
    emulator = running_emulator(home)
    if emulator is not None:
        try_save(emulator.port)


def other_owner(folder: Path, home: Path) -> Path | None:
    """Return the folder of another cloud that is up and keeps the files; the project's own cloud always takes them."""
    if home == cloud.home_folder(None):
        return None
    try:
        owner = Path(json.loads((folder / OWNER).read_text())["home"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return owner if owner != home and running_emulator(owner) is not None else None


def _list_of(functions: Mapping[str, DeployedFunction], events: Mapping[str, Event]) -> str:
    """Return the list of the events, for people: where each is from, and what it changes."""
    rows = [
        f"| {functions[name].snake_name}.json | {event.origin} | {effect_of(name) or 'repeats what its run has done'} |"
        for name, event in events.items()
    ]
    return "\n".join([
        "Events for `make invoke FUNCTION=...` and `sam local invoke`, written by `modelcycle up` and `run`.", "",
        "| event | from | a call of the function |", "|---|---|---|", *rows, "",
    ])  # fmt: skip


def _write(path: Path, value: Any) -> None:
    _write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _write_text(path: Path, text: str) -> None:
    """Write a file that only its owner can read, atomically: keys and rows are in them."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.half")
    with contextlib.suppress(FileNotFoundError):
        partial.unlink()
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)
