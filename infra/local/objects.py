"""Objects of S3 whose file could not be written: kept in memory, and tried again until it can.

MiniStack writes an object's file at once and answers 200 whether that went well or not.
"""

from __future__ import annotations

import threading
from typing import Any

from infra.local.clients import REGION


class Objects:
    """Watches MiniStack's S3. `scope` pins account and region."""

    def __init__(self, s3: Any, scope: Any) -> None:
        self._s3 = s3
        self._scope = scope
        self._persist = s3._persist_object
        self._unwritten: dict[tuple[str, str, str], Any] = {}
        self._lock = threading.Lock()

    def take_over(self) -> None:
        """Inside the emulator's process: a file that could not be written is remembered."""
        from ministack.core.responses import get_account_id

        def persist(bucket: str, key: str, stored: Any) -> None:
            self._persist(bucket, key, stored)
            self._note((get_account_id(), bucket, key), stored)

        self._s3._persist_object = persist

    @property
    def unwritten(self) -> int:
        """How many objects are in memory alone."""
        return len(self._unwritten)

    def write(self) -> str | None:
        """Try again to write what is in memory alone; what is wrong, or None."""
        for name, stored in list(self._unwritten.items()):
            account, bucket, key = name
            held = self._s3._buckets._data.get((account, bucket), {}).get("objects", {})
            if held.get(key) is not stored:  # replaced or removed meanwhile
                self._unwritten.pop(name, None)
                continue
            with self._scope(account, REGION):
                self._persist(bucket, key, stored)
            self._note(name, stored)
        return f"{len(self._unwritten)} objects could not be written" if self._unwritten else None

    def _note(self, name: tuple[str, str, str], stored: Any) -> None:
        # MiniStack lets go of the body once it is in its file
        with self._lock:
            if isinstance(stored, dict) and stored.get("body") is not None:
                self._unwritten[name] = stored
            else:
                self._unwritten.pop(name, None)
