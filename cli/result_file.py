"""The results of a scoring job as one file on this machine."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelcycle.faults import BadInput
from modelcycle.sql_literal import literal

SUFFIXES = (".csv", ".parquet", ".jsonl")


def default_result_path(data: Path) -> Path:
    """Return the results of a file, beside it.

    >>> default_result_path(Path("sales.2026-11.csv.gz")).name
    'sales.2026-11.scored.csv'
    """
    name = data.name[:-3] if data.name.lower().endswith(".gz") else data.name
    return data.with_name(f"{Path(name).stem}.scored.csv")


def check_result_path(path: Path, data: Path) -> None:
    """Check that the results can be written before anything is scored.

    Raises
    ------
    BadInput : the ending is unknown, the folder does not exist, or it is the file with the rows
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise BadInput("results are not written in this format", str(path), f"use one of {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise BadInput("there is no such folder", str(path.parent), "create it, or give another --out")
    if path.exists() and path.samefile(data):
        raise BadInput("the results would overwrite the rows", str(path), "give another --out")


def write_results(parts: Sequence[Path], columns: Sequence[str], numbers: Sequence[str], path: Path) -> None:
    """Join the parts, CSV files with a header each, to one file: CSV, Parquet or JSON lines by its ending.

    Parameters
    ----------
    columns : of the results
    numbers : those of them that are numbers, besides `row` and `version`
    """
    partial = parts[0].with_name("joined")
    if path.name.lower().endswith(".csv"):
        with partial.open("wb") as file:
            for position, part in enumerate(parts):
                with part.open("rb") as lines:
                    if position:
                        next(csv.reader(_texts(lines)))
                    while chunk := lines.read(2**20):
                        file.write(chunk)
    else:
        import duckdb

        format_name = "PARQUET, COMPRESSION zstd" if path.name.lower().endswith(".parquet") else "JSON"
        with duckdb.connect() as connection:
            rows = read_sql(parts, columns, numbers)
            connection.execute(f"COPY (SELECT * FROM {rows}) TO {literal(partial)} (FORMAT {format_name})")
    partial.replace(path)


def unread_rows(parts: Sequence[Path], columns: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Return row, and what could not be read of it, of the first rows that were not scored and the first that were."""
    import duckdb

    with duckdb.connect() as connection:
        rows = read_sql(parts, columns, [])
        return [
            {"row": row, "unread": unread, "scored": scored}
            for scored, test in ((False, "IS NULL"), (True, "IS NOT NULL"))
            for row, unread in connection.execute(
                f'SELECT "row", unread FROM {rows} WHERE unread IS NOT NULL AND prediction {test} LIMIT {int(limit)}'
            ).fetchall()
        ]


def read_sql(parts: Sequence[Path], columns: Sequence[str], numbers: Sequence[str], *, as_text: bool = False) -> str:
    """Return SQL for the rows of results.

    Parameters
    ----------
    columns, numbers : see `write_results`
    as_text : whether numbers stay as they are written
    """
    types = {name: "DOUBLE" if name in numbers else "VARCHAR" for name in columns}
    if not as_text:
        types |= {"row": "BIGINT", "version": "INTEGER"}
    named = ", ".join(f"{literal(name)}: '{kind}'" for name, kind in types.items())
    files = ", ".join(literal(part) for part in parts)
    return (
        f"read_csv([{files}], header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"',"
        f" nullstr = '', columns = {{{named}}}, max_line_size = 20000000)"
    )


def _texts(lines: Any) -> Any:
    for line in lines:
        yield line.decode()
