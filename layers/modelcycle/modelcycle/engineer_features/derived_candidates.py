"""Candidates for features of two columns, and how much of what boosting leaves unexplained each of them explains."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns
from modelcycle.model.derive import derive
from modelcycle.model.plan import Operation

MAX_NUMBERS = 12  # columns that are paired: those that tell most of the target
MAX_CONFIRMED = 6  # candidates for which boosting is fitted again
BINS = (6, 16)  # numbers of ranges of a candidate: few on few rows, many for a narrow effect
MAX_SAME_CORRELATION = 0.98  # between ranks of two candidates: above it the second tells nothing new

Numbers = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


class Candidate(NamedTuple):
    """A feature that may be added, with its values (n,) and how much of the residual it explains."""

    left: str
    right: str
    operation: Operation
    values: npt.NDArray[np.float32]
    explained: float = 0.0


def most_telling(names: list[str], rows: Columns, judged: Positions, outcomes: Numbers) -> list[str]:
    """Return the MAX_NUMBERS columns whose ranges explain most of the outcomes, in the order of the data."""
    if len(names) <= MAX_NUMBERS:
        return names
    outcomes = outcomes[judged] - outcomes[judged].mean(axis=0)
    explained = {name: explained_share(np.asarray(rows.values[name])[judged], outcomes) for name in names}
    chosen = set(sorted(names, key=lambda name: -explained[name])[:MAX_NUMBERS])
    return [name for name in names if name in chosen]


def candidates_of(numbers: list[str], dates: list[str], rows: Columns) -> Iterator[Candidate]:
    """Yield every operation of every pair. A ratio has the column below that is never zero and of one sign."""
    for left, right in combinations(numbers, 2):
        first, second = np.asarray(rows.values[left]), np.asarray(rows.values[right])
        yield Candidate(left, right, "difference", derive(first, second, "difference"))
        yield Candidate(left, right, "product", derive(first, second, "product"))
        if _can_divide(second):
            yield Candidate(left, right, "ratio", derive(first, second, "ratio"))
        elif _can_divide(first):
            yield Candidate(right, left, "ratio", derive(second, first, "ratio"))
    for left, right in combinations(dates, 2):
        between = derive(np.asarray(rows.values[left]), np.asarray(rows.values[right]), "days_between")
        yield Candidate(left, right, "days_between", between)


def _can_divide(values: npt.NDArray[Any]) -> bool:
    present = values[~np.isnan(values)]
    return bool(len(present)) and bool((present > 0).all() or (present < 0).all())


def explained_share(values: npt.NDArray[Any], residual: Numbers) -> float:
    """Return the share of the squared residual (m, k) that ranges of the values (m,) explain.

    The means of the ranges come from one half of the rows and are judged on the other, so chance explains nothing.
    Missing values are a range of their own.
    """
    present = ~np.isnan(values)
    if not present.any():
        return 0.0
    return max(_explained_by(bins, values, present, residual) for bins in BINS)


def _explained_by(bins: int, values: npt.NDArray[Any], present: npt.NDArray[np.bool_], residual: Numbers) -> float:
    edges = np.unique(np.quantile(values[present], np.linspace(0, 1, bins + 1)[1:-1]))
    ranges = np.where(present, np.searchsorted(edges, values), len(edges) + 1)
    half = np.random.default_rng(0).permutation(len(values)) % 2
    saved = 0.0
    for number in (0, 1):
        other, own = half != number, half == number
        counts = np.bincount(ranges[other], minlength=len(edges) + 2)
        for outcome in range(residual.shape[1]):
            sums = np.bincount(ranges[other], residual[other, outcome], minlength=len(edges) + 2)
            left = residual[own, outcome]
            saved += float(np.sum(np.square(left) - np.square(left - (sums / np.maximum(counts, 1))[ranges[own]])))
    total = float(np.square(residual).sum())
    return saved / total if total else 0.0


def distinct_candidates(candidates: list[Candidate]) -> list[Candidate]:
    """Return at most MAX_CONFIRMED candidates, without those that order the rows as an earlier one does."""
    kept: list[Candidate] = []
    ranks: list[Numbers] = []
    for candidate in candidates:
        rank = _ranks(candidate.values)
        if all(abs(float(np.corrcoef(rank, other)[0, 1])) <= MAX_SAME_CORRELATION for other in ranks):
            kept.append(candidate)
            ranks.append(rank)
        if len(kept) == MAX_CONFIRMED:
            break
    return kept


def _ranks(values: npt.NDArray[np.float32]) -> Numbers:
    from scipy.stats import rankdata

    ranks: Numbers = rankdata(np.where(np.isnan(values), -np.inf, values))
    return ranks
