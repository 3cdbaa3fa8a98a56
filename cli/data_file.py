"""A data file on this machine: its rows as text, for `init` and `predict`.

It is read by the domain's own reader, so `collect` gets the same texts from the same file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from modelcycle.engine import connect
from modelcycle.faults import BadInput, NoData
from modelcycle.reading import TextTable, check_suffix, read_file, read_header
from modelcycle.reading.broken_lines import first_broken_line
from modelcycle.reading.column_names import check_second_column
from modelcycle.spec.sources import Csv

NAMED_CHARACTERS = {"tab": "\t", "\\t": "\t", "space": " "}
ENCODINGS = {
    "utf8": "utf-8", "utf16": "utf-16", "latin1": "latin-1", "iso-8859-1": "latin-1", "cp1252": "windows-1252",
}  # fmt: skip
"""Other names of the encodings that the pipeline file knows."""

Row = dict[str, str | None]
"""The texts of a row by column, None for a missing value."""

MEMORY_MB = 4096  # DuckDB uses a share of it, and then the disk


@dataclass(frozen=True)
class DataFile:
    """A file that was read; iterating over it yields its rows."""

    path: Path
    table: TextTable
    engine: Any

    @property
    def names(self) -> list[str]:
        """The columns in the file's order; for JSON lines, the keys of all rows."""
        return self.table.names

    def __iter__(self) -> Iterator[Row]:
        """Yield each row."""
        for texts in self.table.texts(self.engine):
            yield dict(zip(self.names, texts, strict=True))

    def broken_lines(self) -> list[tuple[int, str]]:
        """Return number and reason of each line that is not a row."""
        lines: list[tuple[int, str]] = self.engine.execute(
            "SELECT line, reason FROM broken_lines ORDER BY line"
        ).fetchall()
        return lines

    def skipped_lines(self) -> str:
        """Return how many lines are broken and skipped, and the first of them with its reason; "" if there are none."""
        if not self.table.broken:
            return ""
        line, reason = self.first_broken_line()
        return f"{self.broken_count()} broken and skipped; the first is line {line}: {reason}"

    def broken_count(self) -> str:
        """Return the number of broken lines with its verb, such as `a line is` or `1,200 lines are`."""
        return f"{self.table.broken:,} lines are" if self.table.broken > 1 else "a line is"

    def first_broken_line(self) -> tuple[int, str]:
        """Return number and reason of the first line that is not a row, (0, "") if there is none."""
        return first_broken_line(self.engine, str(self.path))


def csv_options(delimiter: str | None, encoding: str | None, quote: str | None, skip: int | None) -> Csv:
    """Return the dialect that the options of a command line name.

    Raises
    ------
    BadInput : a value is not possible

    Examples
    --------
    >>> csv_options("tab", "latin1", None, None).delimiter
    '\\t'
    """
    given = {
        "delimiter": NAMED_CHARACTERS.get(delimiter or "", delimiter), "quote": quote, "skip": skip,
        "encoding": ENCODINGS.get((encoding or "").lower(), encoding),
    }  # fmt: skip
    try:
        return Csv.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        option = error.errors()[0]["loc"][0]
        expected = "utf-8, utf-16, latin-1 or windows-1252" if option == "encoding" else "one character"
        what = f"--{option} {given[str(option)]} is not possible"
        raise BadInput(what, "the command line", f"give {expected}") from None


def check_data_file(path: Path) -> None:
    """Check that a file exists, is not empty, and has a known ending.

    Raises
    ------
    NoData : there is no such file, or it is empty
    UnreadableFile : its ending is unknown
    """
    if not path.is_file():
        raise NoData("there is no such file", str(path), "check the path")
    check_suffix(str(path))
    if path.stat().st_size == 0:
        raise NoData("the file is empty", str(path), "give a file with a header and rows")


def csv_column_names(path: Path, csv: Csv | None = None) -> list[str] | None:
    """Return the columns of a CSV file by its header alone, without DuckDB; None for other formats.

    Parameters
    ----------
    csv : what is known of the dialect

    Raises
    ------
    NoData, UnreadableFile, BadData : a run could not use the file
    """
    check_data_file(path)
    header = read_header(path, str(path), csv)
    if header is None:
        return None
    check_second_column(header.names, str(path))
    return header.names


@contextmanager
def open_data_file(path: Path, csv: Csv | None = None, whole: Sequence[str] = ()) -> Iterator[DataFile]:
    """Read a file, and keep its rows for the duration of a `with` block.

    Parameters
    ----------
    csv, whole : see `reading.read_file`

    Raises
    ------
    NoData, UnreadableFile, BadData : as in `collect`; names the line, but none of its values
    """
    check_data_file(path)
    with TemporaryDirectory(prefix="modelcycle-") as name, connect(Path(name), str(path), MEMORY_MB) as engine:
        source = Path(name) / "source"
        source.symlink_to(path.absolute())  # the reader deletes its source
        yield DataFile(path, read_file(engine, source, str(path), Path(name) / "0.parquet", csv, whole), engine)
