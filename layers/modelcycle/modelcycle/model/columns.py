"""Typed columns, from `preprocess` to training and serving.

    type       in memory                             missing value
    number     float32 (n,)                          NaN
    boolean    float32 (n,), 0 or 1                  NaN
    datetime   float64 (n,), seconds since 1970 UTC  NaN
    text       Texts: int32 codes (n,) and levels    code -1

A table is stored as npz without pickle. Its arrays are numbered, because a column may have any name.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from modelcycle.cells.column import Column
from modelcycle.model.npz import Chunks, from_json_array, from_npz, json_array, to_npz, to_npz_uncompressed, write_npz
from modelcycle.spec import Task
from modelcycle.spec.privacy import Treatment


class TableSchema(BaseModel):
    """The columns of a model's data.

    Parameters
    ----------
    columns : all except the target and dropped ones, in the order of the file
    target : the target
    task : binary, multiclass or regression
    classes : of the target, in the order of their codes; of two, the positive one is the second; empty for a regression
    missing_values : texts that mean a missing value in every column, besides those of each column
    personal : columns of personal data and how they are treated, also those that are not in the table
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    columns: list[Column]
    target: Column
    task: Task
    classes: list[str] = []
    missing_values: list[str]
    personal: dict[str, Treatment] = Field({}, exclude_if=operator.not_)

    def column(self, name: str) -> Column:
        """Return the column of this name; raise StopIteration if there is none."""
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class Texts:
    """A text column: row i is `levels[codes[i]]`, or missing if its code is -1."""

    codes: npt.NDArray[np.int32]
    levels: list[str]

    def __len__(self) -> int:
        return len(self.codes)

    def strings(self, missing: str = "") -> npt.NDArray[Any]:
        """Return the texts as an object array (n,), with `missing` for a missing value."""
        if len(self.codes) == 1:  # most requests have one row: a quarter of the time
            text = np.empty(1, dtype=object)
            text[0] = self.levels[self.codes[0]] if self.codes[0] >= 0 else missing
            return text
        return np.array([*self.levels, missing], dtype=object)[self.codes]

    @staticmethod
    def of(values: list[str | None]) -> Texts:
        """Return a column of texts, None for a missing value; the levels are sorted.

        >>> Texts.of(["b", None, "a"])
        Texts(codes=array([ 1, -1,  0], dtype=int32), levels=['a', 'b'])
        """
        if len(values) == 1:  # most requests have one row: a third of the time
            present = [value for value in values if value is not None]
            return Texts(np.array([len(present) - 1], dtype=np.int32), present)
        levels = sorted({value for value in values if value is not None})
        code_of = {level: code for code, level in enumerate(levels)}
        codes = [-1 if value is None else code_of[value] for value in values]
        return Texts(np.array(codes, dtype=np.int32), levels)


Values = npt.NDArray[Any] | Texts


@dataclass(frozen=True)
class Columns:
    """A table.

    Parameters
    ----------
    values : columns of equal length, by name; a mapping may read each only when it is asked for
    target : class codes, int32 (n,); numbers, float64 (n,); or None
    """

    values: Mapping[str, Values]
    target: npt.NDArray[Any] | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        column: Any = self.target if self.target is not None else next(iter(self.values.values()), ())
        return len(column)

    def take(self, rows: npt.NDArray[Any]) -> Columns:
        """Return the rows at these positions, or where this mask is true."""
        taken: dict[str, Values] = {
            name: Texts(values.codes[rows], values.levels) if isinstance(values, Texts) else values[rows]
            for name, values in self.values.items()
        }
        return Columns(taken, self.target[rows] if self.target is not None else None)

    def to_bytes(self, *, compressed: bool = True) -> bytes:
        """Return an npz file; equal tables give equal bytes. Compressing takes longer than reading rows from a file."""
        arrays = {
            name: np.concatenate(list(array.arrays)) if isinstance(array, Chunks) else array
            for name, array in self._arrays()
        }
        return (to_npz if compressed else to_npz_uncompressed)(**arrays)

    def write(self, path: Path) -> None:
        """Write the file of `to_bytes`, with one column in memory at a time if `values` gives them one by one."""
        write_npz(path, self._arrays())

    def _arrays(self) -> Iterator[tuple[str, npt.NDArray[Any] | Chunks]]:
        columns = ((name, [self.values[name]]) for name in self.values)
        return table_arrays(columns, self.rows, [self.target] if self.target is not None else None)

    @staticmethod
    def from_bytes(body: bytes) -> Columns:
        """Return the table in an npz file of `to_bytes`."""
        stored = from_npz(body)
        values: dict[str, Values] = {}
        for number, name in enumerate(from_json_array(stored["names"])):
            if f"codes{number}" in stored:
                values[name] = Texts(stored[f"codes{number}"], from_json_array(stored[f"levels{number}"]))
            else:
                values[name] = stored[f"values{number}"]
        return Columns(values, stored.get("target"))


def table_arrays(
    columns: Iterable[tuple[str, Iterable[Values]]], rows: int, target: Iterable[npt.NDArray[Any]] | None
) -> Iterator[tuple[str, npt.NDArray[Any] | Chunks]]:
    """Yield the arrays of the file of `Columns.write`; the pieces of one are read before the next is asked for.

    Parameters
    ----------
    columns : names, each with the pieces of its values
    rows : of the table
    target : its pieces
    """
    names: list[str] = []
    for number, (name, parts) in enumerate(columns):
        names.append(name)
        pieces = iter(parts)
        first = next(pieces)
        if isinstance(first, Texts):
            yield f"codes{number}", Chunks(rows, (_codes(piece) for piece in chain([first], pieces)))
            yield f"levels{number}", json_array(first.levels)
        else:
            yield f"values{number}", Chunks(rows, (_numbers(piece) for piece in chain([first], pieces)))
    if target is not None:
        yield "target", Chunks(rows, target)
    yield "names", json_array(names)


def _codes(values: Values) -> npt.NDArray[Any]:
    assert isinstance(values, Texts)
    return values.codes


def _numbers(values: Values) -> npt.NDArray[Any]:
    assert not isinstance(values, Texts)
    return values


def missing_mask(values: Values) -> npt.NDArray[np.bool_]:
    """Return whether each value (n,) is missing.

    >>> missing_mask(Texts.of(["a", None])).tolist(), missing_mask(np.array([np.nan, 1.0])).tolist()
    ([False, True], [True, False])
    """
    missing: npt.NDArray[np.bool_] = values.codes < 0 if isinstance(values, Texts) else np.isnan(values)
    return missing


def concatenate(parts: list[Columns]) -> Columns:
    """Return one table of the rows of several, in order; all have the same columns.

    >>> parts = [Columns({"a": Texts.of(["x"])}), Columns({"a": Texts.of(["b", "x"])})]
    >>> concatenate(parts).values["a"].strings().tolist()
    ['x', 'b', 'x']
    """
    values: dict[str, Values] = {}
    for name in parts[0].values:
        columns = [part.values[name] for part in parts]
        texts = [column for column in columns if isinstance(column, Texts)]
        values[name] = _join_texts(texts) if texts else np.concatenate(columns)  # type: ignore[arg-type]
    targets = [part.target for part in parts if part.target is not None]
    return Columns(values, np.concatenate(targets) if len(targets) == len(parts) else None)


def _join_texts(columns: list[Texts]) -> Texts:
    levels = sorted({level for texts in columns for level in texts.levels})
    code_of = {level: code for code, level in enumerate(levels)}
    codes = [
        np.array([*(code_of[level] for level in texts.levels), -1], dtype=np.int32)[texts.codes] for texts in columns
    ]
    return Texts(np.concatenate(codes), levels)


def shortest_decimal(value: np.float32) -> float:
    """Return the float whose text is the shortest that reads back as this float32.

    Examples
    --------
    >>> float(np.float32(0.1)), shortest_decimal(np.float32(0.1))
    (0.10000000149011612, 0.1)
    """
    return float(str(value))
