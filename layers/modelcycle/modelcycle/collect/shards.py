"""Writes the snapshot: the rows of all files as Parquet files of similar size, and the broken lines."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from modelcycle.engine import SHARD_SIZE, row_group_rows
from modelcycle.reading import TextTable
from modelcycle.reading.broken_lines import MAX_LINE_CHARACTERS
from modelcycle.sql_literal import literal
from modelcycle.store import MAX_OBJECT_BYTES

WITHHELD = "(withheld: the file has personal columns)"


def write_shards(engine: Any, tables: list[TextTable], names: list[str], folder: Path) -> list[Path]:
    """Write the rows of all tables, in order, to Parquet files in `folder`.

    Parameters
    ----------
    names : of all columns; where a table lacks one, its values are missing

    Returns
    -------
    the files in order; their columns are `file`, `row` and, in the order of `names`, `c0`, `c1` ...
    """
    queries = []
    for table_names, group in groupby(tables, key=lambda table: table.names):
        numbers = {name: number for number, name in enumerate(table_names)}
        columns = ", ".join(
            f"c{numbers[name]} AS c{number}" if name in numbers else f"NULL::VARCHAR AS c{number}"
            for number, name in enumerate(names)
        )
        files = ", ".join(literal(table.path) for table in group)
        queries.append(f"SELECT file, row, {columns} FROM read_parquet([{files}])")
    shards = folder / "shards"
    engine.execute(
        f"""COPY ({" UNION ALL ".join(queries)}) TO {literal(shards)}
            (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group_rows(len(names))},
             FILE_SIZE_BYTES '{SHARD_SIZE}', OVERWRITE)"""
    )
    # by number: data_10 comes after data_9
    return sorted(shards.iterdir(), key=lambda path: (len(path.name), path.name))


def write_quarantine(engine: Any, folder: Path, *, withheld: bool = False) -> Path:
    """Write the broken lines of all files to a Parquet file: file, line, text, reason.

    Parameters
    ----------
    withheld : whether their texts are left out: nobody knows where in a broken line the personal columns are

    If millions of long lines would exceed the size of an object, less text of each is kept.
    """
    path = folder / "quarantine.parquet"
    for characters in (MAX_LINE_CHARACTERS, 200, 20):
        shown = literal(WITHHELD) if withheld else f"left(text, {characters})"
        engine.execute(
            f"""COPY (SELECT file, line, {shown} AS text, reason FROM broken_lines
                      ORDER BY file, line)
                TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"""
        )
        if path.stat().st_size <= MAX_OBJECT_BYTES:
            break
    return path


def write_line_numbers(engine: Any, tables: list[TextTable], folder: Path) -> Path | None:
    """Write where the numbering of the files' lines jumps, as `LineNumbers`, to a Parquet file: file, row, line.

    The line of a row is that of the last entry of its file up to its row, and the rows between; a row of a file
    without entries has no line, and one after an entry with the line 0 has an unknown one.

    Returns
    -------
    None if no file has lines
    """
    numbered = [table for table in tables if table.numbers.rows]
    if not numbered:
        return None
    engine.execute("CREATE OR REPLACE TEMP TABLE line_numbers (file INTEGER, row BIGINT, line BIGINT)")
    for table in numbered:
        engine.execute(
            "INSERT INTO line_numbers SELECT $1, unnest($2::BIGINT[]), unnest($3::BIGINT[])",
            [int(table.path.stem), table.numbers.rows, table.numbers.lines],
        )
    path = folder / "lines.parquet"
    engine.execute(
        f"COPY (SELECT * FROM line_numbers ORDER BY file, row) TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"
    )
    return path
