"""The header of a CSV file: its column names and the delimiter, by the `csv` module."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from modelcycle.faults import NoData, UnreadableFile
from modelcycle.reading.column_names import clean_names
from modelcycle.reading.plain_text import CHUNK_BYTES, plain_text_chunks

DELIMITERS = ",;\t|"
HEADER_CHUNKS = 2  # within which a header has to end


class CsvHeader(NamedTuple):
    """The header and where it ends; blank lines may precede it, and quoted names may contain line breaks.

    Parameters
    ----------
    names : of the columns
    delimiter : one character
    lines : lines up to its end
    filled_lines : those of them that are not blank
    records : up to its end, as DuckDB counts: each blank line, and the header as one
    """

    names: list[str]
    delimiter: str
    lines: int
    filled_lines: int
    records: int


def read_csv_header(source: Path, gzipped: bool, where: str) -> CsvHeader:
    """Read the header of a file from its first chunks, without DuckDB.

    Raises
    ------
    NoData, UnreadableFile, BadData, ColumnsDiffer : as `read_csv` does, if the first chunks show the fault
    """
    chunks = itertools.islice(plain_text_chunks(source, gzipped, where), HEADER_CHUNKS)
    text = b"".join(chunks).decode(errors="ignore")
    if not text.strip("\n"):
        raise NoData("the file has no header", where, "upload a file with a header and rows")
    return parse_csv_header(io.StringIO(text, newline=""), where)


def parse_csv_header(lines: Iterable[str], where: str) -> CsvHeader:
    """Parse the header at the beginning of a file's lines.

    Raises
    ------
    UnreadableFile : a quote in it is never closed
    BadData, ColumnsDiffer : the column names cannot be used

    Examples
    --------
    >>> header = parse_csv_header(["\\n", "age;income\\n", "41;1,5\\n"], "a.csv")
    >>> header.names, header.delimiter, header.lines
    (['age', 'income'], ';', 2)
    """
    text = ""
    n_lines = n_filled = 0
    for line in lines:
        n_lines += 1
        if not text and line == "\n":
            continue
        text += line
        n_filled += line != "\n"
        if text.count('"') % 2 == 0:
            delimiter = _most_frequent_delimiter(text)
            records = n_lines - text.count("\n") + 1
            return CsvHeader(_names(text, delimiter, where), delimiter, n_lines, n_filled, records)
        if len(text) > CHUNK_BYTES:
            break
    raise UnreadableFile("a quote in the header is never closed", f"{where}, line 1", "fix the header")


def _most_frequent_delimiter(header: str) -> str:
    """Return the delimiter that occurs most often outside quotes."""
    return max(DELIMITERS, key=re.sub('"[^"]*"', "", header).count)


def _names(header: str, delimiter: str, where: str) -> list[str]:
    csv.field_size_limit(CHUNK_BYTES * HEADER_CHUNKS)
    # as in the rows, blanks before a quote do not belong to the value
    reader = csv.reader(io.StringIO(header, newline=""), delimiter=delimiter, skipinitialspace=True)
    return clean_names(next(reader), where)
