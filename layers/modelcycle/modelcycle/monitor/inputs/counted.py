"""Whether two rows of counts come from one distribution.

A table has a row for the reference, one for the window, and a column for each bin. Given the sums of both, every table
that a fair division could have made has a known probability, whatever the distribution (Fisher, The Design of
Experiments, 1935). So tables by chance are drawn without any model of the column, and also bins that were chosen by the
sums of both rows are fair.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, chdtri
from scipy.stats import binom, hypergeom

from modelcycle.messages.monitoring import SignalKind

MIN_EXPECTED = 5  # rows in each cell (Cochran, Some methods for strengthening the common chi-square tests, 1954)
MIN_EXPECTED_SHARE = 100  # rows in each cell of a share, below which Fisher's exact test is used
MAX_FISHER_ROWS = 10**6  # of both sides; above, the exact test takes seconds and the binomial one is near
MAX_DRAWN_WITHOUT_REPLACEMENT = 10**9 - 1  # rows of both sides, of numpy's method
MIN_CHANGE_ROWS = 0.5  # an empty cell counts as half a row
MIN_NORMAL_ROWS = 1_000  # expected in each cell, from which sums over ordered bins are normal far into the tails

Counts = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]


class _Test(NamedTuple):
    """Statistics (n,) of n tables that have a chi-square distribution by chance; the largest of `bins` of them each."""

    squares: Array
    freedom: int = 1
    bins: int = 1


def _smallest_p(tests: Sequence[_Test], up_to: float) -> Array:
    """Return the smallest p values (n,) of some tests, times their number; 1 where it is larger than `up_to`."""
    smallest = np.ones(len(tests[0].squares))
    for squares, freedom, bins in tests:
        times = len(tests) * bins
        far = squares >= chdtri(freedom, min(up_to / times, 1.0))  # a p value takes long to compute
        smallest[far] = np.minimum(smallest[far], times * chdtrc(freedom, squares[far]))
    return smallest


@dataclass(frozen=True)
class Table:
    """Counts of one column, by the same bins.

    Parameters
    ----------
    kind, subject : of the signal
    reference, live : (bins,), rows
    ordered : whether neighbouring bins are near each other, as those of numbers are
    """

    kind: SignalKind
    subject: str
    reference: Counts
    live: Counts
    ordered: bool = False

    @property
    def rows(self) -> tuple[int, int]:
        """Rows of the reference, and of the window."""
        return int(self.reference.sum()), int(self.live.sum())

    @property
    def says_something(self) -> bool:
        """Whether both sides have rows, in more than one bin."""
        return min(self.rows) > 0 and int(np.count_nonzero(self.reference + self.live)) > 1

    @property
    def scale(self) -> float:
        """Rows of two equal halves that would tell as much as both sides do, halved: 1 / (1/n + 1/m)."""
        first, second = self.rows
        return first * second / (first + second)

    @cached_property
    def p(self) -> float:
        """Probability that chance alone makes the rows differ so much; 1 if they cannot differ."""
        return float(self.p_values(self.reference[None, :])[0]) if self.says_something else 1.0

    def p_values(self, reference: Counts, up_to: float = 1.0) -> Array:
        """Return the p values (n,) of tables with the same sums.

        More than two bins: chi-square for any change; for ordered bins also the linear and the quadratic trend of the
        ranks, which find a shift or another scale with a tenth of the rows (Best and Rayner, Chi-squared components as
        tests of fit, 1987); for others also the bin that changed most. The smallest p counts, times the number of
        tests.

        Parameters
        ----------
        reference : (n, bins), the row of the reference in each table
        up_to : larger p values may be 1
        """
        sums = (self.reference + self.live).astype(np.float64)
        first, second = map(float, self.rows)
        total = first + second
        if len(sums) == 2 and self.fewest_expected < MIN_EXPECTED_SHARE:
            return self._shares_p(reference[:, 1])
        moved = reference - sums * (first / total)
        factor = (total - 1) * total / (first * second)
        tests = [_Test(np.square(moved) @ (factor / sums), len(sums) - 1)]
        if self.ordered and len(sums) > 2:
            for score in _trends(sums):
                tests.append(_Test(np.square(moved @ score) * (factor / (sums @ np.square(score)))))
        elif len(sums) > 2:
            cells = np.square(moved) * (factor * total / (sums * (total - sums)))
            tests.append(_Test(cells.max(axis=1), bins=len(sums)))
        return _smallest_p(tests, up_to)

    @property
    def fewest_expected(self) -> float:
        """The smallest number of rows that a fair division expects in a cell."""
        return float((self.reference + self.live).min()) * min(self.rows) / sum(self.rows)

    def _shares_p(self, hits: Counts) -> Array:
        """Return the p values of Fisher's exact test, twice the smaller tail; of many rows by the binomial."""
        different, where = np.unique(hits, return_inverse=True)
        first, second = self.rows
        total, marked = first + second, int(self.reference[1] + self.live[1])
        if marked > total - marked:  # the rarer bin is looked at, on the smaller side
            marked, different = total - marked, first - different
        if second < first:
            first, different = second, marked - different
        if total <= MAX_FISHER_ROWS:
            tails = hypergeom.cdf(different, total, marked, first), hypergeom.sf(different - 1, total, marked, first)
        else:
            fewer, share = min(marked, first), max(marked, first) / total
            tails = binom.cdf(different, fewer, share), binom.sf(different - 1, fewer, share)
        tail = np.minimum(*tails)
        p: Array = np.minimum(2 * tail, 1.0)[where]
        return p

    def p_by_chance(self, rng: np.random.Generator, tables: int, up_to: float) -> Array:
        """Return the p values (tables,) of tables with the same sums, as chance makes them.

        Of ordered bins with many rows, both trends and what the chi-square has beside them are drawn, which are
        independent of each other. The bin that changed most is never drawn so: it depends on the tail of a single cell.

        Parameters
        ----------
        up_to : larger p values may be 1
        """
        freedom = len(self.reference) - 1
        if not self.ordered or freedom < 3 or self.fewest_expected < MIN_NORMAL_ROWS:
            return self.p_values(self.by_chance(rng, tables), up_to)
        linear, quadratic = np.square(rng.standard_normal((2, tables)))
        whole = linear + quadratic + rng.chisquare(freedom - 2, tables)
        return _smallest_p([_Test(whole, freedom), _Test(linear), _Test(quadratic)], up_to)

    def by_chance(self, rng: np.random.Generator, tables: int) -> Counts:
        """Return the row of the reference (tables, bins) in tables with the same sums, as chance makes them."""
        sums = self.reference + self.live
        first, second = self.rows
        smaller = min(first, second)
        if first + second <= MAX_DRAWN_WITHOUT_REPLACEMENT:
            drawn = rng.multivariate_hypergeometric(sums, smaller, size=tables, method="marginals")
        else:  # with replacement, which makes no difference where the other side is much larger
            drawn = np.minimum(rng.multinomial(smaller, sums / sums.sum(), size=tables), sums)
        return drawn if smaller == first else sums - drawn

    @property
    def psi(self) -> float:
        """The population stability index: the sum of (q - p) ln(q / p) over the bins (Siddiqi, 2006)."""
        p, q = (np.maximum(row, MIN_CHANGE_ROWS) / max(row.sum(), 1) for row in (self.reference, self.live))
        return float(np.sum((q - p) * np.log(q / p)))

    @property
    def effect(self) -> float:
        """The PSI, less what chance adds to it: bins - 1 for each of `scale` rows; at least 0.

        Source: Yurdakul and Naranjo, Statistical properties of the population stability index, Journal of Risk Model
        Validation, 2020.
        """
        return max(self.psi - (len(self.reference) - 1) / self.scale, 0.0) if self.says_something else 0.0

    def psi_found(self, limit: float) -> float:
        """Return the PSI that is found in half of all windows, if a p value up to `limit` counts.

        The chi-square is then about PSI times `scale`.
        """
        freedom = max(len(self.reference) - 1, 1)
        return max(float(chdtri(freedom, limit)) - freedom, 0.0) / self.scale if self.says_something else math.inf


def share_table(kind: SignalKind, subject: str, reference: tuple[int, int], live: tuple[int, int]) -> Table:
    """Return the table of a share: hits and rows on each side."""
    (hits, rows), (live_hits, live_rows) = reference, live
    return Table(kind, subject, np.array([rows - hits, hits]), np.array([live_rows - live_hits, live_hits]))


def binned_table(kind: SignalKind, subject: str, reference: list[int], live: list[int], ordered: bool) -> Table:
    """Return a table whose bins have at least MIN_EXPECTED expected rows on either side, merged by the sums of both.

    Ordered bins are merged with a neighbour, all others with those that have about as few rows.

    >>> table = binned_table("input drift", "x", [50, 1, 1, 48], [40, 1, 0, 59], ordered=True)
    >>> table.reference.tolist(), table.live.tolist()
    ([50, 50], [40, 60])
    """
    rows = np.array([reference, live], dtype=np.int64).reshape(2, -1)
    sums = rows.sum(axis=0)
    total, smaller = int(sums.sum()), int(rows.sum(axis=1).min())
    if not smaller:
        return Table(kind, subject, rows[0], rows[1], ordered)
    wanted = MIN_EXPECTED * total / smaller
    groups = _neighbours(sums, wanted) if ordered else _alike(sums, wanted)
    merged = np.zeros((2, int(groups.max()) + 1), dtype=np.int64)
    np.add.at(merged.T, groups, rows.T)
    return Table(kind, subject, merged[0], merged[1], ordered)


def _neighbours(sums: Counts, wanted: float) -> Counts:
    """Return the group (bins,) of each bin: as many neighbours as have `wanted` rows together."""
    groups, group, rows = np.zeros(len(sums), dtype=np.int64), 0, 0
    for number, more in enumerate(sums):
        groups[number] = group
        rows += int(more)
        if rows >= wanted:
            group, rows = group + 1, 0
    if group and rows < wanted:  # the last ones join the group before them
        groups[groups == group] = group - 1
    return groups


def _alike(sums: Counts, wanted: float) -> Counts:
    """Return the group (bins,) of each bin: those with the fewest rows are neighbours."""
    order = np.argsort(sums, kind="stable")
    groups = np.zeros(len(sums), dtype=np.int64)
    groups[order] = _neighbours(sums[order], wanted)
    return groups


def _trends(sums: Array) -> tuple[Array, Array]:
    """Return two scores (bins,) of the bins' mean ranks, linear and quadratic, orthogonal to each other and to 1."""
    weights = sums / sums.sum()
    linear = np.cumsum(weights) - weights / 2 - 0.5
    linear = linear - weights @ linear
    quadratic = np.square(linear)
    quadratic = quadratic - weights @ quadratic
    quadratic = quadratic - linear * (weights @ (quadratic * linear)) / (weights @ np.square(linear))
    return linear, quadratic


def share_interval(hits: int, rows: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share (Journal of the American Statistical Association, 1927).

    >>> [round(bound, 3) for bound in share_interval(10, 100)]
    [0.055, 0.174]
    """
    if not rows:
        return 0.0, 1.0
    z2, share = 1.959964**2, hits / rows
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = math.sqrt(z2 * (share * (1 - share) + z2 / (4 * rows)) / rows) / (1 + z2 / rows)
    return max(middle - half, 0.0), min(middle + half, 1.0)
