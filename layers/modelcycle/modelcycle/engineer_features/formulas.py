"""Number columns that give the target by an exact formula, like `casual + registered = bikers` or `1.19 net - rebate`.

A least-squares fit over all number columns is exact if its R2 is at least `MIN_FORMULA_R2`; then the smallest set of
columns with an exact fit is left out. Measured quantities have noise, so an exact fit nearly always means that one side
was computed from the other. If the formula holds before the target is known (a law of nature, a simulation), list the
columns in `features.numeric`: see docs/decisions/11-leaks.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.model.plan import Planned

MIN_FORMULA_R2 = 0.9999
MAX_PLAIN_DIFFERENCE = 0.01  # relative, between weights that are equal: a plain sum, shown without weights
MAX_SEARCHED_MISSING_SHARE = 0.05  # of a column's values, for it to be searched
MIN_FORMULA_ROWS = 100  # complete rows
MIN_ROWS_PER_COLUMN = 5
MAX_TERMS = 12
MAX_SEARCHED_COLUMNS = 200  # those that correlate most with the target
MAX_FORMULAS = 10
MIN_WEIGHT = 1e-3  # in standard deviations of the target; smaller weights are rounding errors
WEIGHT_DIGITS = 6  # decimals by which weights are ordered
CUTOFF = 1e-10  # relative, of the singular values of collinear columns

Numbers = npt.NDArray[np.float64]


class Formula(NamedTuple):
    """A weighted sum of columns that is the target, but for a constant.

    Parameters
    ----------
    columns : names
    weights : (len(columns),), in the units of the data
    r2 : of the fit
    rows : number of rows without a missing value, on which it was fitted
    """

    columns: list[str]
    weights: Numbers
    r2: float
    rows: int


def exact_formulas(columns: dict[str, Numbers], target: Numbers) -> Iterator[Planned]:
    """Yield the columns of each exact formula, to leave out; then search the remaining ones, until there is none.

    Parameters
    ----------
    columns : numbers (n,) of the columns that are features so far, NaN where missing; dates in days
    target : numbers (n,)

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> casual, registered = random.normal(size=(2, 200))
    >>> columns = {"casual": casual, "registered": registered}
    >>> for planned in exact_formulas(columns, target=casual + registered):
    ...     print(planned.column, "-", planned.why)
    casual - gives the target away: casual + registered is the target (R2 1.0000 on 200 rows)
    registered - gives the target away: casual + registered is the target (R2 1.0000 on 200 rows)
    """
    columns = {name: values for name, values in columns.items() if np.isnan(values).mean() < MAX_SEARCHED_MISSING_SHARE}
    for _ in range(MAX_FORMULAS):
        formula = _smallest_formula(columns, target)
        if formula is None:
            return
        why = f"gives the target away: {_to_text(formula)} is the target (R2 {formula.r2:.4f} on {formula.rows:,} rows)"
        for name in formula.columns:
            del columns[name]
            yield Planned(column=name, treatment="left_out", loud=True, why=why)


def _to_text(formula: Formula) -> str:
    """Return a formula for people, without its constant; weights are shown only if they differ."""
    sizes = np.abs(formula.weights)
    plain = sizes.max() - sizes.min() <= MAX_PLAIN_DIFFERENCE * sizes.max()
    terms = [
        f"{'-' if weight < 0 else '+'} {'' if plain else f'{abs(weight):.4g} '}{column}"
        for column, weight in zip(formula.columns, formula.weights, strict=True)
    ]
    return " ".join(terms).removeprefix("+ ")


def _smallest_formula(columns: dict[str, Numbers], target: Numbers) -> Formula | None:
    """Return the smallest exact formula of two or more columns; None if there is none.

    The columns of the fit over all columns are removed one by one, by ascending weight, while the fit stays exact.
    """
    if len(columns) < 2:
        return None
    names = list(columns)
    table = np.column_stack([columns[name] for name in names])
    complete = ~np.isnan(table).any(axis=1)
    x, y = table[complete], target[complete]
    if len(y) < MIN_FORMULA_ROWS:
        return None
    x, y = x - x.mean(axis=0), y - y.mean()
    x_scales, y_scale = np.sqrt((x**2).mean(axis=0)), float(np.sqrt((y**2).mean()))
    searched = np.flatnonzero((x_scales > 0) & np.isfinite(x_scales))
    if y_scale == 0 or not np.isfinite(y_scale) or len(searched) < 2:
        return None
    x, y = x[:, searched] / x_scales[searched], y / y_scale
    if len(searched) > MAX_SEARCHED_COLUMNS:
        correlated = np.sort(np.argsort(-np.abs(x.T @ y), kind="stable")[:MAX_SEARCHED_COLUMNS])
        x, searched = x[:, correlated], searched[correlated]
    if len(y) < MIN_ROWS_PER_COLUMN * len(searched):
        return None
    fit = _LeastSquares(x, y)
    weights, r2 = fit(list(range(len(searched))))
    if r2 < MIN_FORMULA_R2:
        return None
    chosen = [position for position, weight in enumerate(weights) if abs(weight) > MIN_WEIGHT]
    if len(chosen) > MAX_TERMS or fit(chosen)[1] < MIN_FORMULA_R2:
        return None
    # of columns with equal weights, the first in the data stays
    for position in sorted(chosen, key=lambda p: (round(abs(float(weights[p])), WEIGHT_DIGITS), -p)):
        others = [other for other in chosen if other != position]
        if others and fit(others)[1] >= MIN_FORMULA_R2:
            chosen = others
    if len(chosen) < 2:
        return None
    weights, r2 = fit(chosen)
    numbers = searched[chosen]
    return Formula([names[number] for number in numbers], weights * y_scale / x_scales[numbers], r2, len(y))


class _LeastSquares:
    """Least-squares fits on subsets of standardized columns, which share the products of all columns.

    Parameters
    ----------
    x : (n, k), standardized
    y : (n,), standardized
    """

    def __init__(self, x: Numbers, y: Numbers) -> None:
        self.x, self.y = x, y
        self.gram, self.moment = x.T @ x / len(y), x.T @ y / len(y)

    def __call__(self, columns: list[int]) -> tuple[Numbers, float]:
        """Return the weights (len(columns),) and R2 of a fit on some columns."""
        gram, moment = self.gram[np.ix_(columns, columns)], self.moment[columns]
        weights = np.asarray(np.linalg.lstsq(gram, moment, rcond=CUTOFF)[0], dtype=np.float64)
        residuals = self.y - self.x[:, columns] @ weights
        return weights, 1 - float((residuals**2).mean())
