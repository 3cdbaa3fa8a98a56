"""Means of groups of rows with their standard errors, where rows may belong to the same entity."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

MIN_GROUP_ROWS = 50  # a smaller group is not tested
MIN_GROUP_CLUSTERS = 10  # likewise
Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]


def means(
    values: Numbers, codes: npt.NDArray[np.int64], n_groups: int, clusters: Array | None
) -> tuple[Numbers, Numbers, Numbers]:
    """Return the mean of each group, its standard error (by cluster), and the degrees of freedom of its t test.

    The error is NaN in a group that is too small.
    """
    cells = _Cells(codes, n_groups, clusters)
    counts = np.bincount(codes, minlength=n_groups)
    averages = np.bincount(codes, values, minlength=n_groups) / np.maximum(counts, 1)
    squares = cells.by_group(cells.sums(values - averages[codes]) ** 2, n_groups)
    n_clusters = cells.clusters_of_group
    variances = squares / np.maximum(counts, 1) ** 2 * n_clusters / np.maximum(n_clusters - 1, 1)
    enough = (counts >= MIN_GROUP_ROWS) & (n_clusters >= MIN_GROUP_CLUSTERS)
    return averages, np.where(enough, np.sqrt(variances), np.nan), np.maximum(n_clusters - 1, 1).astype(np.float64)


def means_against_rest(
    values: Numbers, codes: npt.NDArray[np.int64], n_groups: int, clusters: Array | None
) -> tuple[Numbers, Numbers, Numbers]:
    """Return the mean of each group minus that of all other rows, its standard error and degrees of freedom.

    The variance is the sum over clusters of the squared influence of a cluster on the difference; a cluster may have
    rows on both sides. Without clusters it is Welch's.
    """
    cells = _Cells(codes, n_groups, clusters)
    values = values - values.mean()
    counts = np.bincount(codes, minlength=n_groups)
    rest = np.maximum(len(codes) - counts, 1)
    sums = np.bincount(codes, values, minlength=n_groups)
    averages, rest_averages = sums / np.maximum(counts, 1), (values.sum() - sums) / rest
    totals = np.bincount(cells.cluster_of_row, values, minlength=cells.n_clusters)
    sizes = np.bincount(cells.cluster_of_row, minlength=cells.n_clusters).astype(np.float64)
    # as if every cluster had no row in the group ...
    squares = (
        np.square(totals).sum() - 2 * rest_averages * (totals * sizes).sum() + rest_averages**2 * np.square(sizes).sum()
    ) / rest**2
    # ... then corrected for those that have
    cell_sums, cell_rows = cells.sums(values), cells.sums(np.ones(len(values)))
    group, cluster = cells.groups, cells.clusters
    outside = totals[cluster] - rest_averages[group] * sizes[cluster]
    inside_part = (cell_sums - averages[group] * cell_rows) / counts[group]
    rest_part = (outside - (cell_sums - rest_averages[group] * cell_rows)) / rest[group]
    squares += cells.by_group((inside_part - rest_part) ** 2 - (outside / rest[group]) ** 2, n_groups)
    enough = np.minimum(counts, len(codes) - counts) >= MIN_GROUP_ROWS
    enough &= cells.clusters_of_group >= MIN_GROUP_CLUSTERS
    errors = np.where(enough, np.sqrt(np.maximum(squares, 0.0)), np.nan)
    return averages - rest_averages, errors, np.maximum(cells.clusters_of_group - 1, 1).astype(np.float64)


def upper_p(estimates: Numbers, errors: Numbers, degrees: Numbers) -> Numbers:
    """Return the one-sided p values of t tests of estimates (k,) above zero.

    Without variance the test is undefined: equal values of many rows are no chance.

    Examples
    --------
    >>> upper_p(np.array([0.0, 2.0]), np.array([0.0, 1.0]), np.array([9.0, 9.0])).round(3)
    array([1.   , 0.038])
    """
    from scipy.stats import t

    with np.errstate(divide="ignore", invalid="ignore"):
        p: Numbers = t.sf(estimates / errors, degrees)
    return np.where(errors == 0, np.where(estimates > 0, 0.0, 1.0), p)


def holm(p_values: list[float]) -> list[float]:
    """Return p values corrected for all tests of the list, after Holm (1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(order) - np.arange(len(order))
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(np.array(p_values)[order] * factors), 1.0)
    return [float(p) for p in corrected]


class _Cells:
    """The rows of each pair of a group and a cluster; without clusters each row is one.

    Parameters
    ----------
    codes : group (n,) of each row
    """

    def __init__(self, codes: npt.NDArray[np.int64], n_groups: int, clusters: Array | None) -> None:
        self.n_clusters = len(codes) if clusters is None else int(clusters.max()) + 1
        cluster_of_row = np.arange(len(codes)) if clusters is None else clusters.astype(np.int64)
        if clusters is None:
            self.cell_of_row = cluster_of_row
            self.groups, self.clusters = codes, cluster_of_row
        else:
            cells, self.cell_of_row = np.unique(codes * self.n_clusters + cluster_of_row, return_inverse=True)
            self.groups, self.clusters = cells // self.n_clusters, cells % self.n_clusters
        self.cluster_of_row = cluster_of_row
        self.clusters_of_group = np.bincount(self.groups, minlength=n_groups)

    def sums(self, values: Numbers) -> Numbers:
        """Return the sum of values (n,) over each cell."""
        totals: Numbers = np.bincount(self.cell_of_row, values, minlength=len(self.groups)).astype(np.float64)
        return totals

    def by_group(self, of_cells: Numbers, n_groups: int) -> Numbers:
        """Return the sums over each group."""
        totals: Numbers = np.bincount(self.groups, of_cells, minlength=n_groups).astype(np.float64)
        return totals
