"""Count wrong refusals by a limit of fairness: python -m bench.fairness [--tables N]

Tables of groups with known selection rates are drawn, and held against `demographic_parity: 0.8` in three ways: by the
ratio of the lowest to the highest rate as it is; by the upper end of a percentile bootstrap of that ratio; and as
`validate` does it. Also whether the interval of each holds the true ratio. Seeds are fixed.
"""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.measured.disparities import disparities
from modelcycle.measured.units import Units

LIMIT = 0.8
DRAWS = 1_000
Array = npt.NDArray[Any]


class Case(NamedTuple):
    """Groups by their rows and selection rates."""

    name: str
    rows: list[int]
    rates: list[float]


CASES = [
    Case("2 of 500 rows", [500] * 2, [0.2] * 2),
    Case("10 of 60 rows", [60] * 10, [0.2] * 10),
    Case("10 of 100 rows, one at the limit", [100] * 10, [0.24] + [0.3] * 9),
    Case("1,300 and 2,700 rows", [1300, 2700], [0.08, 0.26]),
]


class Counted(NamedTuple):
    """Shares of tables: refused by the figure, by the percentile bootstrap and by `validate`; and whether the intervals
    of the latter two hold the true ratio."""

    figure: float
    percentile: float
    ours: float
    percentile_covers: float
    ours_covers: float


def count(case: Case, tables: int) -> Counted:
    """Draw tables of one case and count.

    Examples
    --------
    >>> equal = count(CASES[1], 10)
    >>> equal.ours < 0.2 < equal.figure
    True
    """
    random = np.random.default_rng(0)
    codes, rows = np.repeat(np.arange(len(case.rows)), case.rows), np.array(case.rows)
    truth = min(case.rates) / max(case.rates)
    found = []
    for _ in range(tables):
        selected = random.random(len(codes)) < np.array(case.rates)[codes]
        rates = np.bincount(codes, selected) / rows
        drawn = random.binomial(rows, rates, size=(DRAWS, len(rows))) / rows
        with np.errstate(invalid="ignore"):
            low, high = np.nanquantile(drawn.min(axis=1) / drawn.max(axis=1), [0.025, 0.975])
        judged = disparities(selected.astype(np.int64), codes, list(range(len(rows))), Units(len(codes)), 50)
        own_low, own_high = next(one for one in judged if one.rate == "selection_rate").ratio.interval
        found.append(
            (rates.min() / rates.max() < LIMIT, high < LIMIT, own_high < LIMIT, low <= truth <= high,
             own_low <= truth <= own_high)
        )  # fmt: skip
    return Counted(*np.mean(found, axis=0).tolist())


def main() -> None:
    """Print a line for each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=300)
    tables = parser.parse_args().tables
    print(f"{'groups':34} {'true':>5} {'figure':>8} {'percentile':>11} {'ours':>6} {'covered':>8} {'ours':>6}")
    for case in CASES:
        counted = count(case, tables)
        print(
            f"{case.name:34} {min(case.rates) / max(case.rates):5.2f} {counted.figure:8.1%} {counted.percentile:11.1%}"
            f" {counted.ours:6.1%} {counted.percentile_covers:8.1%} {counted.ours_covers:6.1%}"
        )


if __name__ == "__main__":
    main()
