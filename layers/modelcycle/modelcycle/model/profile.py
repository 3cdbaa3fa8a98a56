"""The profile of a column: its distribution over the training rows.

`preprocess` writes it and `monitor` compares live traffic with it. Both count with `ColumnProfile.bin_counts`, so a bin
means the same to both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from modelcycle.cells.reading import ColumnType, Reading
from modelcycle.model.columns import Texts, Values

NUMBER_BINS = 10
MAX_PROFILE_LEVELS = 50  # of a text column; all rarer texts share one bin


class ColumnProfile(Reading):
    """The distribution of one column.

    Parameters
    ----------
    name : of the column
    type, format, true, false, missing_values : see `cells.reading.Reading`
    rows : all rows, with missing values
    missing : rows without a value; they are in no bin
    distinct : number of different values
    levels : text: the most frequent texts, one bin each; one more bin holds all others
    edges : other types: inner edges of the bins, ascending; an edge belongs to the bin on its left
    counts : rows by bin
    minimum, maximum, mean, deviation : of numbers; of dates in seconds since 1970 UTC
    percentile_1, percentile_99 : of the same; None in a profile that is older than these
    """

    name: str
    rows: int
    missing: int
    distinct: int
    levels: list[str] = Field([])
    edges: list[float] = Field([])
    counts: list[int]
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    deviation: float | None = None
    percentile_1: float | None = None
    percentile_99: float | None = None

    @property
    def missing_share(self) -> float:
        """Share of the rows without a value, 0 to 1."""
        return self.missing / self.rows if self.rows else 0.0

    def bin_counts(self, values: Values) -> tuple[npt.NDArray[np.int64], int]:
        """Count values by the profile's bins.

        Parameters
        ----------
        values : (n,), of the profile's type

        Returns
        -------
        counts : (bins,)
        missing : number of missing values

        Examples
        --------
        >>> profile = profile_column("age", "number", np.array([18.0, 30.0, 42.0, np.nan]))
        >>> profile.edges, profile.counts, profile.missing
        ([18.0, 30.0], [1, 1, 1], 1)
        >>> profile.bin_counts(np.array([18.0, 19.0, 90.0]))
        (array([1, 1, 1]), 0)
        """
        if isinstance(values, Texts):
            bin_of_level = {level: number for number, level in enumerate(self.levels)}
            bins = np.array([bin_of_level.get(level, len(self.levels)) for level in values.levels], dtype=np.int64)
            present_codes = values.codes[values.codes >= 0]
            counts = np.bincount(bins[present_codes], minlength=len(self.levels) + 1)
            return counts.astype(np.int64), len(values) - len(present_codes)
        numbers = values.astype(np.float64)
        present = numbers[~np.isnan(numbers)]
        counts = np.bincount(np.searchsorted(self.edges, present, side="left"), minlength=len(self.edges) + 1)
        return counts.astype(np.int64), len(numbers) - len(present)


class Profile(BaseModel):
    """The profiles of a model's training rows.

    Parameters
    ----------
    rows : training rows
    columns : profiles in the order of the data
    target : its levels are the classes; or numbers
    missing_values : texts that mean a missing value
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    rows: int
    columns: list[ColumnProfile]
    target: ColumnProfile
    missing_values: list[str]


class Ordered(Protocol):
    """The numbers of a column that are not missing, in their order."""

    def at(self, positions: Iterable[int]) -> Sequence[float]:
        """Return the numbers at some positions."""

    def distinct(self) -> int:
        """Return the number of different ones."""


def profile_column(name: str, kind: ColumnType, values: Values, **reading: Any) -> ColumnProfile:
    """Profile the values of one column.

    Parameters
    ----------
    values : text: Texts; other types: (n,) with NaN for a missing value
    reading : the other fields of its `Reading`
    """
    if isinstance(values, Texts):
        return profile_texts(name, [values], **reading)
    return profile_numbers(name, kind, lambda: [values], _InMemory(values), **reading)


def profile_texts(name: str, pieces: Iterable[Values], **reading: Any) -> ColumnProfile:
    """Profile a text column that is given piece by piece; all pieces have the same levels."""
    rows, counts, levels = 0, np.zeros(0, dtype=np.int64), list[str]()
    for texts in pieces:
        assert isinstance(texts, Texts)
        levels = texts.levels
        rows += len(texts)
        found = np.bincount(texts.codes[texts.codes >= 0], minlength=len(levels))
        counts = counts + found if len(counts) else found
    # the most frequent first; ties in sorted order
    frequent = np.argsort(-counts, kind="stable")[:MAX_PROFILE_LEVELS]
    frequent = frequent[counts[frequent] > 0]
    present = int(counts.sum())
    return ColumnProfile(
        name=name, type="text", rows=rows, missing=rows - present, distinct=int((counts > 0).sum()),
        levels=[levels[code] for code in frequent],
        counts=[*counts[frequent].tolist(), present - int(counts[frequent].sum())], **reading,
    )  # fmt: skip


def profile_numbers(
    name: str, kind: ColumnType, pieces: Callable[[], Iterable[Values]], ordered: Ordered, **reading: Any
) -> ColumnProfile:
    """Profile a column of another type that is given piece by piece, twice.

    Parameters
    ----------
    pieces : returns the values, see `profile_column`
    ordered : the same values
    """
    rows = present = 0
    total, minimum, maximum = 0.0, math.inf, -math.inf
    for values in pieces():
        numbers = _present(values)
        rows, present = rows + len(values), present + len(numbers)
        if len(numbers):
            total += float(numbers.sum())
            minimum, maximum = min(minimum, float(numbers.min())), max(maximum, float(numbers.max()))
    if not present:
        edges = [0.5] if kind == "boolean" else []
        return ColumnProfile(
            name=name, type=kind, rows=rows, missing=rows, counts=[0] * (len(edges) + 1), edges=edges, distinct=0,
            **reading,
        )  # fmt: skip
    low, *deciles, high = _quantiles(ordered, present, [0.01, *np.linspace(0, 1, NUMBER_BINS + 1)[1:-1], 0.99])
    # below the maximum, so that the last bin is not empty
    edges = [0.5] if kind == "boolean" else sorted({edge for edge in deciles if edge < maximum})
    profile = ColumnProfile(
        name=name, type=kind, rows=rows, missing=rows - present, counts=[], edges=edges, distinct=ordered.distinct(),
        minimum=minimum, maximum=maximum, mean=total / present, percentile_1=low, percentile_99=high, **reading,
    )  # fmt: skip
    counts, squares = np.zeros(len(edges) + 1, dtype=np.int64), 0.0
    for values in pieces():
        counts += profile.bin_counts(values)[0]
        numbers = _present(values)
        numbers -= total / present
        numbers *= numbers
        squares += float(numbers.sum())
    return profile.model_copy(update={"counts": counts.tolist(), "deviation": math.sqrt(squares / present)})


def _present(values: Values) -> npt.NDArray[np.float64]:
    """Return the numbers that are not missing, as a copy."""
    assert not isinstance(values, Texts)
    missing = np.isnan(values)
    return (values[~missing] if missing.any() else values).astype(np.float64)


def _quantiles(ordered: Ordered, count: int, shares: Iterable[float]) -> list[float]:
    """Return what numpy's `quantile` does by the method `inverted_cdf`."""
    positions = [max(math.ceil(count * share - 1), 0) for share in shares]
    return [float(value) + 0.0 for value in ordered.at(positions)]  # of -0.0 and 0.0, always the same


class _InMemory:
    """The port `Ordered` of an array."""

    def __init__(self, values: Values) -> None:
        self.values = _present(values)
        self.values.sort()

    def at(self, positions: Iterable[int]) -> list[float]:
        found: list[float] = self.values[list(positions)].tolist()
        return found

    def distinct(self) -> int:
        return int(np.count_nonzero(self.values[1:] != self.values[:-1])) + 1 if len(self.values) else 0
