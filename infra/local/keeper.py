"""Keeps the state of the running cloud on disk, and the cloud small.

MiniStack writes a file for each service when it is stopped in good order, and only then. Here what has changed is
written every two seconds: a kill at any moment loses no more. A cloud in which nothing happens is not looked at, but
once a minute. While a stack is being deployed nothing is saved, so that a killed deploy was never begun.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from infra.local.snapshot import Snapshot

SAVE_EVERY = 2.0  # seconds
SETTLED_AFTER = 10.0  # seconds without a request and without work, after which nothing changes any more
LOOK_EVERY = 60.0  # seconds; should something change all the same
DEPLOY_WITHIN = 180.0  # seconds; a stack that is in progress for longer hangs, and holds up no save


class Objects(Protocol):
    """What lies beside the services' state, and is written at once."""

    @property
    def unwritten(self) -> int:
        """How many could not be written so far."""

    def write(self) -> str | None:
        """Try again; what is wrong, or None."""


class Keeper(threading.Thread):
    """Saves again and again.

    `fault` is what the last save said, None when all went well; `saved_at` is the time up to which all is on disk.

    Parameters
    ----------
    snapshot : the services' files
    activity : is another each time something has happened, such as the number of requests so far
    is_working : whether something goes on that ends without a further sign
    tidy : called before each save: what bounds the memory
    forget_code : removes the code of functions that the last whole set no longer names
    objects : what lies beside the state
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        activity: Callable[[], object] = lambda: None,
        is_working: Callable[[], bool] = lambda: False,
        tidy: Sequence[Callable[[], None]] = (),
        forget_code: Callable[[], None] = lambda: None,
        objects: Objects | None = None,
    ) -> None:
        super().__init__(daemon=True, name="modelcycle-keeper")
        self._snapshot = snapshot
        self._activity = activity
        self._is_working = is_working
        self._tidy = tidy
        self._forget_code = forget_code
        self._objects = objects
        self._saving = threading.Lock()
        self._closed = False
        self._deploying_since: float | None = None
        self._seen: object = None
        self._worked_at = self._looked_at = float("-inf")
        self.fault: str | None = None
        self.saved_at = time.time()
        self.written = 0  # bytes since the start

    @property
    def unsaved(self) -> tuple[str, ...]:
        """The services of which the disk holds an older state, and `objects` where some could not be written."""
        beside = ("objects",) if self._objects and self._objects.unwritten else ()
        return self._snapshot.unsaved + beside

    def keep(self, folder: Path) -> None:
        """Save for as long as the folder is there."""
        self._folder = folder
        self.start()

    def run(self) -> None:
        while True:
            time.sleep(SAVE_EVERY)
            if not self._folder.is_dir():
                # Somebody removed the folder: without it nothing can be kept, and nobody finds this process.
                os._exit(1)
            if self.is_due():
                self.save()

    def is_due(self) -> bool:
        """Whether something may have changed since the last save."""
        now = time.monotonic()
        activity = self._activity()
        if activity != self._seen or self._is_working():
            self._worked_at = now
        self._seen = activity
        return bool(self.fault) or now - self._worked_at < SETTLED_AFTER or now - self._looked_at > LOOK_EVERY

    def save(self, services: Any = None) -> None:
        """Bring the disk up to date, as a whole or not at all; `fault` says what is wrong.

        MiniStack's own save at its end comes through here too.
        """
        with self._saving:
            if self._closed:
                return
            began = time.time()
            self._looked_at = time.monotonic()
            try:
                for bound in self._tidy:
                    bound()
                if self._is_deploying():
                    return
                faults = [self._objects.write() if self._objects else None, self._snapshot.take()]
                if self._is_deploying():
                    self._snapshot.discard()
                    return
                self.written += self._snapshot.write()
                self._forget_code()
                self.fault = "; ".join(filter(None, faults)) or None
            except Exception as error:
                self.fault = str(error) or type(error).__name__
            if self.fault is None:
                self.saved_at = began

    def close(self) -> bool:
        """Save for the last time: whatever comes after it is what the end itself does. Returns whether all is saved."""
        self.save()
        with self._saving:
            self._closed = True
        return self.fault is None

    def _is_deploying(self) -> bool:
        stacks = sys.modules.get("ministack.services.cloudformation")
        states = [stack.get("StackStatus", "") for stack in list(stacks._stacks._data.values())] if stacks else []
        if not any(status.endswith("_IN_PROGRESS") for status in states):
            self._deploying_since = None
            return False
        self._deploying_since = self._deploying_since or time.monotonic()
        return time.monotonic() - self._deploying_since < DEPLOY_WITHIN


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
