"""Finds the lines of a CSV file that are broken by a quote.

A quote that is never closed makes a CSV reader read thousands of lines as one value. So each line with a quote is
checked by the `csv` module: a record may have several lines only if its quotes are closed within MAX_RECORD_LINES and
it has as many values as the header, or further empty ones. Otherwise only its first line is broken, and reading
continues with the next one.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from modelcycle.reading.body import MAX_BLANK_LINES
from modelcycle.reading.broken_lines import MAX_LINE_BYTES, MAX_LINE_CHARACTERS
from modelcycle.reading.csv_header import CsvHeader

MAX_RECORD_LINES = 1000
BROKEN_QUOTE = "a quote is never closed, or is not allowed where it is"


@dataclass
class CsvRecords:
    """The records of a file's body, and how their numbers map to its lines.

    A reader that counts records is behind the line numbers after each record with several lines.

    Parameters
    ----------
    count : records that are not broken by a quote
    broken : line number and text of each line that is
    blank : numbers of the records that are blank lines
    multiline_records : the number of each record with several lines, ascending
    extra_lines : for each of these, by how many lines the records after it are behind
    """

    count: int = 0
    broken: list[tuple[int, str]] = field(default_factory=list)
    blank: array[int] = field(default_factory=lambda: array("q"))
    multiline_records: list[int] = field(default_factory=list)
    extra_lines: list[int] = field(default_factory=list)

    def add_multiline(self, line: int, lines: int) -> None:
        """Add a record that begins in `line` and has several lines."""
        self.multiline_records.append(line - self.behind)
        self.extra_lines.append(self.behind + lines - 1)

    def add_blank(self, line: int) -> None:
        """Add a line that is blank, or is made blank because it is broken."""
        if len(self.blank) <= MAX_BLANK_LINES:
            self.blank.append(line - self.behind)

    @property
    def behind(self) -> int:
        """By how many lines the number of the last record is behind."""
        return self.extra_lines[-1] if self.extra_lines else 0


def blank_broken_quotes(source: Path, target: Path, header: CsvHeader) -> CsvRecords:
    """Copy the body of a CSV file, with a blank line in place of each line that is broken by a quote.

    Parameters
    ----------
    source : as `body.copy_body` writes it
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    records = CsvRecords()
    well_formed = _record_pattern(header.delimiter, header.quote)
    with source.open(encoding="utf-8", newline="") as file, target.open("w", encoding="utf-8", newline="") as copy:
        read_ahead: deque[str] = deque()
        number = 0
        while line := _next_line(read_ahead, file):
            number += 1
            if line == "\n" or header.quote not in line:
                if line == "\n":
                    records.add_blank(number)
                records.count += line != "\n"
                copy.write(line)
                continue
            lines, is_record = _read_record(line, read_ahead, file, header, well_formed)
            if not is_record:
                records.broken.append((number, line.rstrip("\n")[:MAX_LINE_CHARACTERS]))
                records.add_blank(number)
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
        reader = csv.reader(
            record_lines(), delimiter=header.delimiter, quotechar=header.quote, strict=True, skipinitialspace=True
        )
        values = next(reader)
    except csv.Error:
        return lines, False
    columns = len(header.names)
    fits = len(values) >= columns and not any(values[columns:])  # DuckDB ignores empty values after the last column
    return lines, len(lines) > 1 and fits and well_formed.fullmatch("".join(lines)) is not None


def _record_pattern(delimiter: str, quote: str) -> re.Pattern[str]:
    """Return the pattern of records that DuckDB and the `csv` module read alike.

    A value is quoted as a whole, or does not begin with a quote.
    """
    d, q = re.escape(delimiter), re.escape(quote)
    value = rf" *+(?:{q}(?:[^{q}]|{q}{q})*+{q} *+|[^{q}{d}\n][^{d}\n]*+)?+"
    return re.compile(rf"{value}(?:{d}{value})*+\n")
