"""The folder for temporary files that each process of a function has for itself, as /tmp on Lambda."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import Any

BLOCK_BYTES = 512  # of `st_blocks`, on each system


class TemporaryFolders:
    """Gives each process its own TMPDIR, and removes it when the process has ended.

    Parameters
    ----------
    scratch : where the folders are
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._numbers = itertools.count()
        self._by_port: dict[int, Path] = {}

    def install(self, functions: Any, worker: Any) -> None:
        """Change the variables and the end of each process.

        Parameters
        ----------
        functions : MiniStack's service of Lambda
        worker : MiniStack's class of a function's process
        """
        environment, tear_down, discard = (
            functions._provided_worker_env,
            worker._teardown,
            worker._discard_tmpdir,
        )

        def with_folder(config: dict[str, Any], code: str, port: int) -> dict[str, str]:
            variables: dict[str, str] = environment(config, code, port)
            return variables | {"TMPDIR": str(self._create(port))}

        def then_remove(original: Any) -> Any:
            def end(process: Any) -> None:
                folder = self._by_port.pop(_port(process), None)
                original(process)
                if folder is not None:
                    shutil.rmtree(folder, ignore_errors=True)

            return end

        functions._provided_worker_env = with_folder
        worker._teardown, worker._discard_tmpdir = then_remove(tear_down), then_remove(discard)

    def folder_of(self, process: Any) -> Path | None:
        """Return the folder of a running process of a function."""
        return self._by_port.get(_port(process))

    def _create(self, port: int) -> Path:
        folder = self._scratch / f"{port}-{next(self._numbers)}"
        folder.mkdir(parents=True, mode=0o700)
        self._by_port[port] = folder
        return folder


def used_bytes(folder: Path) -> int:
    """Return the space that the files in a folder take on disk; a file that disappears meanwhile counts nothing."""
    total, waiting = 0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * BLOCK_BYTES
        except OSError:
            continue
    return total


def _port(process: Any) -> int:
    """The port of a process's runtime API, which no other process has at the same time."""
    server = process._server
    return int(server.server_address[1]) if server is not None else -1
