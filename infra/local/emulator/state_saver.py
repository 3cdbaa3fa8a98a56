"""Saves the state of the running cloud within two seconds of a change.

MiniStack saves its state only when it is stopped in an orderly way. Here a kill at any moment loses at most the changes
of the last two seconds. An idle cloud is checked once a minute. While a stack is being deployed nothing is saved, so
that a killed deployment leaves no trace.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from infra.local.emulator.state_snapshot import StateSnapshot

SAVE_INTERVAL = 2.0  # seconds
QUIET_AFTER = 10.0  # seconds without a request and without work, after which nothing changes any more
IDLE_INTERVAL = 60.0  # seconds between checks of an idle cloud
MAX_DEPLOY_SECONDS = 180.0  # a stack that is in progress for longer hangs, and must not prevent saves


class ObjectFiles(Protocol):
    """The files of S3 objects, which are written at once and not by a save."""

    @property
    def count(self) -> int:
        """Number of objects whose file could not be written."""

    def write(self) -> str | None:
        """Try again to write them; return what is wrong, or None."""


class StateSaver(threading.Thread):
    """A thread that saves the state.

    Parameters
    ----------
    snapshot : the services' files
    activity : returns a value that changes with each event, such as the number of requests so far
    is_working : returns whether something is running that may end without a request
    before_save : called before each save
    remove_unused_code : removes the code of functions that a complete set no longer refers to
    object_files : files beside the services' state

    Attributes
    ----------
    fault : why the last save failed, or None
    saved_at : POSIX time; all changes up to it are on disk
    written : bytes written since the start
    """

    def __init__(
        self,
        snapshot: StateSnapshot,
        *,
        activity: Callable[[], object] = lambda: None,
        is_working: Callable[[], bool] = lambda: False,
        before_save: Sequence[Callable[[], None]] = (),
        remove_unused_code: Callable[[], None] = lambda: None,
        object_files: ObjectFiles | None = None,
    ) -> None:
        super().__init__(daemon=True, name="modelcycle-state-saver")
        self._snapshot = snapshot
        self._activity = activity
        self._is_working = is_working
        self._before_save = before_save
        self._remove_unused_code = remove_unused_code
        self._object_files = object_files
        self._saving = threading.Lock()
        self._closed = False
        self._deploying_since: float | None = None
        self._last_activity: object = None
        self._active_at = self._saved_at = float("-inf")  # monotonic time
        self.fault: str | None = None
        self.saved_at = time.time()
        self.written = 0

    @property
    def unsaved(self) -> tuple[str, ...]:
        """The services with changes that are not on disk, and `objects` if files of objects could not be written."""
        objects = ("objects",) if self._object_files and self._object_files.count else ()
        return self._snapshot.unsaved + objects

    def watch(self, folder: Path) -> None:
        """Start to save; the process ends when the folder is removed."""
        self._folder = folder
        self.start()

    def run(self) -> None:
        """Save when a save is due, forever."""
        while True:
            time.sleep(SAVE_INTERVAL)
            if not self._folder.is_dir():
                # nothing can be saved without the folder, and no command finds this process
                os._exit(1)
            if self.is_due():
                self.save()

    def is_due(self) -> bool:
        """Return whether something may have changed since the last save."""
        now = time.monotonic()
        activity = self._activity()
        if activity != self._last_activity or self._is_working():
            self._active_at = now
        self._last_activity = activity
        return bool(self.fault) or now - self._active_at < QUIET_AFTER or now - self._saved_at > IDLE_INTERVAL

    def save(self, services: Any = None) -> None:
        """Write all changes to disk, or none; `fault` says why it failed.

        MiniStack calls this too, at its own end, with its services; they are those of the snapshot.
        """
        with self._saving:
            if self._closed:
                return
            began = time.time()
            self._saved_at = time.monotonic()
            try:
                for prepare in self._before_save:
                    prepare()
                if self._is_deploying():
                    return
                failures = [self._object_files.write() if self._object_files else None, self._snapshot.take()]
                if self._is_deploying():
                    self._snapshot.discard()
                    return
                self.written += self._snapshot.write()
                self._remove_unused_code()
                self.fault = "; ".join(filter(None, failures)) or None
            except Exception as error:
                self.fault = str(error) or type(error).__name__
            if self.fault is None:
                self.saved_at = began

    def close(self) -> bool:
        """Save for the last time; return whether everything is on disk.

        Later changes are ignored: the stop itself causes them.
        """
        self.save()
        with self._saving:
            self._closed = True
        return self.fault is None

    def _is_deploying(self) -> bool:
        cloudformation = sys.modules.get("ministack.services.cloudformation")
        stacks = list(cloudformation._stacks._data.values()) if cloudformation else []
        if not any(stack.get("StackStatus", "").endswith("_IN_PROGRESS") for stack in stacks):
            self._deploying_since = None
            return False
        self._deploying_since = self._deploying_since or time.monotonic()
        return time.monotonic() - self._deploying_since < MAX_DEPLOY_SECONDS


def defer_code_removal(lambda_service: Any) -> Callable[[], None]:
    """Stop MiniStack's Lambda from removing the code of replaced functions while it returns its state.

    A save that is then discarded would leave a set on disk that still refers to that code.

    Returns
    -------
    The function that removes the code, to be called after a complete save.
    """
    remove = lambda_service._prune_orphan_code_blobs
    referenced: list[set[str]] = []
    lambda_service._prune_orphan_code_blobs = lambda names: referenced.append(names)

    def remove_unused_code() -> None:
        if referenced:
            remove(referenced[-1])
            referenced.clear()

    return remove_unused_code
