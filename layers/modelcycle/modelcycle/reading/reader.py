"""Reads a source file by the format that its name ends with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from modelcycle.faults import NoData, UnreadableFile
from modelcycle.reading import broken_lines
from modelcycle.reading.csv_header import CsvHeader
from modelcycle.reading.csv_rows import read_csv, read_csv_header
from modelcycle.reading.json_rows import read_json, read_json_lines
from modelcycle.reading.parquet import read_parquet
from modelcycle.reading.plain_text import NotUtf8, PlainText
from modelcycle.reading.text_table import TextTable
from modelcycle.spec.sources import Csv

CSV_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
SUFFIXES = (*CSV_SUFFIXES, ".parquet", ".jsonl", ".jsonl.gz", ".json", ".json.gz")
OTHER_FORMATS = {
    ".xlsx": "save the sheet in Excel as CSV UTF-8", ".xls": "save the sheet in Excel as CSV UTF-8",
    ".ods": "save the sheet as CSV", ".zip": "unpack the archive", ".tar": "unpack the archive",
    ".7z": "unpack the archive", ".bz2": "unpack it, or compress it with gzip",
    ".xz": "unpack it, or compress it with gzip", ".zst": "unpack it, or compress it with gzip",
    ".feather": "write it as Parquet (pandas: to_parquet)", ".orc": "write it as Parquet",
    ".avro": "write it as Parquet", ".pkl": "write it as Parquet (pandas: to_parquet)",
    ".sav": "write it as CSV", ".dta": "write it as CSV", ".sas7bdat": "write it as CSV",
}  # fmt: skip
"""What to do with a file of a format that is not read, by its ending."""

Result = TypeVar("Result")


def check_suffix(name: str) -> None:
    """Check that a file's name ends with a known format, in upper or lower case.

    Raises
    ------
    UnreadableFile : it does not
    """
    lower_name = name.lower()
    if not lower_name.endswith(SUFFIXES):
        known = f"use one of {', '.join(SUFFIXES)}, or remove the file"
        endings = [ending for ending in OTHER_FORMATS if lower_name.removesuffix(".gz").endswith(ending)]
        what = f"*{endings[0]} files are not read" if endings else "the file's ending is unknown"
        raise UnreadableFile(what, name, OTHER_FORMATS[endings[0]] if endings else known)


def read_file(
    engine: Any, source: Path, name: str, target: Path, csv: Csv | None = None, whole: Sequence[str] = ()
) -> TextTable:
    """Read the rows of a file as text, in the file's order; add its broken lines to the table `broken_lines`.

    Parameters
    ----------
    engine : DuckDB connection, see `engine.connect`
    source : the bytes; deleted as soon as they are copied, because a function has little disk space
    name : shown to people; its ending is the format
    target : Parquet file to write; its stem is the number of the file
    csv : what is known of the dialect of CSV files; the rest is found
    whole : columns of nested values that stay JSON text, although their objects could be columns

    Raises
    ------
    NoData : the file is empty
    UnreadableFile : the format is unknown, is not that of the content, or most lines are broken
    BadData : the header cannot be used
    """
    check_suffix(name)
    lower_name = name.lower()
    if not source.stat().st_size:
        raise NoData("the file is empty", name, "upload a file with a header and rows")
    broken_lines.create_table(engine)
    if lower_name.endswith(".parquet"):
        return read_parquet(engine, source, name, target, whole)
    csv = csv or Csv()
    if lower_name.endswith(CSV_SUFFIXES):
        return _read_text(source, name, csv.encoding, lambda text: read_csv(engine, text, csv, target))
    read = read_json if lower_name.endswith((".json", ".json.gz")) else read_json_lines
    return _read_text(source, name, None, lambda text: read(engine, text, target, whole))


def read_header(source: Path, name: str, csv: Csv | None = None) -> CsvHeader | None:
    """Read the header of a CSV file from its beginning, without DuckDB; None for other formats.

    Raises
    ------
    NoData, UnreadableFile, BadData : as `read_file`, if the beginning shows the fault
    """
    csv = csv or Csv()
    if not name.lower().endswith(CSV_SUFFIXES):
        return None
    return _read_text(source, name, csv.encoding, lambda text: read_csv_header(text, csv))


def _read_text(source: Path, name: str, encoding: str | None, read: Callable[[PlainText], Result]) -> Result:
    """Read a text in its encoding: a file that turns out not to be UTF-8 is read again."""
    text = PlainText.of(source, name.lower().endswith(".gz"), name, encoding)
    try:
        return read(text)
    except NotUtf8:
        return read(text.in_certain_encoding())
