"""Keeps the state of the running cloud on disk, and its functions' processes few.

MiniStack writes a file for each service when it is stopped in good order, and only then. Here all of them are written
every two seconds into a folder beside the last whole one, and the two are swapped: a kill at any moment leaves one
whole set. While a stack is being deployed nothing is saved, so that a killed deploy was never begun.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SAVE_EVERY = 2.0  # seconds
DEPLOY_WITHIN = 180.0  # seconds; a stack that is in progress for longer hangs, and holds up no save
IDLE_AFTER = 60.0  # seconds until a function's process is stopped; the next call starts one
LOG_LIMIT = 32 * 1024 * 1024  # bytes


def recover(state: Path) -> None:
    """Finish a swap that a kill cut in half, before anything reads the state."""
    following, before = _beside(state)
    if not state.exists() and before.exists():
        following.rename(state)
    shutil.rmtree(following, ignore_errors=True)
    shutil.rmtree(before, ignore_errors=True)


class Keeper(threading.Thread):
    """Saves again and again. `fault` is what the last save said, None when all went well.

    Parameters
    ----------
    state: the folder of the services' files, swapped at each save.
    services: gives each service's name and how to get its state.
    forget_code: removes the code of functions that the last whole set no longer names.
    """

    def __init__(self, state: Path, services: Any, forget_code: Callable[[], None] = lambda: None) -> None:
        super().__init__(daemon=True, name="modelcycle-keeper")
        self._state = state
        self._services = services
        self._forget_code = forget_code
        self._saving = threading.Lock()
        self._deploying_since: float | None = None
        self.fault: str | None = None
        self.saved_at = time.time()
        log = logging.getLogger("persistence")
        log.setLevel(logging.WARNING)  # one line for each service, every two seconds, would fill the disk
        self._said = _Said()
        log.addHandler(self._said)

    def run(self) -> None:
        while True:
            time.sleep(SAVE_EVERY)
            if not self._state.parent.is_dir():
                # Somebody removed the folder: without it nothing can be kept, and nobody finds this process.
                os._exit(1)
            try:
                self.save()
                stop_idle_processes()
                _bound_log()
            except Exception as error:
                self.fault = f"{type(error).__name__}: {error}"

    def save(self, services: Any = None) -> None:
        """Write one whole set of files, or none. MiniStack's own save at the end comes through here too."""
        with self._saving:
            if self._is_deploying():
                return
            following, before = _beside(self._state)
            shutil.rmtree(following, ignore_errors=True)
            following.mkdir()
            self._said.text = None
            _write(services or self._services(), following)
            self.fault = self._said.text
            if self._is_deploying():
                return
            for old in self._state.glob("*.json"):
                # A service that had nothing to say, or changed under the encoder; the next save heals that.
                if not (following / old.name).exists():
                    os.link(old, following / old.name)
            self._state.rename(before)
            following.rename(self._state)
            shutil.rmtree(before)
            self._forget_code()
            self.saved_at = time.time()

    def _is_deploying(self) -> bool:
        stacks = sys.modules.get("ministack.services.cloudformation")
        states = [stack.get("StackStatus", "") for stack in list(stacks._stacks._data.values())] if stacks else []
        if not any(status.endswith("_IN_PROGRESS") for status in states):
            self._deploying_since = None
            return False
        self._deploying_since = self._deploying_since or time.monotonic()
        return time.monotonic() - self._deploying_since < DEPLOY_WITHIN


def _write(services: Any, folder: Path) -> None:
    from ministack.core import persistence

    kept = persistence.STATE_DIR
    persistence.STATE_DIR = str(folder)
    try:
        persistence.save_all(services)
    finally:
        persistence.STATE_DIR = kept


def _beside(state: Path) -> tuple[Path, Path]:
    return state.with_name(f"{state.name}.next"), state.with_name(f"{state.name}.before")


def keep_code_until_saved(lambda_service: Any) -> Callable[[], None]:
    """MiniStack removes the code of replaced functions while it saves, which a dropped save would miss.

    Returns what removes it once the save is whole.
    """
    prune = lambda_service._prune_orphan_code_blobs
    referenced: list[set[str]] = []
    lambda_service._prune_orphan_code_blobs = lambda named: referenced.append(named)

    def forget() -> None:
        if referenced:
            prune(referenced[-1])
            referenced.clear()

    return forget


class _Said(logging.Handler):
    """Remembers the last line that a failed save wrote."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


def stop_idle_processes() -> None:
    """MiniStack never stops the first process of a function: some 40 MB each, 200 MB with pandas."""
    runtime = sys.modules.get("ministack.core.lambda_runtime")
    if runtime is None:
        return
    now = time.time()
    idle = []
    with runtime._lock:
        for key, workers in list(runtime._workers.items()):
            gone = [w for w in workers if not w.in_use and now - getattr(w, "last_used", now) > IDLE_AFTER]
            idle.extend(gone)
            kept = [w for w in workers if w not in gone]
            if kept:
                runtime._workers[key] = kept
            else:
                runtime._workers.pop(key, None)
    runtime.kill_workers(idle)


def count_processes() -> int:
    """How many processes of functions are warm."""
    runtime = sys.modules.get("ministack.core.lambda_runtime")
    return sum(len(workers) for workers in list(runtime._workers.values())) if runtime else 0


def _bound_log() -> None:
    """What the functions print goes there too, and days of it would fill the disk; the log groups keep theirs."""
    out = sys.stdout.fileno()
    if stat.S_ISREG(os.fstat(out).st_mode) and os.fstat(out).st_size > LOG_LIMIT:
        os.ftruncate(out, 0)
