"""The rows of one source file, all values as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcycle.engine import row_group_rows
from modelcycle.reading.line_numbers import MAX_JUMPS, UNKNOWN, LineNumbers
from modelcycle.sql_literal import literal

FETCHED_ROWS = 1000  # in memory at a time
NO_LINES = LineNumbers()


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
    numbers : the line of each row; empty for Parquet and for a list of objects, whose rows have no line
    notes : what was found in the file that is not usual, as sentences for people
    """

    path: Path
    names: list[str]
    rows: int
    broken: int
    sparse: bool = False
    numbers: LineNumbers = NO_LINES
    notes: tuple[str, ...] = ()

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


def line_numbers(engine: Any, events: str, lines_above: int, is_complete: bool = True) -> LineNumbers:
    """Return the lines of rows.

    Parameters
    ----------
    events : SQL whose result has a row for each record that is no row of the table, or has several lines: `record`
        (its number, where each record but these is one line and one row), `lost` (1 if it is no row, else 0), and
        `extra` (its lines but one)
    lines_above : lines of the file above the first record
    is_complete : whether these are all such records; otherwise the lines after the last one are not known
    """
    jumps = engine.execute(
        f"""SELECT row, max(line) FROM (
              SELECT record + 1 - sum(lost) OVER up_to AS row, record + 1 + sum(extra) OVER up_to AS line
              FROM ({events}) WINDOW up_to AS (ORDER BY record)
              UNION ALL SELECT 1, 1)
            GROUP BY row ORDER BY row LIMIT {MAX_JUMPS + 1}"""
    ).fetchall()
    is_complete = is_complete and len(jumps) <= MAX_JUMPS
    rows = [int(row) for row, _ in jumps]
    lines = [int(line) + lines_above for _, line in jumps]
    if not is_complete:
        lines[-1] = UNKNOWN
    return LineNumbers(rows, lines)
