"""Values that a driver gives as Python objects: their exact texts, and the types of columns by the values in them."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from modelcycle.sources.sql.database import BYTES

TYPES: dict[frozenset[type], str] = {
    frozenset({bool}): "BOOLEAN", frozenset({int}): "BIGINT", frozenset({float}): "DOUBLE",
    frozenset({int, float}): "DOUBLE", frozenset({date}): "DATE", frozenset({datetime}): "TIMESTAMP",
    frozenset({time}): "TIME", frozenset({bytes}): BYTES,
}  # fmt: skip
"""DuckDB's type by the types of a column's values; all others, decimals too, are their text."""


def text_of(value: object) -> str | None:
    """Return the text of a value; None for a missing one, and for bytes, which are left out.

    >>> text_of(Decimal("0.2400")), text_of(Decimal("1E+2")), text_of(0.1), text_of(True), text_of(2**60 + 1)
    ('0.2400', '100', '0.1', 'true', '1152921504606846977')
    >>> text_of(datetime(2024, 1, 31, 14, 5)), text_of(date(2024, 1, 31)), text_of({"a": [1]}), text_of(b"x")
    ('2024-01-31 14:05:00', '2024-01-31', '{"a": [1]}', None)
    """
    if value is None or isinstance(value, bytes | bytearray | memoryview):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value.total_seconds())
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def types_of(kinds: set[type]) -> tuple[str, ...]:
    """Return the types that a column may have, by the Python types of its values.

    >>> types_of({int, type(None)}), types_of({datetime}), types_of({int, str}), types_of({type(None)})
    (('BIGINT',), ('TIMESTAMP', 'TIMESTAMPTZ'), (), ())
    """
    found = frozenset(bytes if kind in (bytearray, memoryview) else kind for kind in kinds - {type(None)})
    if found == {datetime}:
        return ("TIMESTAMP", "TIMESTAMPTZ")
    return (TYPES[found],) if found in TYPES else ()
