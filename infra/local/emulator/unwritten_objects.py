"""Retries the files of S3 objects that could not be written.

MiniStack writes the file of an object at once, and answers 200 even if that fails.
"""

from __future__ import annotations

import threading
from typing import Any

from infra.local.clients import REGION


class UnwrittenObjects:
    """The objects that exist in memory only, until their files are written.

    Parameters
    ----------
    s3 : MiniStack's service
    scope : MiniStack's `request_scope(account, region)`
    """

    def __init__(self, s3: Any, scope: Any) -> None:
        self._s3 = s3
        self._scope = scope
        self._persist = s3._persist_object
        self._unwritten: dict[tuple[str, str, str], Any] = {}  # by account, bucket and key
        self._lock = threading.Lock()

    def install(self) -> None:
        """Remember each object whose file could not be written."""
        from ministack.core.responses import get_account_id

        def persist_object(bucket: str, key: str, stored: Any) -> None:
            self._persist(bucket, key, stored)
            self._note_result((get_account_id(), bucket, key), stored)

        self._s3._persist_object = persist_object

    @property
    def count(self) -> int:
        """Number of objects that exist in memory only."""
        return len(self._unwritten)

    def write(self) -> str | None:
        """Try again to write them; return what is wrong, or None."""
        for object_id, stored in list(self._unwritten.items()):
            account, bucket, key = object_id
            objects = self._s3._buckets._data.get((account, bucket), {}).get("objects", {})
            if objects.get(key) is not stored:  # replaced or removed since
                self._unwritten.pop(object_id, None)
                continue
            with self._scope(account, REGION):
                self._persist(bucket, key, stored)
            self._note_result(object_id, stored)
        return f"{len(self._unwritten)} objects could not be written" if self._unwritten else None

    def _note_result(self, object_id: tuple[str, str, str], stored: Any) -> None:
        # MiniStack releases an object's body once it is in its file
        with self._lock:
            if isinstance(stored, dict) and stored.get("body") is not None:
                self._unwritten[object_id] = stored
            else:
                self._unwritten.pop(object_id, None)
