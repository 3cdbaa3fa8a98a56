"""The independent units of the test rows: rows, or clusters of rows that belong together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LEVEL = 0.95
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Units:
    """Which of n rows are independent of each other.

    Parameters
    ----------
    rows : n
    clusters : codes (n,), equal for rows that belong together; None if every row is a unit of its own

    Examples
    --------
    >>> units = Units.of(4, np.array([7, 7, 2, 2]))
    >>> units.count, units.means(np.array([1.0, 3.0, 5.0, 5.0])).tolist()
    (2, [5.0, 2.0])
    """

    rows: int
    clusters: Array | None = None

    @staticmethod
    def of(rows: int, clusters: Array | None) -> Units:
        """Return the units of rows; clusters of one row each are the rows themselves."""
        if clusters is None:
            return Units(rows)
        distinct, codes = np.unique(clusters, return_inverse=True)
        return Units(rows) if len(distinct) == rows else Units(rows, codes)

    @property
    def are_rows(self) -> bool:
        """Whether every row is a unit."""
        return self.clusters is None

    @property
    def count(self) -> int:
        """The number of units."""
        if self.clusters is None:
            return self.rows
        return int(self.clusters.max()) + 1 if self.rows else 0

    @property
    def quantile(self) -> float:
        """The 97.5 % quantile of Student's t with as many degrees of freedom as there are units, less one."""
        from scipy.stats import t

        return float(t.ppf((1 + LEVEL) / 2, max(self.count - 1, 1)))

    def take(self, rows: Array) -> Units:
        """Return the units of some rows (a mask, or positions)."""
        count = int(rows.sum()) if rows.dtype == bool else len(rows)
        return Units.of(count, None if self.clusters is None else self.clusters[rows])

    def sums(self, values: Array) -> Array:
        """Return the sum (units,) of values (n,)."""
        return values if self.clusters is None else np.bincount(self.clusters, weights=values)

    def means(self, values: Array) -> Array:
        """Return the mean (units,) of values (n,)."""
        return values if self.clusters is None else self.sums(values) / np.bincount(self.clusters)

    def variance(self, influences: Array) -> float:
        """Return the variance of a statistic from the influences (n,) of the rows, whose sum is zero.

        With clusters it is the cluster-robust variance (Liang and Zeger 1986) with the factor G / (G - 1).
        """
        if self.count < 2:
            return math.inf
        sums = self.sums(influences)
        return float(np.square(sums).sum()) * self.count / (self.count - 1)

    def standard_error(self, influences: Array) -> float:
        """Return the square root of `variance`."""
        return math.sqrt(self.variance(influences))

    def effective_rows(self, deviations: Array) -> float:
        """Return how many independent rows would give the mean of these deviations (n,) from it the same variance."""
        n = len(deviations)
        if self.are_rows:
            return float(n)
        independent = float(np.square(deviations).sum()) / n**2
        if independent == 0:
            return float(self.count)
        clustered = self.variance(deviations / n)
        return min(n * independent / clustered, float(n)) if clustered else float(n)
