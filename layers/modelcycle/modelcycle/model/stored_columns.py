"""A table that stays in its npz file: a column is read when it is asked for, and of some rows only these are kept."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.npz import from_json_array, read_rows


class StoredValues(Mapping[str, Values]):
    """The columns of a file of `Columns.write`; each is read anew when it is asked for.

    Parameters
    ----------
    file : open file
    rows : ascending positions of the rows that are read, None for all
    """

    def __init__(self, file: zipfile.ZipFile, rows: npt.NDArray[np.int64] | None = None) -> None:
        self.file, self.rows = file, rows
        names: list[str] = from_json_array(read_rows(file, "names"))
        self.numbers = {name: number for number, name in enumerate(names)}

    def __getitem__(self, name: str) -> Values:
        number = self.numbers[name]
        if f"codes{number}.npy" not in self.file.NameToInfo:
            return read_rows(self.file, f"values{number}", self.rows)
        levels: list[str] = from_json_array(read_rows(self.file, f"levels{number}"))
        return Texts(read_rows(self.file, f"codes{number}", self.rows), levels)

    def __contains__(self, name: object) -> bool:
        return name in self.numbers  # without reading the column

    def __iter__(self) -> Iterator[str]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)


class StoredColumns(Columns):
    """A table in a file, with its target in memory."""

    def take(self, rows: npt.NDArray[Any]) -> Columns:
        """Return the rows at these ascending positions, in memory."""
        assert isinstance(self.values, StoredValues)
        values = dict(StoredValues(self.values.file, rows))
        return Columns(values, self.target[rows] if self.target is not None else None)


@contextmanager
def open_columns(path: Path) -> Iterator[StoredColumns]:
    """Open a table in a file of `Columns.write` for the duration of a `with` block."""
    with zipfile.ZipFile(path) as file:
        target = read_rows(file, "target") if "target.npy" in file.NameToInfo else None
        yield StoredColumns(StoredValues(file), target)
