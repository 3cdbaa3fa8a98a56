"""The rows of a data file on this machine, as texts: what `init` looks at and `predict` sends.

They are read by the domain's own reader, as `collect` reads them in training: the same file gives the same texts.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle import reading
from modelcycle.engine import connect
from modelcycle.faults import NoData, UnreadableFile
from modelcycle.reading import SUFFIXES, Piece, column_names, delimited
from modelcycle.reading.piece import first_broken

Row = dict[str, str | None]
MEMORY = 4096  # MB, of which DuckDB takes a share; past it, it uses the disk


@dataclass(frozen=True)
class DataFile:
    """A file that was read whole; iterate over it for its rows."""

    path: Path
    piece: Piece
    engine: Any

    @property
    def names(self) -> list[str]:
        """The columns, in the file's order; of JSON lines, those of all rows."""
        return self.piece.names

    def __iter__(self) -> Iterator[Row]:
        """Each row as {column: text}, None where the file holds no value."""
        for texts in self.piece.texts(self.engine):
            yield dict(zip(self.names, texts, strict=True))

    def first_broken(self) -> tuple[int, str]:
        """Line and reason of the first line that is no row; (0, "") where there is none."""
        return first_broken(self.engine, str(self.path))


def check(path: Path) -> None:
    """Whether there is such a file, of a kind that is read.

    Raises
    ------
    NoData : there is no such file, or nothing is in it
    UnreadableFile : its name ends in something that nobody reads
    """
    if not path.is_file():
        raise NoData("there is no such file", str(path), "check the path")
    if not path.name.lower().endswith(SUFFIXES):
        raise UnreadableFile(
            f"a file named *{path.suffix or path.name} is not read", str(path), f"save it as *{', *'.join(SUFFIXES)}"
        )
    if path.stat().st_size == 0:
        raise NoData("the file is empty", str(path), "give a file with a header and rows")


def header(path: Path) -> list[str] | None:
    """The column names of a CSV file, from its first lines alone; None for the formats that have no header.

    Raises
    ------
    NoData, UnreadableFile, BadData, ColumnsDiffer : a run could not use it
    """
    check(path)
    name = path.name.lower()
    if not name.endswith((".csv", ".csv.gz")):
        return None
    names = delimited.header(path, name.endswith(".gz"), str(path))
    column_names.enough(names, str(path))
    return names


@contextmanager
def opened(path: Path) -> Iterator[DataFile]:
    """Read a file whole; it can be iterated over for the length of a `with`.

    Raises
    ------
    NoData, UnreadableFile, BadData, ColumnsDiffer : as in `collect`, with the line, never with what stands in it
    """
    check(path)
    with TemporaryDirectory(prefix="modelcycle-") as name, connect(Path(name), str(path), MEMORY) as engine:
        source = Path(name) / "source"
        shutil.copyfile(path, source)  # the reader takes its source away
        yield DataFile(path, reading.read(engine, source, str(path), Path(name) / "0.parquet"), engine)
