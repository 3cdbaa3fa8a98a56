"""Columns from which the target follows by a formula, like `casual + registered = bikers` or `1.19 net - rebate`.

A least-squares fit over the number columns explains the target from R2 `EXACT` on; the fewest columns that do it are
left out, with the formula as the reason. Measured quantities have noise, so an exact fit nearly always means that one
side was computed from the other. Where the formula holds before the target is known (a law of nature, a simulation),
`features.numeric` keeps the columns: see docs/decisions/11-leaks.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns
from modelcycle.model.plan import Planned

EXACT = 0.9999  # R2 of a formula
ALIKE = 0.01  # relative difference of weights that count as the same: a plain sum, whose weights need not be said
LEAST_ROWS = 100  # fewer prove nothing
ROWS_A_COLUMN = 5
MOST_TERMS = 12  # of a sum
MOST_NUMBERS = 200  # columns searched, those that go with the target most
FOUND_SUMS = 10
LIGHT = 1e-3  # weights in standard deviations of the target that are rounding

Numbers = npt.NDArray[np.float64]


def find(names: list[str], rows: Columns) -> Iterator[Planned]:
    """Take the smallest exact formula out of the columns, again and again, until none is left.

    Parameters
    ----------
    names : number columns that may be learned from
    rows : table with a target of numbers (n,)

    Returns
    -------
    the columns of each formula, left out
    """
    columns = {name: np.asarray(rows.values[name], dtype=np.float64) for name in names}
    columns = {name: values for name, values in columns.items() if np.isnan(values).mean() < 0.05}
    for _ in range(FOUND_SUMS):
        terms, weights, fit = _formula(columns, np.asarray(rows.target, dtype=np.float64))
        if not terms:
            return
        why = f"gives the target away: {_written(terms, weights)} is the target (R2 {fit:.4f})"
        for name in terms:
            del columns[name]
            yield Planned(column=name, treatment="left_out", loud=True, why=why)


def _written(terms: list[str], weights: Numbers) -> str:
    """The formula for people; weights only where they differ. A constant beside them is not said."""
    sizes = np.abs(weights)
    plain = sizes.max() - sizes.min() <= ALIKE * sizes.max()
    parts = [
        f"{'-' if weight < 0 else '+'} {'' if plain else f'{abs(weight):.4g} '}{term}"
        for term, weight in zip(terms, weights, strict=True)
    ]
    return " ".join(parts).removeprefix("+ ")


def _formula(columns: dict[str, Numbers], target: Numbers) -> tuple[list[str], Numbers, float]:
    """The fewest columns whose weighted sum is the target: names, weights and R2; no names when there is none."""
    nothing: tuple[list[str], Numbers, float] = ([], np.zeros(0), 0.0)
    if len(columns) < 2:
        return nothing
    names = list(columns)
    table = np.column_stack([columns[name] for name in names])
    complete = ~np.isnan(table).any(axis=1)
    table, y = table[complete], target[complete]
    if len(y) < LEAST_ROWS:
        return nothing
    table, y = table - table.mean(axis=0), y - y.mean()
    sizes, size = np.sqrt((table**2).mean(axis=0)), float(np.sqrt((y**2).mean()))
    usable = np.flatnonzero((sizes > 0) & np.isfinite(sizes))
    if size == 0 or not np.isfinite(size) or len(usable) < 2:
        return nothing
    table, y = table[:, usable] / sizes[usable], y / size
    if len(usable) > MOST_NUMBERS:
        nearest = np.sort(np.argsort(-np.abs(table.T @ y), kind="stable")[:MOST_NUMBERS])
        table, usable = table[:, nearest], usable[nearest]
    if len(y) < ROWS_A_COLUMN * len(usable):
        return nothing
    gram, moment = table.T @ table / len(y), table.T @ y / len(y)

    def fitted(chosen: list[int]) -> tuple[Numbers, float]:
        weights: Numbers = np.linalg.lstsq(gram[np.ix_(chosen, chosen)], moment[chosen], rcond=1e-10)[0]
        rest = y - table[:, chosen] @ weights
        return weights, 1 - float((rest**2).mean())

    chosen = list(range(len(usable)))
    weights, fit = fitted(chosen)
    if fit < EXACT:
        return nothing
    heavy = [place for place, weight in zip(chosen, weights, strict=True) if abs(weight) > LIGHT]
    if len(heavy) > MOST_TERMS or fitted(heavy)[1] < EXACT:
        return nothing
    # of columns that weigh the same, the first in the data stays
    for place in sorted(heavy, key=lambda place: (round(abs(float(weights[place])), 6), -place)):
        fewer = [other for other in heavy if other != place]
        if fewer and fitted(fewer)[1] >= EXACT:
            heavy = fewer
    weights, fit = fitted(heavy)
    if len(heavy) < 2:
        return nothing
    places = usable[heavy]
    return [names[place] for place in places], weights * size / sizes[places], fit
