"""A data file on this machine: its rows as text, for `init` and `predict`.

It is read by the domain's own reader, so `collect` gets the same texts from the same file.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle.engine import connect
from modelcycle.faults import NoData, UnreadableFile
from modelcycle.reading import SUFFIXES, TextTable, read_file
from modelcycle.reading.broken_lines import first_broken_line
from modelcycle.reading.column_names import check_second_column
from modelcycle.reading.csv_header import read_csv_header

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


def check_data_file(path: Path) -> None:
    """Check that a file exists, is not empty, and has a known ending.

    Raises
    ------
    NoData : there is no such file, or it is empty
    UnreadableFile : its ending is unknown
    """
    if not path.is_file():
        raise NoData("there is no such file", str(path), "check the path")
    if not path.name.lower().endswith(SUFFIXES):
        raise UnreadableFile(
            f"a file named *{path.suffix or path.name} is not read", str(path), f"save it as *{', *'.join(SUFFIXES)}"
        )
    if path.stat().st_size == 0:
        raise NoData("the file is empty", str(path), "give a file with a header and rows")


def csv_column_names(path: Path) -> list[str] | None:
    """Return the columns of a CSV file by its header alone, without DuckDB; None for other formats.

    Raises
    ------
    NoData, UnreadableFile, BadData, ColumnsDiffer : a run could not use the file
    """
    check_data_file(path)
    lower_name = path.name.lower()
    if not lower_name.endswith((".csv", ".csv.gz")):
        return None
    names = read_csv_header(path, lower_name.endswith(".gz"), str(path)).names
    check_second_column(names, str(path))
    return names


@contextmanager
def open_data_file(path: Path) -> Iterator[DataFile]:
    """Read a file, and keep its rows for the duration of a `with` block.

    Raises
    ------
    NoData, UnreadableFile, BadData, ColumnsDiffer : as in `collect`; names the line, but none of its values
    """
    check_data_file(path)
    with TemporaryDirectory(prefix="modelcycle-") as name, connect(Path(name), str(path), MEMORY_MB) as engine:
        source = Path(name) / "source"
        shutil.copyfile(path, source)  # the reader deletes its source
        yield DataFile(path, read_file(engine, source, str(path), Path(name) / "0.parquet"), engine)
