"""Typed columns on their way from `preprocess` to learning and serving: what a table is, and how it is stored.

A table is stored as npz (`allow_pickle=False`) under positional names, since a column may be named anything. It holds
no decision: how a column enters the model is the plan's business.

    type       in memory                             no value
    number     float32 (n,)                          NaN
    boolean    float32 (n,), 0 or 1                  NaN
    datetime   float64 (n,), seconds since 1970 UTC  NaN
    text       Texts: int32 codes (n,) and levels    code -1
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from modelcycle.spec import Task

ColumnType = Literal["number", "boolean", "datetime", "text"]


class Column(BaseModel):
    """How one column's text is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: ColumnType
    format: str = ""  # datetime: a strptime format, or "iso"
    true: list[str] = []  # boolean: the texts that mean true, in lower case; all others are false
    false: list[str] = []
    distinct: int = 0  # over the kept rows; approximate past some thousands
    missing: float = 0.0  # share of rows without a value


class TableSchema(BaseModel):
    """All columns of a model's data but the target, in the order of the file; the target beside them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: list[Column]
    target: Column
    task: Task
    classes: list[str] = []  # of the target, in order of their codes; binary: [negative, positive]
    missing_values: list[str]

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True)
class Texts:
    """A text column: `levels[codes[i]]` is row i; code -1 has no value."""

    codes: npt.NDArray[np.int32]
    levels: list[str]

    def __len__(self) -> int:
        return len(self.codes)

    def strings(self, missing: str = "") -> npt.NDArray[Any]:
        """Object array (n,) of the texts, `missing` where there is none."""
        return np.array([*self.levels, missing], dtype=object)[self.codes]

    @staticmethod
    def of(values: list[str | None]) -> Texts:
        levels = sorted({value for value in values if value is not None})
        place = {level: code for code, level in enumerate(levels)}
        return Texts(np.array([-1 if v is None else place[v] for v in values], dtype=np.int32), levels)


Values = npt.NDArray[Any] | Texts


@dataclass(frozen=True)
class Columns:
    """A table: columns of one length by name; `target` is class codes (int32) or numbers (float64), or None."""

    values: dict[str, Values]
    target: npt.NDArray[Any] | None = None

    @property
    def rows(self) -> int:
        first: Any = self.target if self.target is not None else next(iter(self.values.values()), ())
        return len(first)

    def take(self, rows: npt.NDArray[Any]) -> Columns:
        """The rows at these positions (or where this mask is true)."""
        taken: dict[str, Values] = {
            name: Texts(v.codes[rows], v.levels) if isinstance(v, Texts) else v[rows] for name, v in self.values.items()
        }
        return Columns(taken, self.target[rows] if self.target is not None else None)

    def to_bytes(self) -> bytes:
        """As a compressed npz; the same table gives the same bytes."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        for place, value in enumerate(self.values.values()):
            if isinstance(value, Texts):
                arrays[f"codes{place}"] = value.codes
                arrays[f"levels{place}"] = _packed(value.levels)
            else:
                arrays[f"values{place}"] = value
        if self.target is not None:
            arrays["target"] = self.target
        arrays["names"] = _packed(list(self.values))
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @staticmethod
    def from_bytes(body: bytes) -> Columns:
        with np.load(io.BytesIO(body), allow_pickle=False) as stored:
            values: dict[str, Values] = {}
            for place, name in enumerate(_unpacked(stored["names"])):
                if f"codes{place}" in stored:
                    values[name] = Texts(stored[f"codes{place}"], _unpacked(stored[f"levels{place}"]))
                else:
                    values[name] = stored[f"values{place}"]
            return Columns(values, stored.get("target"))


def _packed(texts: list[str]) -> npt.NDArray[np.uint8]:
    # a numpy string array pads every text to the longest and drops trailing NULs; JSON does neither
    return np.frombuffer(json.dumps(texts, ensure_ascii=False).encode(), dtype=np.uint8)


def _unpacked(array: npt.NDArray[np.uint8]) -> list[str]:
    texts: list[str] = json.loads(array.tobytes())
    return texts
