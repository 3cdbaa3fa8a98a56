"""Columns that add up to the target, like `casual + registered = bikers`.

A least-squares fit over the number columns explains the target from R2 `ADDS_UP` on; the fewest columns that do it are
named. Parts of a sum weigh alike. An exact formula whose weights differ, like 3 a - 1.2 b, may well be a law of nature:
its columns stay, with a warning in the plan.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns
from modelcycle.model.plan import Planned

ADDS_UP = 0.9999  # R2 of a sum
ALIKE = 0.01  # relative difference of weights that count as the same
LEAST_ROWS = 100  # fewer prove nothing
ROWS_A_COLUMN = 5
MOST_TERMS = 12  # of a sum
MOST_NUMBERS = 200  # columns searched, those that go with the target most
FOUND_SUMS = 10
LIGHT = 1e-3  # weights in standard deviations of the target that are rounding

Numbers = npt.NDArray[np.float64]


def find(decided: dict[str, Planned], names: list[str], rows: Columns) -> Iterator[Planned]:
    """Take the smallest exact formula out of the columns, again and again, until none is left."""
    columns = {name: np.asarray(rows.values[name], dtype=np.float64) for name in names}
    columns = {name: values for name, values in columns.items() if np.isnan(values).mean() < 0.05}
    for _ in range(FOUND_SUMS):
        terms, weights, fit = _formula(columns, np.asarray(rows.target, dtype=np.float64))
        if not terms:
            return
        sizes = np.abs(weights)
        is_sum = sizes.max() - sizes.min() <= ALIKE * sizes.max()
        others = {name: " + ".join(other for other in terms if other != name) for name in terms}
        for name in terms:
            del columns[name]
            if is_sum:
                signs = ["-" if weight < 0 else "+" for weight in weights]
                said = " ".join(f"{sign} {term}" for sign, term in zip(signs, terms, strict=True)).removeprefix("+ ")
                yield Planned(
                    column=name, treatment="left_out", loud=True,
                    why=f"gives the target away: {said} is the target (R2 {fit:.4f})",
                )  # fmt: skip
            else:
                why = f"with {others[name]} an exact formula of the target (R2 {fit:.4f}): is it known before?"
                yield decided[name].model_copy(update={"loud": True, "why": f"{decided[name].why}; {why}"})


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
    if fit < ADDS_UP:
        return nothing
    heavy = [place for place, weight in zip(chosen, weights, strict=True) if abs(weight) > LIGHT]
    if len(heavy) > MOST_TERMS or fitted(heavy)[1] < ADDS_UP:
        return nothing
    # of columns that weigh the same, the first in the data stays
    for place in sorted(heavy, key=lambda place: (round(abs(float(weights[place])), 6), -place)):
        fewer = [other for other in heavy if other != place]
        if fewer and fitted(fewer)[1] >= ADDS_UP:
            heavy = fewer
    weights, fit = fitted(heavy)
    if len(heavy) < 2:
        return nothing
    places = usable[heavy]
    return [names[place] for place in places], weights * size / sizes[places], fit
