"""The rows of one source file, and the lines of it that are no rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcycle.engine import literal, row_group
from modelcycle.faults import UnreadableFile

MOST_BROKEN = 0.5  # of a file's lines; past it the file is not what its name says
ROWS_AT_ONCE = 1000  # in memory, for whoever asks for them one by one
LONGEST_TEXT = 2000  # characters of a broken line that are kept


@dataclass(frozen=True)
class Piece:
    """Parquet at `path`: `file` (its number), `row` (1 is the first that could be read), and c0, c1 ... as text.

    `names` are the columns in this order; a sparse file leaves out what has no value.
    """

    path: Path
    names: list[str]
    rows: int
    broken: int
    sparse: bool = False

    def texts(self, engine: Any) -> Iterator[tuple[str | None, ...]]:
        """The rows, one at a time, in the order of `names`; None where the file holds no value."""
        columns = ", ".join(f"c{number}" for number in range(len(self.names)))
        # a cursor of its own, so that other queries may come between
        found = engine.cursor().execute(f"SELECT {columns} FROM read_parquet({literal(self.path)})")
        while batch := found.fetchmany(ROWS_AT_ONCE):
            yield from batch


def write(engine: Any, path: Path, rows: str, columns: int) -> int:
    """Write what the query `rows` gives (all columns but `file` and `row`) as a piece; returns its rows."""
    number = int(path.stem)
    count: int = engine.execute(
        f"""COPY (SELECT {number} AS file, row_number() OVER () AS row, * FROM ({rows})) TO {literal(path)}
            (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group(columns)})"""
    ).fetchone()[0]
    return count


def begin(engine: Any) -> None:
    """The table of broken lines."""
    engine.execute("CREATE TABLE IF NOT EXISTS broken (file VARCHAR, line BIGINT, text VARCHAR, reason VARCHAR)")


IN_FIELDS = 'columns are separated by comma, semicolon, tab or |, and texts quoted with "'


def held_together(
    rows: int, broken: int, first: tuple[int, str], where: str, fault: str = "don't fit the header",
    remedy: str = IN_FIELDS,
) -> None:  # fmt: skip
    """Raises UnreadableFile where most lines are broken: setting them apart would hide a wrong file.

    Parameters
    ----------
    first : line and reason of the first broken one
    """
    if broken > (rows + broken) * MOST_BROKEN:
        line, reason = first
        raise UnreadableFile(
            f"{broken:,} of {rows + broken:,} lines {fault}; the first: {reason}", f"{where}, line {line}", remedy
        )


def first_broken(engine: Any, where: str) -> tuple[int, str]:
    """Line and reason of the first broken line of a file; (0, "") where there is none."""
    found: tuple[int, str] | None = engine.execute(
        "SELECT line, reason FROM broken WHERE file = $1 ORDER BY line LIMIT 1", [where]
    ).fetchone()
    return found or (0, "")
