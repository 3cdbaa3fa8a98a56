"""Rows of a stream with an id that an earlier row has: senders repeat what they are not sure of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelcycle.faults import BadPipeline
from modelcycle.reading import TextTable
from modelcycle.reading.column_names import list_names, suggest_name
from modelcycle.sql_literal import literal


def without_repeated_ids(engine: Any, tables: list[TextTable], column: str, where: str) -> tuple[list[TextTable], int]:
    """Return the tables without the rows whose id came before, in the order of file and row; and how many those were.

    Rows without an id stay.

    Parameters
    ----------
    tables : in the order of their files' names
    column : the name of the id
    where : the pipeline file, for the fault

    Raises
    ------
    BadPipeline : no table has the column
    """
    by_number: dict[int, list[Path]] = defaultdict(list)
    for table in tables:
        if column in table.names:
            by_number[table.names.index(column)].append(table.path)
    if not by_number:
        names = list(dict.fromkeys(name for table in tables for name in table.names))
        raise BadPipeline(
            f"source.id names {column!r}, which is not a column", f"{where}: source.id: {column}",
            f"{suggest_name(column, names)}columns: {list_names(names)} ({len(names)})",
        )  # fmt: skip
    ids = " UNION ALL ".join(
        f"SELECT filename AS path, file, row, c{number} AS id "
        f"FROM read_parquet([{', '.join(map(literal, paths))}], filename = true) WHERE c{number} IS NOT NULL"
        for number, paths in by_number.items()
    )
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE repeated AS
            SELECT path, file, row
            FROM (SELECT path, file, row, row_number() OVER (PARTITION BY id ORDER BY file, row) AS n
                                   FROM ({ids})) WHERE n > 1"""
    )
    counts: dict[str, int] = dict(engine.execute("SELECT path, count(*) FROM repeated GROUP BY path").fetchall())
    kept = [
        _without(engine, table, counts[str(table.path)]) if str(table.path) in counts else table for table in tables
    ]
    engine.execute("DROP TABLE repeated")
    return kept, sum(counts.values())


def _without(engine: Any, table: TextTable, repeated: int) -> TextTable:
    """Return a table without its repeated rows, in a new file."""
    path = table.path.with_suffix(".once.parquet")
    engine.execute(
        f"""COPY (SELECT * FROM read_parquet({literal(table.path)})
                  ANTI JOIN (SELECT file, row FROM repeated WHERE path = {literal(table.path)}) USING (file, row)
                  ORDER BY file, row)
            TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"""
    )
    table.path.unlink()
    return replace(table, path=path, rows=table.rows - repeated)
