"""The lock of a folder with a cloud's state."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.faults import CloudBusy

LOCK_TIMEOUT = 120.0  # seconds
LOCK_POLL_INTERVAL = 0.1  # seconds


@contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Hold the lock of a folder, so that two commands neither start two clouds nor deploy at the same time.

    Raises
    ------
    CloudBusy : another command holds it for longer than LOCK_TIMEOUT
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "lock").open("w") as lock:
        deadline = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise CloudBusy(
                        "Another command is starting or deploying the local cloud.",
                        where=str(home),
                        remedy="Wait for it to end, then run this command again.",
                    ) from None
                time.sleep(LOCK_POLL_INTERVAL)
        yield
