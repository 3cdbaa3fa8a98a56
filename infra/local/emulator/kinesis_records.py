"""Keeps the records of Kinesis streams and the positions of their readers consistent.

MiniStack keeps for each event source mapping how many records of a shard it has read. When records expire, it removes
them from the front and leaves the positions as they are: as many later ones are skipped. And it keeps in memory, and
saves every two seconds, all records of a day. Here read records are removed by the thread that reads, together with the
positions, as soon as there are too many of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

MAX_READ_RECORDS = 10_000  # that a shard keeps, for other readers


class _Reader(NamedTuple):
    """The positions of one mapping, by shard, and its stream."""

    positions: dict[str, int]
    stream: dict[str, Any]


def remove_read_records(kinesis: Any, lambda_service: Any) -> None:
    """Let MiniStack remove records only where its positions follow."""
    expire, poll = kinesis._expire_records, lambda_service._poll_kinesis

    def expire_unread(stream: dict[str, Any]) -> None:
        if not any(reader.stream is stream for reader in _readers(kinesis, lambda_service)):
            expire(stream)

    def poll_and_remove() -> bool:
        has_read = bool(poll())
        trim(kinesis, lambda_service)
        return has_read

    kinesis._expire_records, lambda_service._poll_kinesis = expire_unread, poll_and_remove


def trim(kinesis: Any, lambda_service: Any) -> None:
    """Remove records that every mapping has read: all but the newest MAX_READ_RECORDS, and those that have expired."""
    readers = list(_readers(kinesis, lambda_service))
    for stream in {id(reader.stream): reader.stream for reader in readers}.values():
        cutoff = time.time() - stream["RetentionPeriodHours"] * 3600
        for shard_id, shard in stream["shards"].items():
            known = [reader.positions for reader in readers if reader.stream is stream and shard_id in reader.positions]
            read = min((positions[shard_id] for positions in known), default=0)
            records = shard["records"]
            expired = 0
            while expired < min(read, len(records)) and records[expired]["ApproximateArrivalTimestamp"] < cutoff:
                expired += 1
            removed = max(expired, min(read, len(records)) - MAX_READ_RECORDS, 0)
            if removed:
                del records[:removed]  # in place: others append at the same time
                for positions in known:
                    positions[shard_id] -= removed


def reset_lost_positions(kinesis: Any, lambda_service: Any) -> None:
    """Let a mapping whose position is beyond the last record read the shard again; `land` knows what it has landed.

    This is so when the cloud was killed between two saves.
    """
    for reader in _readers(kinesis, lambda_service):
        for shard_id, position in list(reader.positions.items()):
            if position > len(reader.stream["shards"].get(shard_id, {}).get("records", [])):
                reader.positions[shard_id] = 0


def _readers(kinesis: Any, lambda_service: Any) -> Iterator[_Reader]:
    """Yield the mappings that have begun to read a stream."""
    for mapping, settings in list(lambda_service._esms._data.items()):
        _, is_stream, name = str(settings.get("EventSourceArn", "")).partition(":stream/")
        positions = lambda_service._kinesis_positions._data.get(mapping)
        stream = kinesis._streams._data.get((*mapping[:2], name)) if is_stream else None
        if positions is not None and stream is not None:
            yield _Reader(positions, stream)
