"""Delivers what Firehose was given in one object at a time, as AWS does.

MiniStack writes an object for each record and keeps the record as well, for ever. A captured prediction is a record, so
that every prediction would cost the next one some time and memory.
"""

from __future__ import annotations

import base64
from typing import Any

BUFFERED = "modelcycle_buffered"


class Buffer:
    """Between a call to Firehose and the bucket. The modules are MiniStack's own; `scope` pins account and region."""

    def __init__(self, firehose: Any, scope: Any) -> None:
        self._firehose = firehose
        self._scope = scope
        self._deliver = firehose._deliver_records_to_s3

    def take_over(self) -> None:
        """Inside the emulator's process: records wait here, and are saved with the stream until they are delivered."""
        state, load = self._firehose.get_state, self._firehose.load_persisted_state

        def load_persisted_state(data: dict[str, Any]) -> None:
            load(data)
            if not data.get(BUFFERED):  # of a version that delivered at once; these records lie in the bucket
                self._take()

        self._firehose._deliver_records_to_s3 = lambda stream, destination, records: None
        self._firehose.get_state = lambda: {**state(), BUFFERED: True}
        self._firehose.load_persisted_state = load_persisted_state

    def flush(self) -> None:
        """Write what waits, an object for each stream. Killed in between, it is written twice."""
        for (account, region), stream, destination, records in self._take():
            lines = b"".join(base64.b64decode(record["data"]) for record in records)
            with self._scope(account, region):
                self._deliver(stream, destination, [(records[0]["id"], lines)])

    def _take(self) -> list[tuple[tuple[str, str], Any, Any, list[Any]]]:
        """The records that wait, by stream and destination, taken out."""
        found = []
        with self._firehose._lock:
            for (account, region, _), stream in self._firehose._streams._data.items():
                for destination in stream["destinations"]:
                    records = destination.get("records")
                    if records and destination["type"] in ("ExtendedS3", "S3"):
                        found.append(((account, region), stream, destination, records))
                        destination["records"] = []
        return found
