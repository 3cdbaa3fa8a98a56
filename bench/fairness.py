"""Count wrong refusals by limits of fairness: python -m bench.fairness [--tables N]

Tables of groups with known selection rates are drawn, and held against `demographic_parity: 0.8` in three ways: by the
ratio of the lowest to the highest rate as it is; by the upper end of a percentile bootstrap of that ratio; and as
`validate` does it. Also whether the interval of each holds the true ratio.

Then numbers: tables of groups whose errors are normal, or lognormal to both sides, are held against limits at the true
difference of mean errors, ratio of mean absolute errors, and highest of these. Seeds are fixed.
"""

from __future__ import annotations

import argparse
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.measured.disparities import Gap, disparities
from modelcycle.measured.mean_disparities import Highest, mean_disparity
from modelcycle.measured.units import Units

LIMIT = 0.8
EXACT = 1e-12
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


class Errors(NamedTuple):
    """Groups by their rows, mean errors, scales of their errors, and whether these have heavy tails."""

    name: str
    rows: list[int]
    shifts: list[float]
    scales: list[float]
    heavy: bool


ERRORS = [
    Errors("2 of 500 rows", [500] * 2, [0.0] * 2, [1.0] * 2, False),
    Errors("10 of 60 rows", [60] * 10, [0.0] * 10, [1.0] * 10, False),
    Errors("10 of 60 rows, heavy tails", [60] * 10, [0.0] * 10, [1.0] * 10, True),
    Errors("60 and 3,000 rows, heavy tails", [60, 3000], [0.0] * 2, [1.0] * 2, True),
    Errors("2 of 1,000 rows, far apart", [1000] * 2, [0.0, 0.5], [1.0, 1.5], False),
]


class CountedErrors(NamedTuple):
    """Shares of tables: refused at a limit that the groups keep exactly, by the figure and by `validate`, for the
    difference of mean errors, the ratio of mean absolute errors and the highest of these; and whether the intervals
    hold the truth."""

    figure: tuple[float, float, float]
    ours: tuple[float, float, float]
    covers: tuple[float, float, float]


def count_errors(case: Errors, tables: int) -> CountedErrors:
    """Draw tables of one case and count.

    Examples
    --------
    >>> equal = count_errors(ERRORS[1], 10)
    >>> equal.ours[0] < 0.2 < equal.figure[0]
    True
    """
    random = np.random.default_rng(0)
    groups = list(range(len(case.rows)))
    codes = np.repeat(groups, case.rows)
    many = _drawn(case, np.repeat(groups, 400_000), random)
    absolute = [float(np.abs(part).mean()) for part in np.split(many, len(groups))]
    truth = max(case.shifts) - min(case.shifts), min(absolute) / max(absolute), max(absolute)
    found = np.zeros((3, 3))  # refused by the figure, by ours, covered; of the three limits
    for _ in range(tables):
        errors = _drawn(case, codes, random)
        signed, sizes = (mean_disparity(v, codes, groups, Units(len(codes)), 50) for v in (errors, np.abs(errors)))
        assert signed is not None and sizes is not None and sizes.ratio is not None and sizes.highest is not None
        measured: list[Gap | Highest] = [signed.difference.extreme, sizes.ratio.extreme, sizes.highest]
        for number, (one, limit) in enumerate(zip(measured, truth, strict=True)):
            low, high = one.interval
            below = number == 1  # a ratio is refused below its limit
            found[0, number] += limit - one.value > EXACT if below else one.value - limit > EXACT
            found[1, number] += limit - high > EXACT if below else low - limit > EXACT
            found[2, number] += low <= limit <= high
    figure, ours, covers = ((float(x), float(y), float(z)) for x, y, z in found / tables)
    return CountedErrors(figure, ours, covers)


def _drawn(case: Errors, codes: Array, random: np.random.Generator) -> Array:
    errors: Array = random.normal(size=len(codes))
    if case.heavy:
        errors = np.sign(errors) * random.lognormal(0, 1, len(codes))
    scaled: Array = errors * np.array(case.scales)[codes] + np.array(case.shifts)[codes]
    return scaled


def main() -> None:
    """Print a line for each case, of classes and of numbers."""
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
    print("\nlimits at the true value: refused by the figure, by ours, and covered, for each of")
    print(
        f"{'errors of groups':34}" + "".join(f"{name:>25}" for name in ("mean errors", "ratio of MAE", "highest MAE"))
    )
    for errors in ERRORS:
        said = count_errors(errors, tables)
        print(f"{errors.name:34}" + "".join(f" {x:8.1%} {y:6.1%} {z:6.1%};" for x, y, z in zip(*said, strict=True)))


if __name__ == "__main__":
    main()
