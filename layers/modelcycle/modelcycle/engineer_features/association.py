"""How well one column by itself predicts the target: AUC and Youden's index of classes, R2 of numbers.

A prediction is the mean target of the row's bin (a level, a distinct value, or a quantile) in the other half of the
rows, or the number itself. So a column that predicts nothing scores no better than chance, however many levels it has.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Texts, Values

MIN_CLASS_ROWS = 10  # rarer classes are not scored
MIN_PRESENT_SHARE = 0.9  # of the values, for a correlation
MIN_CORRELATED_ROWS = 100
MAX_BINS = 256
MIN_BIN_ROWS = 20
DEVIATIONS = 2.0  # standard errors below an estimate: its lower bound

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


class Separation(NamedTuple):
    """How well a column tells a class from the others.

    Parameters
    ----------
    auc : area under the ROC curve, 0.5 to 1
    auc_bound : its lower confidence bound (Hanley and McNeil 1982)
    youden : true positive rate minus false positive rate at the best threshold, as a lower confidence bound
        (Agresti and Coull 1998)
    """

    auc: float
    auc_bound: float
    youden: float


class Coded:
    """A column as codes of its distinct values, sorted once for all computations.

    Parameters
    ----------
    values : (n,); numbers are finite, or NaN where missing

    Attributes
    ----------
    bins : bin (n,) of each row; missing is a bin
    distinct : code (n,) of each row's number, ascending, -1 where missing; None for texts
    """

    def __init__(self, values: Values) -> None:
        self.distinct: Codes | None = None
        if isinstance(values, Texts):
            self.bins: Codes = np.unique(values.codes, return_inverse=True)[1].astype(np.int64)
            return
        present = ~np.isnan(values)
        # float64: between two quantiles of 3e38 and -3e38, float32 overflows
        self.numbers = values[present].astype(np.float64)
        distinct, codes, counts = np.unique(self.numbers, return_inverse=True, return_counts=True)
        self.distinct = np.full(len(values), -1, dtype=np.int64)
        self.distinct[present] = codes
        max_bins = min(MAX_BINS, max(2, len(values) // MIN_BIN_ROWS))
        if len(distinct) <= max_bins:
            bin_of_code = np.arange(len(distinct))
        else:
            before = np.cumsum(counts) - counts
            # a distinct value is in one bin, even if it is more frequent than a bin
            bin_of_code = before * max_bins // len(self.numbers)
        missing_bin = int(bin_of_code.max(initial=-1)) + 1
        self.bins = np.append(bin_of_code, missing_bin)[self.distinct].astype(np.int64)


def separations(column: Coded, target: npt.NDArray[Any]) -> Iterator[Separation]:
    """Yield how well a column tells each class from the others; of two classes one is enough.

    Parameters
    ----------
    target : codes (n,)

    Examples
    --------
    >>> y = np.arange(400) % 4 == 0
    >>> [round(separation.auc, 3) for separation in separations(Coded(y * 2.0), y.astype(int))]
    [1.0]
    """
    n_bins = int(column.bins.max()) + 1
    # row i is in half i mod 2: the cell of a row is its half and bin
    cells = column.bins + n_bins * (np.arange(len(target)) % 2)
    rows = np.bincount(cells, minlength=2 * n_bins)
    codes, class_rows = np.unique(target, return_counts=True)
    scored = codes[(class_rows >= MIN_CLASS_ROWS) & (len(target) - class_rows >= MIN_CLASS_ROWS)]
    if len(codes) == 2:
        scored = scored[-1:]
    complete = column.distinct is not None and bool((column.distinct >= 0).all())
    distinct_rows = np.bincount(column.distinct) if complete and column.distinct is not None else None
    for code in scored:
        is_class = target == code
        inside = np.bincount(cells[is_class], minlength=2 * n_bins)
        means = _means_of_other_half(inside, rows)
        order = np.argsort(means, kind="stable")
        starts = np.flatnonzero(np.diff(means[order], prepend=-1.0))  # equal means are one step of the curve
        curves = [(np.add.reduceat(inside[order], starts), np.add.reduceat(rows[order], starts))]
        if distinct_rows is not None and column.distinct is not None:
            ascending = np.bincount(column.distinct[is_class], minlength=len(distinct_rows))
            curves += [(ascending, distinct_rows), (ascending[::-1], distinct_rows[::-1])]
        found = [_separation(within, of_all - within) for within, of_all in curves]
        yield Separation(*(max(figures) for figures in zip(*found, strict=True)))


def best_r2(column: Coded, target: Numbers) -> float:
    """Return the best R2 of three predictions: the mean of each bin, a straight line, a monotonic curve.

    Parameters
    ----------
    target : (n,), standardised
    """
    n_bins = int(column.bins.max()) + 1
    cells = column.bins + n_bins * (np.arange(len(target)) % 2)
    rows = np.bincount(cells, minlength=2 * n_bins)
    totals = np.bincount(cells, weights=target, minlength=2 * n_bins)
    residuals = target - _means_of_other_half(totals, rows)[cells]
    scores = [1 - float((residuals**2).mean()) / float(target.var())]
    if column.distinct is not None:
        present = column.distinct >= 0
        y = target[present]
        if len(y) >= max(MIN_CORRELATED_ROWS, MIN_PRESENT_SHARE * len(target)):
            scores.append(_squared_correlation(standardised(column.numbers), y))
            scores.append(_squared_correlation(_ranks(column.distinct[present]), _ranks(_codes(y))))
    return max(scores)


def standardised(values: Numbers) -> Numbers:
    """Return values (n,) with mean 0 and deviation 1, or all 0; they may be of any finite size.

    Examples
    --------
    >>> standardised(np.array([1e300, 3e300]))
    array([-1.,  1.])
    """
    scaled = values / max(float(np.abs(values).max(initial=0.0)), np.finfo(np.float64).tiny)
    centred: Numbers = scaled - scaled.mean()
    deviation = float(centred.std())
    return centred / deviation if deviation > 0 else centred


def _means_of_other_half(totals: npt.NDArray[Any], rows: npt.NDArray[Any]) -> Numbers:
    """Return for each cell (2 * bins,) the mean of its bin in the other half, or that half's mean if it has no rows."""
    totals, rows = totals.reshape(2, -1)[::-1].astype(np.float64), rows.reshape(2, -1)[::-1]
    overall = totals.sum(axis=1, keepdims=True) / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    means: Numbers = np.where(rows > 0, totals / np.maximum(rows, 1), overall)
    return means.ravel()


def _separation(inside: npt.NDArray[Any], outside: npt.NDArray[Any]) -> Separation:
    """Return the figures of a ROC curve.

    Parameters
    ----------
    inside, outside : rows of the class and of the others by ascending score, (steps,) each
    """
    positives, negatives = int(inside.sum()), int(outside.sum())
    below = np.cumsum(outside) - outside / 2
    auc = float((inside * below).sum() / (positives * negatives))
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    error = math.sqrt(max(variance, 0.0) / (positives * negatives))
    # the best threshold: rows of the steps after it are predicted to be of the class
    missed, rejected = np.cumsum(inside), np.cumsum(outside)
    best = int(np.argmax(rejected / negatives - missed / positives))
    hit_rate, hit_error = _rate(positives - int(missed[best]), positives)
    false_rate, false_error = _rate(negatives - int(rejected[best]), negatives)
    youden = hit_rate - false_rate - DEVIATIONS * math.hypot(hit_error, false_error)
    return Separation(auc, auc - DEVIATIONS * error, youden)


def _rate(count: int, rows: int) -> tuple[float, float]:
    """Return a rate and its standard error, after Agresti and Coull: two successes and two failures are added."""
    rate = (count + 2) / (rows + 4)
    return rate, math.sqrt(rate * (1 - rate) / (rows + 4))


def _squared_correlation(x: Numbers, y: Numbers) -> float:
    x, y = standardised(x), standardised(y)
    return float((x * y).mean()) ** 2


def _codes(values: Numbers) -> Codes:
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _ranks(codes: Codes) -> Numbers:
    """Return mean ranks (n,) from codes (n,) of ascending distinct values."""
    counts = np.bincount(codes)
    ranks: Numbers = (np.cumsum(counts) - (counts - 1) / 2)[codes]
    return ranks
