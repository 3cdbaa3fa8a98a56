"""The profile of a column: its distribution over the training rows.

`preprocess` writes it and `monitor` compares live traffic with it. Both count with `ColumnProfile.bin_counts`, so a bin
means the same to both.
"""

from __future__ import annotations

from typing import Any

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


def profile_column(name: str, kind: ColumnType, values: Values, **reading: Any) -> ColumnProfile:
    """Profile the values of one column.

    Parameters
    ----------
    values : text: Texts; other types: (n,) with NaN for a missing value
    reading : the other fields of its `Reading`
    """
    if isinstance(values, Texts):
        present_codes = values.codes[values.codes >= 0]
        counts = np.bincount(present_codes, minlength=len(values.levels))
        # the most frequent first; ties in sorted order
        frequent = np.argsort(-counts, kind="stable")[:MAX_PROFILE_LEVELS]
        frequent = frequent[counts[frequent] > 0]
        profile = ColumnProfile(
            name=name, type=kind, rows=len(values), missing=len(values) - len(present_codes), counts=[],
            distinct=int((counts > 0).sum()), levels=[values.levels[code] for code in frequent], **reading,
        )  # fmt: skip
        counts, _ = profile.bin_counts(values)
        return profile.model_copy(update={"counts": counts.tolist()})
    present = _present(values)
    moments = _moments(present) if len(present) else {}
    present.sort()  # in its own memory: another copy of a column of ten million rows is 80 MB
    edges = [0.5] if kind == "boolean" else _quantile_edges(present)
    below = np.searchsorted(present, edges, side="right")
    distinct = int(np.count_nonzero(present[1:] != present[:-1])) + 1 if len(present) else 0
    if len(present):
        low, high = _quantiles(present, np.array([0.01, 0.99]))
        moments |= {"percentile_1": float(low), "percentile_99": float(high)}
    missing = len(values) - len(present)
    counts = np.diff(below, prepend=0, append=len(present))
    del present
    if moments:
        moments["deviation"] = _deviation(values, moments["mean"])
    return ColumnProfile(
        name=name, type=kind, rows=len(values), missing=missing, counts=counts.tolist(), edges=edges,
        distinct=distinct, **moments, **reading,
    )  # fmt: skip


def _present(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the values that are not missing, as a copy."""
    missing = np.isnan(values)
    return (values[~missing] if missing.any() else values).astype(np.float64)


def _quantile_edges(ordered: npt.NDArray[np.float64]) -> list[float]:
    """Return the distinct inner deciles, below the maximum so that the last bin is not empty."""
    if not len(ordered):
        return []
    shares = np.linspace(0, 1, NUMBER_BINS + 1)[1:-1]
    edges = np.unique(_quantiles(ordered, shares))
    return [float(edge) for edge in edges if edge < ordered[-1]]


def _quantiles(ordered: npt.NDArray[np.float64], shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what `quantile` does by the method `inverted_cdf`, which would sort a copy."""
    positions = np.ceil(len(ordered) * shares - 1).astype(np.int64)
    return ordered[np.maximum(positions, 0)] + 0.0  # of -0.0 and 0.0, which are equal, always the same


def _moments(present: npt.NDArray[np.float64]) -> dict[str, float]:
    return {"minimum": float(present.min()), "maximum": float(present.max()), "mean": float(present.mean())}


def _deviation(values: npt.NDArray[Any], mean: float) -> float:
    """Return what `std` does, with one copy in memory instead of two."""
    squares = _present(values)
    squares -= mean
    squares *= squares
    return float(np.sqrt(squares.sum() / len(squares)))
