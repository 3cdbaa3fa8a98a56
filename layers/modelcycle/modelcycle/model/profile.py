"""The profile of a column: its distribution over the training rows, and how another set of values is counted by it.

`preprocess` writes it, `monitor` compares live traffic with it; both count by `bins`, so that a bin means the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from modelcycle.model.columns import ColumnType, Texts, Values

BINS = 10
MOST_LEVELS = 50


class ColumnProfile(BaseModel):
    """Distribution of one column.

    `counts` are by bin: for text one for each of `levels`, then one for all others; else one for each interval between
    `edges` (inner ones, an edge belongs to the interval on its left). Rows without a value are in `missing` alone.
    Dates are seconds since 1970 UTC.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: ColumnType
    format: str = ""
    true: list[str] = []
    false: list[str] = []
    rows: int
    missing: int
    distinct: int
    levels: list[str] = []
    edges: list[float] = []
    counts: list[int]
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    deviation: float | None = None

    @property
    def missing_share(self) -> float:
        return self.missing / self.rows if self.rows else 0.0

    def bins(self, values: Values) -> tuple[npt.NDArray[np.int64], int]:
        """Counts of these values by the profile's bins, and how many are missing."""
        if isinstance(values, Texts):
            place = {level: number for number, level in enumerate(self.levels)}
            bins = np.array([place.get(level, len(self.levels)) for level in values.levels], dtype=np.int64)
            told = values.codes[values.codes >= 0]
            counts = np.bincount(bins[told], minlength=len(self.levels) + 1)
            return counts.astype(np.int64), len(values) - len(told)
        numbers = values.astype(np.float64)
        present = numbers[~np.isnan(numbers)]
        counts = np.bincount(np.searchsorted(self.edges, present, side="left"), minlength=len(self.edges) + 1)
        return counts.astype(np.int64), len(numbers) - len(present)


class Profile(BaseModel):
    """The columns of a model's training rows; `target` holds classes as levels, or numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int
    columns: list[ColumnProfile]
    target: ColumnProfile
    missing_values: list[str]


def profiled(name: str, kind: ColumnType, values: Values, **reading: Any) -> ColumnProfile:
    """The profile of a column's values (number, boolean or datetime: an array with NaN; text: Texts)."""
    if isinstance(values, Texts):
        told = values.codes[values.codes >= 0]
        counts = np.bincount(told, minlength=len(values.levels))
        # the most frequent first; of two as frequent, the one that sorts first
        common = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
        common = common[counts[common] > 0]
        draft = ColumnProfile(
            name=name, type=kind, rows=len(values), missing=len(values) - len(told), counts=[],
            distinct=int((counts > 0).sum()), levels=[values.levels[code] for code in common], **reading,
        )  # fmt: skip
    else:
        numbers = values.astype(np.float64)
        present = numbers[~np.isnan(numbers)]
        edges = [0.5] if kind == "boolean" else _edges(present)
        draft = ColumnProfile(
            name=name, type=kind, rows=len(numbers), missing=len(numbers) - len(present), counts=[], edges=edges,
            distinct=len(np.unique(present)), **(_moments(present) if len(present) else {}), **reading,
        )  # fmt: skip
    counts, _ = draft.bins(values)
    return draft.model_copy(update={"counts": counts.tolist()})


def _edges(present: npt.NDArray[np.float64]) -> list[float]:
    if not len(present):
        return []
    edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf"))
    return [float(edge) for edge in edges if edge < present.max()]


def _moments(present: npt.NDArray[np.float64]) -> dict[str, float]:
    return {
        "minimum": float(present.min()), "maximum": float(present.max()), "mean": float(present.mean()),
        "deviation": float(present.std()),
    }  # fmt: skip
