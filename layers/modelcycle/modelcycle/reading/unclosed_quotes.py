"""Finds the lines of a CSV file that are broken by a quote.

A quote that is never closed makes a CSV reader read thousands of lines as one value. So each line with a quote is
checked by the `csv` module: a record may have several lines only if its quotes are closed within MAX_RECORD_LINES and
it has as many values as the header, or further empty ones. Otherwise only its first line is broken, and reading
continues with the next one.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from modelcycle.reading.broken_lines import MAX_LINE_CHARACTERS
from modelcycle.reading.csv_header import CsvHeader
from modelcycle.reading.plain_text import MAX_LINE_BYTES

MAX_RECORD_LINES = 1000
BROKEN_QUOTE = "a quote is never closed, or is not allowed where it is"


@dataclass
class CsvRecords:
    """The records after the header, and how their numbers map to lines of the file.

    A reader that counts records is behind the file's line numbers after each record with several lines.

    Parameters
    ----------
    count : records that are not broken by a quote
    broken : line number and text of each line that is
    multiline_records : the number of each record with several lines, ascending
    extra_lines : for each of these, by how many lines the records after it are behind
    """

    count: int = 0
    broken: list[tuple[int, str]] = field(default_factory=list)
    multiline_records: list[int] = field(default_factory=list)
    extra_lines: list[int] = field(default_factory=list)

    @classmethod
    def after_header(cls, header: CsvHeader, count: int = 0) -> CsvRecords:
        """Return the records after a header, which may itself have several lines."""
        records = cls(count)
        if header.lines > header.records:
            records.add_multiline(header.records, header.lines - header.records + 1)
        return records

    def add_multiline(self, line: int, lines: int) -> None:
        """Add a record that begins in `line` of the file and has several lines."""
        behind = self.extra_lines[-1] if self.extra_lines else 0
        self.multiline_records.append(line - behind)
        self.extra_lines.append(behind + lines - 1)


def blank_broken_quotes(source: Path, target: Path, header: CsvHeader) -> CsvRecords:
    """Copy a CSV file, with a blank line in place of each line that is broken by a quote.

    Parameters
    ----------
    source : as `plain_text.copy_plain_text` writes it
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    records = CsvRecords.after_header(header)
    well_formed = _record_pattern(header.delimiter)
    with source.open(encoding="utf-8", newline="") as file, target.open("w", encoding="utf-8", newline="") as copy:
        read_ahead: deque[str] = deque()
        number = 0
        while line := _next_line(read_ahead, file):
            number += 1
            if number <= header.lines or line == "\n" or '"' not in line:
                records.count += number > header.lines and line != "\n"
                copy.write(line)
                continue
            lines, is_record = _read_record(line, read_ahead, file, header, well_formed)
            if not is_record:
                records.broken.append((number, line.rstrip("\n")[:MAX_LINE_CHARACTERS]))
                read_ahead.extendleft(reversed(lines[1:]))
                copy.write("\n")
                continue
            if len(lines) > 1:
                records.add_multiline(number, len(lines))
            records.count += 1
            number += len(lines) - 1
            copy.writelines(lines)
    return records


def _next_line(read_ahead: deque[str], file: Iterator[str]) -> str:
    """Return the next line, "" at the end of the file."""
    return read_ahead.popleft() if read_ahead else next(file, "")


def _read_record(
    line: str, read_ahead: deque[str], file: Iterator[str], header: CsvHeader, well_formed: re.Pattern[str]
) -> tuple[list[str], bool]:
    """Return the lines that a record beginning with `line` would have, and whether they are one."""
    if well_formed.fullmatch(line):
        return [line], True
    lines: list[str] = []

    def record_lines() -> Iterator[str]:
        lines.append(line)
        yield line
        while len(lines) < MAX_RECORD_LINES and (following := _next_line(read_ahead, file)):
            lines.append(following)
            yield following

    try:
        values = next(csv.reader(record_lines(), delimiter=header.delimiter, strict=True, skipinitialspace=True))
    except csv.Error:
        return lines, False
    columns = len(header.names)
    fits = len(values) >= columns and not any(values[columns:])  # DuckDB ignores empty values after the last column
    return lines, len(lines) > 1 and fits and well_formed.fullmatch("".join(lines)) is not None


def _record_pattern(delimiter: str) -> re.Pattern[str]:
    """Return the pattern of records that DuckDB and the `csv` module read alike.

    A value is quoted as a whole, or does not begin with a quote.
    """
    d = re.escape(delimiter)
    value = rf' *+(?:"(?:[^"]|"")*+" *+|[^"{d}\n][^{d}\n]*+)?+'
    return re.compile(rf"{value}(?:{d}{value})*+\n")
