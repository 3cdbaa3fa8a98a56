"""One file, whatever its format: the name's ending says which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcycle.faults import NoData, UnreadableFile
from modelcycle.reading import delimited, json_lines, parquet, piece
from modelcycle.reading.piece import Piece

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".jsonl", ".jsonl.gz")


def read(engine: Any, source: Path, name: str, target: Path) -> Piece:
    """The rows of a file, every value as text, in the file's order; its broken lines go into the table `broken`.

    Parameters
    ----------
    engine : DuckDB connection, see `engine.connect`
    source : the bytes; removed as soon as they are copied, since disk is scarce in a function
    name : what people call the file; its ending says the format
    target : Parquet file to write; its stem is the number of the file

    Raises
    ------
    NoData : the file is empty
    UnreadableFile : no such format, not what its name says, or most lines are broken
    BadData, ColumnsDiffer : a header that cannot be used
    """
    lower = name.lower()
    if not lower.endswith(SUFFIXES):
        raise UnreadableFile("the file's ending is not known", name, f"name it {', '.join(SUFFIXES)}, or remove it")
    if not source.stat().st_size:
        raise NoData("the file is empty", name, "upload a file with a header and rows")
    piece.begin(engine)
    if lower.endswith(".parquet"):
        return parquet.read(engine, source, name, target)
    reader = delimited.read if lower.endswith((".csv", ".csv.gz")) else json_lines.read
    return reader(engine, source, lower.endswith(".gz"), name, target)
