"""Writes the records of a Firehose stream together, one object for each partition, as AWS does.

MiniStack writes one object for each record and keeps the record in memory forever. So every prediction would make the
following ones slower and the emulator larger. It also reads the partition from a record as a whole, where AWS takes
records apart (RecordDeAggregation).
"""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

BUFFERED_KEY = "modelcycle_buffered"  # marks a saved state whose records are not in the bucket yet


class _Batch(NamedTuple):
    account: str
    region: str
    stream: Any
    destination: Any
    records: list[Any]


class FirehoseBuffer:
    """Keeps records in their stream until `flush` writes them.

    Parameters
    ----------
    firehose : MiniStack's service
    scope : MiniStack's `request_scope(account, region)`
    """

    def __init__(self, firehose: Any, scope: Any) -> None:
        self._firehose = firehose
        self._scope = scope
        self._deliver = firehose._deliver_records_to_s3
        self._partition_keys = firehose._metadata_extraction_keys

    def install(self) -> None:
        """Let records wait; they are saved with the stream."""
        get_state, load_state = self._firehose.get_state, self._firehose.load_persisted_state

        def load_persisted_state(data: dict[str, Any]) -> None:
            load_state(data)
            if not data.get(BUFFERED_KEY):  # saved by a version that delivered at once: these are in the bucket
                self._take_batches()

        self._firehose._deliver_records_to_s3 = lambda stream, destination, records: None
        # `flush` delivers the lines of one partition together: the first one names it
        self._firehose._metadata_extraction_keys = lambda config, data: self._partition_keys(
            config, data.partition(b"\n")[0]
        )
        self._firehose.get_state = lambda: {**get_state(), BUFFERED_KEY: True}
        self._firehose.load_persisted_state = load_persisted_state

    def flush(self) -> None:
        """Write the waiting records, one object for each partition; after a kill in between they are written twice."""
        for batch in self._take_batches():
            data = b"".join(base64.b64decode(record["data"]) for record in batch.records)
            with self._scope(batch.account, batch.region):
                for lines in self._partitions(batch.destination["config"], data):
                    self._deliver(batch.stream, batch.destination, [(batch.records[0]["id"], lines)])

    def _partitions(self, config: dict[str, Any], data: bytes) -> list[bytes]:
        """Split lines by their partition; those without one stay together and are delivered as failed."""
        if not (config.get("DynamicPartitioningConfiguration") or {}).get("Enabled"):
            return [data]
        partitions: dict[str, list[bytes]] = {}
        for line in data.splitlines(keepends=True):
            try:
                keys = str(self._partition_keys(config, line))
            except self._firehose._DeliveryError:
                keys = ""
            partitions.setdefault(keys, []).append(line)
        return [b"".join(lines) for lines in partitions.values()]

    def _take_batches(self) -> list[_Batch]:
        """Remove the waiting records from their streams and return them."""
        batches = []
        with self._firehose._lock:
            for (account, region, _), stream in self._firehose._streams._data.items():
                for destination in stream["destinations"]:
                    records = destination.get("records")
                    if records and destination["type"] in ("ExtendedS3", "S3"):
                        batches.append(_Batch(account, region, stream, destination, records))
                        destination["records"] = []
        return batches
