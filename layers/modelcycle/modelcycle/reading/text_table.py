"""The rows of one source file, all values as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcycle.engine import row_group_rows
from modelcycle.sql_literal import literal

FETCHED_ROWS = 1000  # in memory at a time


@dataclass(frozen=True)
class TextTable:
    """The rows of a source file in a Parquet file.

    Parameters
    ----------
    path : Parquet file with the columns `file` (number of the source file), `row` (from 1, without broken lines), and
        `c0`, `c1` ... (text, or null for a missing value)
    names : of `c0`, `c1` ...
    rows : number of rows
    broken : number of lines that are not rows
    sparse : whether the format leaves out missing values, so that a file may not have every column
    """

    path: Path
    names: list[str]
    rows: int
    broken: int
    sparse: bool = False

    def texts(self, engine: Any) -> Iterator[tuple[str | None, ...]]:
        """Yield each row: its values in the order of `names`, None for a missing value."""
        columns = ", ".join(f"c{number}" for number in range(len(self.names)))
        # a cursor of its own: the caller may run other queries between two rows
        result = engine.cursor().execute(f"SELECT {columns} FROM read_parquet({literal(self.path)})")
        while batch := result.fetchmany(FETCHED_ROWS):
            yield from batch


def write_text_table(engine: Any, path: Path, query: str, columns: int) -> int:
    """Write the result of a query as the Parquet file of a `TextTable`.

    Parameters
    ----------
    path : its stem is the number of the source file
    query : SQL whose result has the columns `c0`, `c1` ...
    columns : how many

    Returns
    -------
    number of rows
    """
    rows: int = engine.execute(
        f"""COPY (SELECT {int(path.stem)} AS file, row_number() OVER () AS row, * FROM ({query})) TO {literal(path)}
            (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group_rows(columns)})"""
    ).fetchone()[0]
    return rows
