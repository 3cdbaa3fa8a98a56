"""Columns that are filled only once the outcome is known: that they have a value tells the target.

A reason for leaving exists only where somebody left; the number of a lifeboat only for those who survived. The value
itself may say nothing. In the other direction a missing value may tell it: a renewal date that only those have who
stayed.

Honest columns are missing for some people as well (a spouse's income, a cabin's number), but the outcome still varies
among those who have them. A column is only found if nearly all rows with a value have one outcome which is not common
among the others: a result of a test that only one sex takes is not found where the outcome is rare anyway.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.spec import Task

MIN_STATE_ROWS = 20  # rows with a value, and rows without
MIN_FILLED_PURITY = 0.95  # of the rows with a value: share of their most frequent outcome
MIN_MISSING_PURITY = 0.99  # likewise without; values are missing for many more reasons
MIN_MISSING_RECALL = 0.1  # of all rows with that outcome; fewer may be those that were measured in another way
MIN_SUSPECTED_PURITY = 0.90, 0.95  # with a value, without: people are warned
MAX_OTHER_SHARE = 0.75  # of that outcome among the other rows; above it, the outcome is the common one
MAX_CHANCE = 1e-9  # probability that as many rows have the outcome by chance; tables have thousands of columns
MIN_NUMBER_PURITY = 0.99  # of numbers, with or without a value: that most are not zero is no outcome
MIN_VALUE_SHARE = 0.05  # of the rows, for one number of a regression to count as an outcome


class Missingness(NamedTuple):
    """What a column's missing values tell.

    Parameters
    ----------
    certain : whether it is left out; otherwise people are warned
    evidence : a phrase for people
    """

    certain: bool
    evidence: str


def missingness_leak(
    missing: npt.NDArray[np.bool_], target: npt.NDArray[Any], task: Task, name: str, classes: list[str]
) -> Missingness | None:
    """Return what a column's missing values tell of the target, None if that is little.

    Parameters
    ----------
    missing : (n,)
    target : codes (n,), or numbers (n,)
    name : of the target
    classes : of the target, by code

    Examples
    --------
    >>> left = np.arange(400) % 4 == 0
    >>> has_reason = left & (np.arange(400) % 8 == 0)
    >>> missingness_leak(~has_reason, left.astype(int), "binary", "left", ["no", "yes"]).evidence
    'by being filled: left is yes in 100.0% of 50 rows with a value, in 14.3% of 350 without'
    """
    if min(int(missing.sum()), int((~missing).sum())) < MIN_STATE_ROWS:
        return None
    outcomes, labels = (target, classes) if task != "regression" else _frequent_value(target)
    if not labels:
        return None
    counts = np.stack(
        [np.bincount(outcomes[state].astype(np.int64), minlength=len(labels)) for state in (~missing, missing)]
    )
    certain_purities, suspected_purities = (MIN_FILLED_PURITY, MIN_MISSING_PURITY), MIN_SUSPECTED_PURITY
    if task == "regression":
        certain_purities = suspected_purities = (MIN_NUMBER_PURITY, MIN_NUMBER_PURITY)
    for state, certain_purity in enumerate(certain_purities):
        rows, other_rows = int(counts[state].sum()), int(counts[1 - state].sum())
        code = int(np.argmax(counts[state]))
        purity, other_share = counts[state, code] / rows, counts[1 - state, code] / other_rows
        if purity < suspected_purities[state] or other_share > MAX_OTHER_SHARE:
            continue
        if _chance(int(counts[state, code]), rows, float(counts[:, code].sum() / counts.sum())) > MAX_CHANCE:
            continue
        with_value, without = ("with a value", "without") if state == 0 else ("without a value", "with one")
        evidence = (
            f"by being {'missing' if state else 'filled'}: {name} is {labels[code]} in {purity:.1%} of {rows:,}"
            f" rows {with_value}, in {other_share:.1%} of {other_rows:,} {without}"
        )
        recall = counts[state, code] / counts[:, code].sum()
        certain = purity >= certain_purity and (state == 0 or recall >= MIN_MISSING_RECALL)
        return Missingness(bool(certain), evidence)
    return None


def _frequent_value(target: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Return the outcomes of a regression, if one number is frequent enough: that number, and all others."""
    values, counts = np.unique(target, return_counts=True)
    position = int(np.argmax(counts))
    if not MIN_VALUE_SHARE <= counts[position] / len(target) <= 1 - MIN_VALUE_SHARE:
        return np.zeros(0, dtype=np.int64), []
    value = f"{values[position]:g}"
    return (target == values[position]).astype(np.int64), [f"not {value}", value]


def _chance(count: int, rows: int, share: float) -> float:
    from scipy.stats import binom

    return float(binom.sf(count - 1, rows, share))
