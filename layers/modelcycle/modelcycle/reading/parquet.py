"""Reads Parquet files: every value as the text from which `preprocess` gets the same value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcycle.faults import UnreadableFile
from modelcycle.reading.column_names import clean_names
from modelcycle.reading.text_table import TextTable, write_text_table
from modelcycle.sql_literal import literal

NESTED_TYPES = ("STRUCT", "MAP", "UNION")


def read_parquet(engine: Any, source: Path, where: str, target: Path) -> TextTable:
    """Read a Parquet file; nested values become JSON. See `reader.read_file`."""
    import duckdb

    # hive_partitioning would make a column of a folder named year=2024
    file = f"read_parquet({literal(source)}, hive_partitioning = false)"
    try:
        description = engine.execute(f"DESCRIBE SELECT * FROM {file}").fetchall()
        names = clean_names([name for name, *_ in description], where)
        columns = ", ".join(
            f"{_text_sql(name, sql_type)} AS c{number}" for number, (name, sql_type, *_) in enumerate(description)
        )
        rows = write_text_table(engine, target, f"SELECT {columns} FROM {file}", len(names))
    except (
        duckdb.InvalidInputException,
        duckdb.IOException,
        duckdb.ConversionException,
        duckdb.SerializationException,
    ):
        raise UnreadableFile("the file is not Parquet, or is broken", where, "write the file again") from None
    source.unlink()
    return TextTable(target, names, rows, broken=0)


def _text_sql(name: str, sql_type: str) -> str:
    """Return SQL for a column's text; `sql_type` as DuckDB describes it, such as DOUBLE or VARCHAR[]."""
    column = '"' + name.replace('"', '""') + '"'
    if sql_type.startswith(NESTED_TYPES) or sql_type.endswith("]"):
        return f"to_json({column})::VARCHAR"
    return f"{column}::VARCHAR"
