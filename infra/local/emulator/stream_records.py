"""Keeps the unread records of tables' streams over a restart.

MiniStack saves how far each event source mapping has read, but not the records. After a restart the saved position is
beyond the last record: until as many records have been written again, nothing reaches the function, without any error.
Here the records that a mapping has not read yet are saved with the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

UNREAD_KEY = "modelcycle_unread_records"


class _Stream(NamedTuple):
    account: str
    region: str
    table: str


def save_unread_records(dynamodb: Any, lambda_service: Any) -> None:
    """Make MiniStack's DynamoDB save and load unread records with its tables."""
    get_tables, load_tables = dynamodb.get_state, dynamodb.load_persisted_state

    def get_state() -> dict[str, Any]:
        return {**get_tables(), UNREAD_KEY: unread_records(dynamodb, lambda_service)}

    def load_persisted_state(data: dict[str, Any]) -> None:
        load_tables(data)
        restore_records(dynamodb, data.get(UNREAD_KEY))

    dynamodb.get_state, dynamodb.load_persisted_state = get_state, load_persisted_state


def unread_records(dynamodb: Any, lambda_service: Any) -> Any:
    """Return, for each table, the position of the first record that a mapping has not read, and the records from there.

    Without a mapping no record is needed, only the position after the last one.
    """
    unread = type(dynamodb._stream_records)()
    positions = _positions(dynamodb, lambda_service)
    for key, records in list(dynamodb._stream_records._data.items()):
        stream = _Stream(*key)
        begin = dynamodb._stream_trimmed.get_scoped(*stream, 0)
        end = begin + len(records)
        read_until = min((position for of, position in positions.values() if of == stream), default=end)
        first = min(max(read_until, begin), end)
        unread.set_scoped(*stream, {"first": first, "records": records[first - begin :]})
    return unread


def restore_records(dynamodb: Any, unread: Any) -> None:
    """Put saved records back at their positions; `unread` is what `unread_records` returned, or None."""
    for stream, content in unread._data.items() if unread else ():
        dynamodb._stream_records.set_scoped(*stream, list(content["records"]))
        dynamodb._stream_trimmed.set_scoped(*stream, content["first"])


def reset_lost_positions(dynamodb: Any, lambda_service: Any) -> None:
    """Let a mapping whose position is beyond the last record continue at the first one.

    This is so after a version that saved positions without records. Records that are relayed twice do no harm.
    """
    for mapping, (stream, position) in _positions(dynamodb, lambda_service).items():
        scope = {"account_id": stream.account, "region": stream.region}
        if position > dynamodb.stream_end_position(stream.table, **scope):
            first = dynamodb.stream_start_position(stream.table, **scope)
            lambda_service._dynamodb_stream_positions._data[mapping] = first


def _positions(dynamodb: Any, lambda_service: Any) -> dict[Any, tuple[_Stream, int]]:
    """Return the stream and the position of each mapping, by the mapping's key."""
    return {
        mapping: (stream, lambda_service._dynamodb_stream_positions._data.get(mapping, 0))
        for mapping, stream in _mappings(lambda_service)
    }


def _mappings(lambda_service: Any) -> Iterator[tuple[Any, _Stream]]:
    """Yield the key and the stream of each event source mapping of a table."""
    for mapping, settings in list(lambda_service._esms._data.items()):
        _, is_table, path = str(settings.get("EventSourceArn", "")).partition(":table/")
        table, is_stream, _ = path.partition("/stream/")
        if is_table and is_stream:
            yield mapping, _Stream(mapping[0], mapping[1], table)
