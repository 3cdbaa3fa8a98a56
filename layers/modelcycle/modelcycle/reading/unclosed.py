"""The quote that is never closed: it makes a CSV reader swallow thousands of rows as one.

Called only where DuckDB's rows and rejects don't add up to the file's lines. Lines with a quote are then judged one by
one, by the `csv` module: a record may go over several lines only if it closes within reach and has as many fields as
the header, or empty ones behind them. Else its first line alone is broken, and reading goes on at the next one.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from modelcycle.reading.piece import LONGEST_TEXT

LONGEST_LINE = 8 * 2**20  # bytes
MOST_LINES = 1000  # of one record
REASON = "a quote is never closed, or stands where none may stand"


@dataclass
class Mended:
    """`records` counts what is left, `broken` are (line, text); these are blank in the copy.

    `spans`: for a reader that counts a record of several lines as one, after which records how many more lines lie
    before the next one; two lists of one length.
    """

    records: int = 0
    broken: list[tuple[int, str]] = field(default_factory=list)
    spans: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))

    @classmethod
    def behind(cls, header: int, header_lines: int, records: int = 0) -> Mended:
        """Begun after a header that is the reader's record number `header` and ends in line `header_lines`."""
        mended = cls(records)
        if header_lines > header:
            mended.spanned(header, header_lines - header + 1)
        return mended

    def spanned(self, line: int, lines: int) -> None:
        after, more = self.spans
        before = more[-1] if more else 0
        after.append(line - before)
        more.append(before + lines - 1)


def mend(source: Path, target: Path, delimiter: str, columns: int, header: int, header_lines: int) -> Mended:
    """Copy a CSV file without the lines that are broken by a quote; what is left are whole records."""
    csv.field_size_limit(LONGEST_LINE)
    mended = Mended.behind(header, header_lines)
    sound = _sound(delimiter)
    with source.open(encoding="utf-8", newline="") as file, target.open("w", encoding="utf-8", newline="") as copy:
        waiting: deque[str] = deque()
        number = 0
        while line := waiting.popleft() if waiting else file.readline():
            number += 1
            if number <= header_lines or line == "\n" or '"' not in line:
                mended.records += number > header_lines and line != "\n"
                copy.write(line)
                continue
            taken, whole = _record(line, waiting, file, delimiter, columns, sound)
            if not whole:
                mended.broken.append((number, line.rstrip("\n")[:LONGEST_TEXT]))
                waiting.extendleft(reversed(taken[1:]))
                copy.write("\n")
                continue
            if len(taken) > 1:
                mended.spanned(number, len(taken))
            mended.records += 1
            number += len(taken) - 1
            copy.writelines(taken)
    return mended


def _record(
    line: str, waiting: deque[str], file: Iterator[str], delimiter: str, columns: int, sound: re.Pattern[str]
) -> tuple[list[str], bool]:
    """The lines that the record would take, and whether it is one."""
    if sound.fullmatch(line):
        return [line], True
    taken: list[str] = []

    def feed() -> Iterator[str]:
        taken.append(line)
        yield line
        while len(taken) < MOST_LINES and (following := waiting.popleft() if waiting else next(file, "")):
            taken.append(following)
            yield following

    try:
        row = next(csv.reader(feed(), delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error:
        return taken, False
    fits = len(row) >= columns and not any(row[columns:])  # DuckDB passes over empty values behind the last column
    return taken, len(taken) > 1 and fits and sound.fullmatch("".join(taken)) is not None


def _sound(delimiter: str) -> re.Pattern[str]:
    """A record as DuckDB and the `csv` module both read it: values quoted whole, or not beginning with a quote."""
    d = re.escape(delimiter)
    value = rf' *+(?:"(?:[^"]|"")*+" *+|[^"{d}\n][^{d}\n]*+)?+'
    return re.compile(rf"{value}(?:{d}{value})*+\n")
