"""Reads CSV files: the header by the `csv` module, the rows by DuckDB, which also reports the broken lines."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from modelcycle.faults import NoData, UnreadableFile
from modelcycle.reading.body import MAX_BLANK_LINES, copy_body
from modelcycle.reading.broken_lines import (
    CSV_REMEDY,
    ESCAPED_REMEDY,
    INSERTED_LINES,
    MAX_LINE_BYTES,
    MAX_LINE_CHARACTERS,
    TOO_LONG,
    add_broken_lines,
    check_broken_share,
    first_broken_line,
)
from modelcycle.reading.csv_header import SAMPLE_BYTES, CsvHeader, parse_csv_header
from modelcycle.reading.line_numbers import LineNumbers
from modelcycle.reading.no_rows import without_no_rows
from modelcycle.reading.plain_text import PlainText
from modelcycle.reading.text_table import TextTable, line_numbers, write_text_table
from modelcycle.reading.unclosed_quotes import BROKEN_QUOTE, CsvRecords, blank_broken_quotes
from modelcycle.spec.sources import Csv
from modelcycle.sql_literal import literal


class Parsed(NamedTuple):
    """What DuckDB made of a CSV file; `rejects_span_lines` if a rejected record has several lines."""

    rows: int
    rejected: int
    rejects_span_lines: bool


def read_csv(engine: Any, text: PlainText, csv: Csv, target: Path) -> TextTable:
    """Read a CSV file. See `reader.read_file`.

    No line gets lost: rows and broken lines must add up to the lines of the file, where a record with quoted line
    breaks counts once. A quote that is never closed makes DuckDB read many lines as one value; then the lines are
    checked one by one, and read again without the broken ones.

    Raises
    ------
    NotUtf8 : the text has another encoding
    NoData : the file is empty
    UnreadableFile, BadData : the file is not text, its header cannot be used, or most lines are broken
    """
    header, below = _open(text, csv)
    path = target.with_suffix(".csv")
    body = copy_body(below, path)
    text.source.unlink()
    parsed = _parse(engine, path, target, header)
    records = CsvRecords(body.filled, blank=body.blank)
    if parsed.rejects_span_lines or parsed.rows + parsed.rejected != records.count:
        fixed = target.with_suffix(".fixed.csv")
        records = blank_broken_quotes(path, fixed, header)
        path.unlink()
        path = fixed
        if records.broken:
            first = (header.lines + records.broken[0][0], BROKEN_QUOTE)
            remedy = _remedy(line for _, line in records.broken[:1])
            check_broken_share(records.count, len(records.broken), first, text.where, remedy=remedy)
        parsed = _parse(engine, path, target, header)
        if parsed.rows + parsed.rejected != records.count:
            raise UnreadableFile(
                f"{records.count:,} lines gave {parsed.rows:,} rows and {parsed.rejected:,} broken lines, which do not"
                " add up", text.where, "check the quotes inside values: write each as two quotes",
            )  # fmt: skip
    path.unlink()
    broken = parsed.rejected + len(records.broken) + len(body.long)
    _store_broken_lines(engine, text.where, records, header.lines)
    for reason, lines in ((BROKEN_QUOTE, records.broken), (TOO_LONG, body.long)):
        add_broken_lines(engine, text.where, [(header.lines + line, words) for line, words in lines], reason)
    remedy = _remedy(text for (text,) in engine.execute(
        "SELECT text FROM broken_lines WHERE file = $1 ORDER BY line LIMIT 1", [text.where]
    ).fetchall())  # fmt: skip
    check_broken_share(parsed.rows, broken, first_broken_line(engine, text.where), text.where, remedy=remedy)
    numbers = _line_numbers(engine, records, header.lines)
    notes = (*text.notes(), *header.notes)
    table = TextTable(target, header.names, parsed.rows, broken, numbers=numbers, notes=notes)
    return without_no_rows(engine, table, text.where, header.delimiter)


def _remedy(broken: Iterable[str]) -> str:
    return ESCAPED_REMEDY if any('\\"' in line for line in broken) else CSV_REMEDY


def read_csv_header(text: PlainText, csv: Csv) -> CsvHeader:
    """Read the header of a file from its beginning, without DuckDB.

    Raises
    ------
    NotUtf8, NoData, UnreadableFile, BadData : as `read_csv` does, if the beginning shows the fault
    """
    return _open(text, csv)[0]


def _open(text: PlainText, csv: Csv) -> tuple[CsvHeader, Iterator[bytes]]:
    """Return the header, and the text below it."""
    chunks = text.lines()
    beginning = b""
    is_all = True
    for chunk in chunks:
        beginning += chunk
        if len(beginning) >= SAMPLE_BYTES:
            is_all = False
            break
    if not beginning.strip():
        raise NoData("the file is empty", text.where, "upload a file with a header and rows")
    header = parse_csv_header(beginning.decode(errors="ignore"), is_all, text.where, csv)
    position = 0
    for _ in range(header.lines):
        position = beginning.index(b"\n", position) + 1
    return header, itertools.chain([beginning[position:]] if beginning[position:] else [], chunks)


def _parse(engine: Any, text: Path, target: Path, header: CsvHeader) -> Parsed:
    """Write the rows to `target`; the broken records are in DuckDB's table `reject_errors`."""
    engine.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    columns = len(header.names)
    types = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(columns))
    single = columns == 1  # then DuckDB reads a blank line as a row; only "" is one
    quote = literal(header.quote)
    rows = write_text_table(
        engine, target,
        f"""SELECT * FROM read_csv(
            {literal(text)}, columns = {{{types}}}, delim = {literal(header.delimiter)}, quote = {quote},
            escape = {quote}, header = false, skip = 0, new_line = '\\n', auto_detect = false, strict_mode = true,
            store_rejects = true, rejects_limit = 0, max_line_size = {MAX_LINE_BYTES},
            buffer_size = {MAX_LINE_BYTES * 2}, allow_quoted_nulls = {not single})
            {"WHERE c0 IS NOT NULL" * single}""",
        columns,
    )  # fmt: skip
    # DuckDB reports each column of a broken record by itself
    rejected, rejects_span_lines = engine.execute(
        """SELECT count(DISTINCT (line, line_byte_position)),
             coalesce(bool_or(contains(trim(csv_line, chr(10)), chr(10))), false) FROM reject_errors"""
    ).fetchone()
    return Parsed(rows, rejected, rejects_span_lines)


REJECTS = """SELECT line::BIGINT AS record, max(csv_line) AS text, max(error_type) AS error,
    CASE WHEN max(error_type) = 'TOO MANY COLUMNS' THEN arg_max(error_message, column_idx)
         ELSE arg_min(error_message, column_idx) END AS message
    FROM reject_errors GROUP BY line, line_byte_position"""


def _store_broken_lines(engine: Any, where: str, records: CsvRecords, lines_above: int) -> None:
    """Add the lines that DuckDB rejects to the table `broken_lines`, with the line numbers of the file.

    DuckDB counts records, so `records` adds the further lines of those that have several.
    """
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE line_offsets AS SELECT unnest($1::BIGINT[]) AS record,"
        " unnest($2::BIGINT[]) AS extra_lines",
        [records.multiline_records, records.extra_lines],
    )
    engine.execute(
        f"""INSERT INTO broken_lines
            SELECT $1, {lines_above} + rejects.record + coalesce(extra_lines, 0),
              left(trim(text, chr(10)), {MAX_LINE_CHARACTERS}),
              CASE WHEN error = 'LINE SIZE OVER MAXIMUM' THEN '{TOO_LONG}'
                   WHEN contains(error, 'COLUMNS')
                     THEN regexp_extract(message, 'Found: (\\d+)', 1) || ' values where the header has '
                       || regexp_extract(message, 'Columns: (\\d+)', 1) || ' columns'
                   ELSE $2 END
            FROM ({REJECTS}) rejects ASOF LEFT JOIN line_offsets ON rejects.record > line_offsets.record""",
        [where, BROKEN_QUOTE],
    )


def _line_numbers(engine: Any, records: CsvRecords, lines_above: int) -> LineNumbers:
    engine.execute("CREATE OR REPLACE TEMP TABLE blank_lines (record BIGINT)")
    for start in range(0, len(records.blank), INSERTED_LINES):
        part = records.blank[start : start + INSERTED_LINES].tolist()
        engine.execute("INSERT INTO blank_lines SELECT unnest($1::BIGINT[])", [part])
    events = f"""SELECT record, 1 AS lost, 0 AS extra FROM blank_lines
        UNION ALL SELECT record, 1, 0 FROM ({REJECTS})
        UNION ALL SELECT record, 0, extra_lines - lag(extra_lines, 1, 0) OVER (ORDER BY record) FROM line_offsets"""
    return line_numbers(engine, events, lines_above, is_complete=len(records.blank) < MAX_BLANK_LINES)
