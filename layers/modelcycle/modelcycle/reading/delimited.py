"""CSV: the header by the `csv` module, the rows by DuckDB, the broken lines by its rejects."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from modelcycle.engine import literal
from modelcycle.faults import NoData, UnreadableFile
from modelcycle.reading import column_names, piece, plain_text, unclosed
from modelcycle.reading.piece import Piece

DELIMITERS = ",;\t|"


def read(engine: Any, source: Path, packed: bool, where: str, target: Path) -> Piece:
    """The rows of a CSV file as a piece at `target`; its broken lines go into the table `broken`.

    Every line is held against what was read: rows, broken lines and records of several lines add up to it.

    Raises
    ------
    NoData : the file is empty
    UnreadableFile, BadData, ColumnsDiffer : no text, or no header that can be used
    """
    text = target.with_suffix(".csv")
    lines = plain_text.unpack(source, text, packed, where)
    source.unlink()
    if not lines:
        raise NoData("the file is empty", where, "upload a file with a header and rows")
    with text.open(encoding="utf-8", newline="") as file:
        header, header_lines, filled = _header(file, where)
    delimiter = _delimiter(header)
    names = _names(header, delimiter, where)
    skip = header_lines - header.count("\n") + 1  # DuckDB counts a header of several lines as one
    rows, rejects, swallowed = _parsed(engine, text, target, delimiter, skip, len(names))
    mended = unclosed.Mended.behind(skip, header_lines, records=lines - filled)
    if swallowed or rows + rejects != mended.records:
        whole = target.with_suffix(".whole.csv")
        mended = unclosed.mend(text, whole, delimiter, len(names), skip, header_lines)
        text.unlink()
        text = whole
        if mended.broken:
            first = (mended.broken[0][0], unclosed.REASON)
            piece.held_together(mended.records, len(mended.broken), first, where)
        rows, rejects, _ = _parsed(engine, text, target, delimiter, skip, len(names))
        if rows + rejects != mended.records:
            raise UnreadableFile(
                f"{mended.records:,} lines gave {rows:,} rows and {rejects:,} broken lines, which do not add up",
                where, "look for quotes within values; write them doubled",
            )  # fmt: skip
    text.unlink()
    broken = rejects + len(mended.broken)
    _set_apart(engine, where, mended)
    piece.held_together(rows, broken, piece.first_broken(engine, where), where)
    return Piece(target, names, rows, broken)


def header(source: Path, packed: bool, where: str) -> list[str]:
    """The column names alone, from the first two megabytes; DuckDB is not needed.

    Raises
    ------
    NoData, UnreadableFile, BadData, ColumnsDiffer : as `read`, where the first lines show it
    """
    begin = b"".join(itertools.islice(plain_text.chunks(source, packed, where), 2)).decode(errors="ignore")
    if not begin.strip("\n"):
        raise NoData("the file has no header", where, "upload a file with a header and rows")
    text, *_ = _header(io.StringIO(begin, newline=""), where)
    return _names(text, _delimiter(text), where)


def _header(lines: Iterable[str], where: str) -> tuple[str, int, int]:
    """The header as text, the lines up to its end, and how many of these are filled."""
    header = ""
    number = filled = 0
    for line in lines:
        number += 1
        if not header and line == "\n":
            continue
        header += line
        filled += line != "\n"
        if header.count('"') % 2 == 0:
            return header, number, filled
        if len(header) > plain_text.CHUNK:
            break
    raise UnreadableFile("a quote in the header is never closed", f"{where}, line 1", "mend the header")


def _delimiter(header: str) -> str:
    """What the header holds most of, outside quotes."""
    return max(DELIMITERS, key=re.sub('"[^"]*"', "", header).count)


def _names(header: str, delimiter: str, where: str) -> list[str]:
    csv.field_size_limit(plain_text.CHUNK * 2)
    # blanks before a quote are no part of the value, as in the rows
    reader = csv.reader(io.StringIO(header, newline=""), delimiter=delimiter, skipinitialspace=True)
    return column_names.checked(next(reader), where)


def _parsed(engine: Any, text: Path, target: Path, delimiter: str, skip: int, columns: int) -> tuple[int, int, bool]:
    """Write the piece; returns rows, broken lines (DuckDB tells one for each line and column), and whether one of them
    goes over several lines."""
    engine.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    types = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(columns))
    single = columns == 1  # DuckDB then reads a blank line as a row; only "" is one
    rows = piece.write(
        engine, target,
        f"""SELECT * FROM read_csv(
            {literal(text)}, columns = {{{types}}}, delim = {literal(delimiter)}, quote = '"', escape = '"',
            header = false, skip = {skip}, new_line = '\\n', auto_detect = false, strict_mode = true,
            store_rejects = true, rejects_limit = 0, max_line_size = {unclosed.LONGEST_LINE},
            buffer_size = {unclosed.LONGEST_LINE * 4}, allow_quoted_nulls = {not single})
            {"WHERE c0 IS NOT NULL" * single}""",
        columns,
    )  # fmt: skip
    rejects, swallowed = engine.execute(
        """SELECT count(DISTINCT (line, line_byte_position)),
             coalesce(bool_or(contains(trim(csv_line, chr(10)), chr(10))), false) FROM reject_errors"""
    ).fetchone()
    return rows, rejects, swallowed


def _set_apart(engine: Any, where: str, mended: unclosed.Mended) -> None:
    """Into the table `broken`, under the line that the file has; DuckDB counts a record of several lines as one."""
    engine.execute("CREATE OR REPLACE TEMP TABLE spans AS SELECT unnest($1) AS after, unnest($2) AS more", mended.spans)
    found = """SELECT line::BIGINT AS line, max(csv_line) AS text, max(error_type) AS kind,
        CASE WHEN max(error_type) = 'TOO MANY COLUMNS' THEN arg_max(error_message, column_idx)
             ELSE arg_min(error_message, column_idx) END AS message
        FROM reject_errors GROUP BY line, line_byte_position"""
    engine.execute(
        f"""INSERT INTO broken
            SELECT $1, found.line + coalesce(more, 0), left(trim(text, chr(10)), {piece.LONGEST_TEXT}),
              CASE WHEN kind = 'LINE SIZE OVER MAXIMUM'
                     THEN 'the line is longer than {unclosed.LONGEST_LINE >> 20} MiB'
                   WHEN contains(kind, 'COLUMNS')
                     THEN regexp_extract(message, 'Found: (\\d+)', 1) || ' values where the header has '
                       || regexp_extract(message, 'Columns: (\\d+)', 1) || ' columns'
                   ELSE $2 END
            FROM ({found}) found ASOF LEFT JOIN spans ON found.line > spans.after""",
        [where, unclosed.REASON],
    )
    for start in range(0, len(mended.broken), 10_000):
        batch = mended.broken[start : start + 10_000]
        engine.execute(
            "INSERT INTO broken SELECT $1, unnest($2::BIGINT[]), unnest($3::VARCHAR[]), $4",
            [where, [line for line, _ in batch], [text for _, text in batch], unclosed.REASON],
        )
