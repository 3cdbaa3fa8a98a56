"""Reads a source file by the format that its name ends with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcycle.faults import NoData, UnreadableFile
from modelcycle.reading import broken_lines
from modelcycle.reading.csv_rows import read_csv
from modelcycle.reading.json_lines import read_json_lines
from modelcycle.reading.parquet import read_parquet
from modelcycle.reading.text_table import TextTable

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".jsonl", ".jsonl.gz")


def check_suffix(name: str) -> None:
    """Check that a file's name ends with a known format, in upper or lower case.

    Raises
    ------
    UnreadableFile : it does not
    """
    if not name.lower().endswith(SUFFIXES):
        raise UnreadableFile(
            "the file's ending is unknown", name, f"use one of {', '.join(SUFFIXES)}, or remove the file"
        )


def read_file(engine: Any, source: Path, name: str, target: Path) -> TextTable:
    """Read the rows of a file as text, in the file's order; add its broken lines to the table `broken_lines`.

    Parameters
    ----------
    engine : DuckDB connection, see `engine.connect`
    source : the bytes; deleted as soon as they are copied, because a function has little disk space
    name : shown to people; its ending is the format
    target : Parquet file to write; its stem is the number of the file

    Raises
    ------
    NoData : the file is empty
    UnreadableFile : the format is unknown, is not that of the content, or most lines are broken
    BadData, ColumnsDiffer : the header cannot be used
    """
    check_suffix(name)
    lower_name = name.lower()
    if not source.stat().st_size:
        raise NoData("the file is empty", name, "upload a file with a header and rows")
    broken_lines.create_table(engine)
    if lower_name.endswith(".parquet"):
        return read_parquet(engine, source, name, target)
    read_text = read_csv if lower_name.endswith((".csv", ".csv.gz")) else read_json_lines
    return read_text(engine, source, lower_name.endswith(".gz"), name, target)
