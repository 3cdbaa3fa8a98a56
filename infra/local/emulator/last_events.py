"""Keeps the last event of each function in a file, for people who call one function by itself."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any


def events_folder(home: Path) -> Path:
    """The folder of the files, each named by its function; only their owner can read them."""
    return home / "events"


class LastEvents:
    """Notes the event of each call; `write` puts those that are new on disk.

    Parameters
    ----------
    folder : of the files
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._new: dict[str, Any] = {}

    def install(self, worker: Any) -> None:
        """Change how a process of a function is called.

        Parameters
        ----------
        worker : MiniStack's class of a function's process
        """
        invoke = worker.invoke

        def invoke_noted(process: Any, event: Any, request_id: str, **named: Any) -> dict[str, Any]:
            self._new[process.config["FunctionName"]] = event
            result: dict[str, Any] = invoke(process, event, request_id, **named)
            return result

        worker.invoke = invoke_noted

    def write(self) -> None:
        """Write the events that are new. One that cannot be written is given up: no call depends on it."""
        new, self._new = self._new, {}
        for name, event in new.items():
            with contextlib.suppress(OSError):
                self._write(self._folder / f"{name}.json", event)

    def _write(self, path: Path, event: Any) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        partial = path.with_suffix(".half")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(event, file, indent=2, ensure_ascii=False)
        partial.replace(path)
