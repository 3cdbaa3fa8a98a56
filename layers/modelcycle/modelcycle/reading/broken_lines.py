"""The lines of source files that are not rows: the DuckDB table `broken_lines` (file, line, text, reason)."""

from __future__ import annotations

from typing import Any

from modelcycle.faults import UnreadableFile

MAX_BROKEN_SHARE = 0.5  # of a file's lines; with more, the file is not what its name says
MAX_LINE_CHARACTERS = 2000  # stored of a broken line
MAX_LINE_BYTES = 8 * 2**20  # of a line; a longer one is broken
TOO_LONG = f"the line is longer than {MAX_LINE_BYTES >> 20} MiB"
INSERTED_LINES = 10_000  # in one statement
CSV_REMEDY = 'separate columns by comma, semicolon, tab or |, and quote texts with "'

ESCAPED_REMEDY = 'write a quote inside a value as "", not \\" (Spark: option escape; pandas: doublequote=True)'


def create_table(engine: Any) -> None:
    """Create the table, unless it exists."""
    engine.execute("CREATE TABLE IF NOT EXISTS broken_lines (file VARCHAR, line BIGINT, text VARCHAR, reason VARCHAR)")


def add_broken_lines(engine: Any, where: str, lines: list[tuple[int, str]], reason: str) -> None:
    """Add lines, by number and text, with one reason."""
    for start in range(0, len(lines), INSERTED_LINES):
        batch = lines[start : start + INSERTED_LINES]
        engine.execute(
            "INSERT INTO broken_lines SELECT $1, unnest($2::BIGINT[]), unnest($3::VARCHAR[]), $4",
            [where, [line for line, _ in batch], [text for _, text in batch], reason],
        )


def first_broken_line(engine: Any, where: str) -> tuple[int, str]:
    """Return number and reason of the first broken line of a file, (0, "") if there is none."""
    line: tuple[int, str] | None = engine.execute(
        "SELECT line, reason FROM broken_lines WHERE file = $1 ORDER BY line LIMIT 1", [where]
    ).fetchone()
    return line or (0, "")


def check_broken_share(
    rows: int, broken: int, first: tuple[int, str], where: str, fault: str = "do not fit the header",
    remedy: str = CSV_REMEDY,
) -> None:  # fmt: skip
    """Check that most lines are rows: quarantining nearly all lines would hide that the file is a wrong one.

    Parameters
    ----------
    rows, broken : numbers of lines
    first : number and reason of the first broken line
    where : the file
    fault : what is wrong with the broken lines, after "12 of 20 lines"
    remedy : what to do

    Raises
    ------
    UnreadableFile : the share of broken lines exceeds MAX_BROKEN_SHARE
    """
    if broken > (rows + broken) * MAX_BROKEN_SHARE:
        line, reason = first
        raise UnreadableFile(
            f"{broken:,} of {rows + broken:,} lines {fault}; the first: {reason}", f"{where}, line {line}", remedy
        )
