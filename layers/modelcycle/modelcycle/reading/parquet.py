"""Reads Parquet files: every value as the text from which `preprocess` gets the same value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from modelcycle.faults import UnreadableFile
from modelcycle.reading.column_names import clean_names
from modelcycle.reading.json_keys import MAX_DEPTH
from modelcycle.reading.text_table import TextTable, write_text_table
from modelcycle.sql_literal import identifier, literal

NESTED_TYPES = {"list", "array", "map", "union"}


def read_parquet(engine: Any, source: Path, where: str, target: Path, whole: Sequence[str] = ()) -> TextTable:
    """Read a Parquet file. See `reader.read_file`.

    The fields of a struct become columns, joined by a point as in `json_keys`; lists and maps become JSON text.
    """
    import duckdb

    # hive_partitioning would make a column of a folder named year=2024
    file = f"read_parquet({literal(source)}, hive_partitioning = false)"
    try:
        table = engine.sql(f"SELECT * FROM {file}")
        fields = [
            field
            for name, kind in zip(table.columns, table.types, strict=True)
            for field in _fields(name, identifier(name), kind, set(whole))
        ]
        names, notes = clean_names([name for name, _ in fields], where)
        columns = ", ".join(f"{sql} AS c{number}" for number, (_, sql) in enumerate(fields))
        rows = write_text_table(engine, target, f"SELECT {columns} FROM {file}", len(names))
    except (
        duckdb.InvalidInputException,
        duckdb.IOException,
        duckdb.ConversionException,
        duckdb.SerializationException,
    ):
        raise UnreadableFile("the file is not Parquet, or is broken", where, "write the file again") from None
    source.unlink()
    return TextTable(target, names, rows, broken=0, notes=tuple(notes))


def _fields(name: str, sql: str, kind: Any, whole: set[str], depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield name and SQL text of a column, or of each field if it is a struct; `kind` is a DuckDBPyType."""
    if kind.id == "struct" and depth < MAX_DEPTH and name not in whole:
        for field, inner in kind.children:
            yield from _fields(f"{name}.{field}", f"struct_extract({sql}, {literal(field)})", inner, whole, depth + 1)
    elif kind.id in NESTED_TYPES or kind.id == "struct":
        yield name, f"to_json({sql})::VARCHAR"
    else:
        yield name, f"{sql}::VARCHAR"
