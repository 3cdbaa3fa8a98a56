"""Reads CSV files: the header by the `csv` module, the rows by DuckDB, which also reports the broken lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from modelcycle.faults import NoData, UnreadableFile
from modelcycle.reading.broken_lines import MAX_LINE_CHARACTERS, check_broken_share, first_broken_line
from modelcycle.reading.csv_header import CsvHeader, parse_csv_header
from modelcycle.reading.plain_text import MAX_LINE_BYTES, copy_plain_text
from modelcycle.reading.text_table import TextTable, write_text_table
from modelcycle.reading.unclosed_quotes import BROKEN_QUOTE, CsvRecords, blank_broken_quotes
from modelcycle.sql_literal import literal

INSERTED_LINES = 10_000  # broken lines in one statement


class Parsed(NamedTuple):
    """What DuckDB made of a CSV file; `rejects_span_lines` if a rejected record has several lines."""

    rows: int
    rejected: int
    rejects_span_lines: bool


def read_csv(engine: Any, source: Path, gzipped: bool, where: str, target: Path) -> TextTable:
    """Read a CSV file. See `reader.read_file`.

    No line gets lost: rows and broken lines must add up to the lines of the file, where a record with quoted line
    breaks counts once. A quote that is never closed makes DuckDB read many lines as one value; then the lines are
    checked one by one, and read again without the broken ones.

    Raises
    ------
    NoData : the file is empty
    UnreadableFile, BadData, ColumnsDiffer : the file is not text, its header cannot be used, or most lines are broken
    """
    text = target.with_suffix(".csv")
    filled_lines = copy_plain_text(source, text, gzipped, where)
    source.unlink()
    if not filled_lines:
        raise NoData("the file is empty", where, "upload a file with a header and rows")
    with text.open(encoding="utf-8", newline="") as lines:
        header = parse_csv_header(lines, where)
    parsed = _parse(engine, text, target, header)
    records = CsvRecords.after_header(header, count=filled_lines - header.filled_lines)
    if parsed.rejects_span_lines or parsed.rows + parsed.rejected != records.count:
        fixed_text = target.with_suffix(".fixed.csv")
        records = blank_broken_quotes(text, fixed_text, header)
        text.unlink()
        text = fixed_text
        if records.broken:
            first = (records.broken[0][0], BROKEN_QUOTE)
            check_broken_share(records.count, len(records.broken), first, where)
        parsed = _parse(engine, text, target, header)
        if parsed.rows + parsed.rejected != records.count:
            raise UnreadableFile(
                f"{records.count:,} lines gave {parsed.rows:,} rows and {parsed.rejected:,} broken lines, which do not"
                " add up", where, "check the quotes inside values: write each as two quotes",
            )  # fmt: skip
    text.unlink()
    broken = parsed.rejected + len(records.broken)
    _store_broken_lines(engine, where, records)
    check_broken_share(parsed.rows, broken, first_broken_line(engine, where), where)
    return TextTable(target, header.names, parsed.rows, broken)


def _parse(engine: Any, text: Path, target: Path, header: CsvHeader) -> Parsed:
    """Write the rows to `target`; the broken records are in DuckDB's table `reject_errors`."""
    engine.execute("DROP TABLE IF EXISTS reject_errors; DROP TABLE IF EXISTS reject_scans")
    columns = len(header.names)
    types = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(columns))
    single = columns == 1  # then DuckDB reads a blank line as a row; only "" is one
    rows = write_text_table(
        engine, target,
        f"""SELECT * FROM read_csv(
            {literal(text)}, columns = {{{types}}}, delim = {literal(header.delimiter)}, quote = '"', escape = '"',
            header = false, skip = {header.records}, new_line = '\\n', auto_detect = false, strict_mode = true,
            store_rejects = true, rejects_limit = 0, max_line_size = {MAX_LINE_BYTES},
            buffer_size = {MAX_LINE_BYTES * 4}, allow_quoted_nulls = {not single})
            {"WHERE c0 IS NOT NULL" * single}""",
        columns,
    )  # fmt: skip
    # DuckDB reports each column of a broken record by itself
    rejected, rejects_span_lines = engine.execute(
        """SELECT count(DISTINCT (line, line_byte_position)),
             coalesce(bool_or(contains(trim(csv_line, chr(10)), chr(10))), false) FROM reject_errors"""
    ).fetchone()
    return Parsed(rows, rejected, rejects_span_lines)


def _store_broken_lines(engine: Any, where: str, records: CsvRecords) -> None:
    """Add the broken lines to the table `broken_lines`, with the line numbers of the file.

    DuckDB counts records, so `records` adds the further lines of those that have several.
    """
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE line_offsets AS SELECT unnest($1) AS record, unnest($2) AS extra_lines",
        [records.multiline_records, records.extra_lines],
    )
    rejects = """SELECT line::BIGINT AS record, max(csv_line) AS text, max(error_type) AS error,
        CASE WHEN max(error_type) = 'TOO MANY COLUMNS' THEN arg_max(error_message, column_idx)
             ELSE arg_min(error_message, column_idx) END AS message
        FROM reject_errors GROUP BY line, line_byte_position"""
    engine.execute(
        f"""INSERT INTO broken_lines
            SELECT $1, rejects.record + coalesce(extra_lines, 0), left(trim(text, chr(10)), {MAX_LINE_CHARACTERS}),
              CASE WHEN error = 'LINE SIZE OVER MAXIMUM' THEN 'the line is longer than {MAX_LINE_BYTES >> 20} MiB'
                   WHEN contains(error, 'COLUMNS')
                     THEN regexp_extract(message, 'Found: (\\d+)', 1) || ' values where the header has '
                       || regexp_extract(message, 'Columns: (\\d+)', 1) || ' columns'
                   ELSE $2 END
            FROM ({rejects}) rejects ASOF LEFT JOIN line_offsets ON rejects.record > line_offsets.record""",
        [where, BROKEN_QUOTE],
    )
    for start in range(0, len(records.broken), INSERTED_LINES):
        batch = records.broken[start : start + INSERTED_LINES]
        engine.execute(
            "INSERT INTO broken_lines SELECT $1, unnest($2::BIGINT[]), unnest($3::VARCHAR[]), $4",
            [where, [line for line, _ in batch], [text for _, text in batch], BROKEN_QUOTE],
        )
