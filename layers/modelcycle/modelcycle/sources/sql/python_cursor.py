"""Rows of a cursor of Python's DB-API."""

from __future__ import annotations

from typing import Any

from modelcycle.faults import BadInput
from modelcycle.sources.sql.csv_rows import CsvRows
from modelcycle.sources.sql.database import SqlColumn
from modelcycle.sources.sql.python_values import text_of, types_of

FETCHED_ROWS = 1000  # in memory at a time


def names_of(cursor: Any, where: str) -> list[str]:
    """Return the names of a cursor's columns.

    Raises
    ------
    BadInput : the statement gives no rows
    """
    if cursor.description is None:
        raise BadInput("the query gives no rows", where, "write one SELECT")
    return [str(field[0]) for field in cursor.description]


def copy_rows(cursor: Any, target: CsvRows, where: str) -> tuple[list[SqlColumn], int]:
    """Write all rows of a cursor, a batch at a time; return its columns, and how many rows."""
    names = names_of(cursor, where)
    kinds: list[set[type]] = [set() for _ in names]
    while rows := cursor.fetchmany(FETCHED_ROWS):
        for row in rows:
            for value, seen in zip(row, kinds, strict=True):
                seen.add(type(value))
            target.add([text_of(value) for value in row])
    return [SqlColumn(name, types_of(seen)) for name, seen in zip(names, kinds, strict=True)], target.rows
