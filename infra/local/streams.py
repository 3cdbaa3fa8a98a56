"""Carries the records of tables' streams over a restart.

MiniStack saves how far each event source mapping has read, but not the records of the stream. After a restart the
position lies beyond the records for as long as it takes to write that many again: nothing reaches the function, and no
one says so. Here the records that a mapping has not read yet are saved with the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

UNREAD = "modelcycle_unread_records"


def save_unread_records(dynamodb: Any, lambda_service: Any) -> None:
    """Inside the emulator's process: a table's state holds what no mapping has read, and gets it back."""
    state, load = dynamodb.get_state, dynamodb.load_persisted_state

    def get_state() -> dict[str, Any]:
        return {**state(), UNREAD: unread(dynamodb, lambda_service)}

    def load_persisted_state(data: dict[str, Any]) -> None:
        load(data)
        restore(dynamodb, data.get(UNREAD))

    dynamodb.get_state, dynamodb.load_persisted_state = get_state, load_persisted_state


def unread(dynamodb: Any, lambda_service: Any) -> Any:
    """By table, the absolute position of the first record that some mapping has not read, and the records from there.

    Without a mapping nobody waits for a record; the position goes on all the same.
    """
    found = type(dynamodb._stream_records)()
    positions = _positions(dynamodb, lambda_service)
    for (account, region, table), records in list(dynamodb._stream_records._data.items()):
        begin = dynamodb._stream_trimmed.get_scoped(account, region, table, 0)
        end = begin + len(records)
        waiting = [position for scope, position in positions.values() if scope == (account, region, table)]
        first = min(max(min(waiting, default=end), begin), end)
        found.set_scoped(account, region, table, {"first": first, "records": records[first - begin :]})
    return found


def restore(dynamodb: Any, saved: Any) -> None:
    """Put saved records back, at the positions that they had."""
    for (account, region, table), stream in saved._data.items() if saved else ():
        dynamodb._stream_records.set_scoped(account, region, table, list(stream["records"]))
        dynamodb._stream_trimmed.set_scoped(account, region, table, stream["first"])


def reset_lost_positions(dynamodb: Any, lambda_service: Any) -> None:
    """After the load: a mapping that stands beyond the last record reads on from the first one there is.

    So it is where the state comes from a version that saved no records. What is relayed twice does no harm.
    """
    for key, (scope, position) in _positions(dynamodb, lambda_service).items():
        account, region, table = scope
        if position > dynamodb.stream_end_position(table, account_id=account, region=region):
            first = dynamodb.stream_start_position(table, account_id=account, region=region)
            lambda_service._dynamodb_stream_positions._data[key] = first


def _positions(dynamodb: Any, lambda_service: Any) -> dict[Any, tuple[tuple[str, str, str], int]]:
    """How far each mapping has read, by its key: (account, region, table) and the position."""
    return {
        key: ((key[0], key[1], table), lambda_service._dynamodb_stream_positions._data.get(key, 0))
        for key, table in _mappings(lambda_service)
    }


def _mappings(lambda_service: Any) -> Iterator[tuple[Any, str]]:
    for key, mapping in list(lambda_service._esms._data.items()):
        _, found, rest = str(mapping.get("EventSourceArn", "")).partition(":table/")
        table, stream, _ = rest.partition("/stream/")
        if found and stream:
            yield key, table
