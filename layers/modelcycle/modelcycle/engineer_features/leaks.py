"""Columns that give the target away: known only once the target is, and worthless where the model is used.

Data alone cannot tell a leak from a perfect feature, so the limits are high, what is left out is said aloud with its
score, and a column that the pipeline file names stays.

- One column: cross-fitted in two halves of the training rows, it tells every class (AUC of the worst class) or the
  number (R2) from `TELLS` on. Real features stay far below: the best one of Adult has AUC 0.78, `registered` of
  bikeshare R2 0.95.
- A sum: several number columns that, added and subtracted, give the target (R2 from `ADDS_UP` on), like
  `casual + registered = bikers`. Parts of a sum weigh alike. An exact formula whose weights differ, like
  3 a - 1.2 b, may well be a law of nature: its columns stay, with a warning in the plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.plan import Planned
from modelcycle.spec import Task

TELLS = 0.999  # AUC or R2 of a single column
ADDS_UP = 0.9999  # R2 of a sum
ALIKE = 0.01  # relative difference of weights that count as the same
LEAST_ROWS = 100  # fewer prove nothing: two clean classes of 30 flowers each are told apart by chance of sampling
BINS = 256
MOST_TERMS = 12  # of a sum
MOST_NUMBERS = 200  # columns searched for sums
FOUND_SUMS = 10

Numbers = npt.NDArray[np.float64]


def find(decided: dict[str, Planned], rows: Columns, task: Task) -> Iterator[Planned]:
    """The columns to leave out or to warn about, with the reason and the score."""
    assert rows.target is not None
    if rows.rows < LEAST_ROWS:
        return
    names = [name for name, planned in decided.items() if planned.treatment != "left_out"]
    told = set()
    for name in names:
        measure, score = _tells(rows.values[name], rows.target, task)
        if score >= TELLS:
            told.add(name)
            why = f"gives the target away: alone it tells {'it' if task == 'regression' else 'every class'}"
            yield Planned(column=name, treatment="left_out", loud=True, why=f"{why} ({measure} {score:.4f})")
    if task == "regression":
        numbers = [name for name in names if decided[name].treatment == "number" and name not in told]
        yield from _sums(decided, numbers, rows)


def _tells(values: Values, target: npt.NDArray[Any], task: Task) -> tuple[str, float]:
    bins = _binned(values)
    if task == "regression":
        return "R2", _determination(values, bins, target)
    return "AUC", _separation(bins, target)


def _binned(values: Values) -> npt.NDArray[np.int64]:
    """Each row's bin (n,): a level, a value, or one of 256 quantiles; no value is a bin of its own."""
    raw: npt.NDArray[Any] = values.codes if isinstance(values, Texts) else values
    levels, codes = np.unique(raw, return_inverse=True)
    if isinstance(values, Texts) or len(levels) <= BINS:
        return codes.astype(np.int64)
    held = raw[~np.isnan(raw)]
    edges = np.unique(np.quantile(held, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(np.isnan(raw), len(edges) + 1, np.searchsorted(edges, raw, side="left")).astype(np.int64)


def _cross_fitted(bins: npt.NDArray[np.int64], target: Numbers) -> Numbers:
    """Mean target of each row's bin among the rows of the other half; an unseen bin gets the other half's mean."""
    half = np.arange(len(bins)) % 2
    width = int(bins.max()) + 1
    answer = np.empty(len(bins))
    for mine in (0, 1):
        other = half != mine
        counts = np.bincount(bins[other], minlength=width)
        sums = np.bincount(bins[other], weights=target[other], minlength=width)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), target[other].mean())
        answer[~other] = means[bins[~other]]
    return answer


def _separation(bins: npt.NDArray[np.int64], target: npt.NDArray[Any]) -> float:
    """The area under the ROC curve of the class that is told worst, each against the rest."""
    areas = []
    for label in np.unique(target):
        truth = target == label
        areas.append(_auc(_cross_fitted(bins, truth.astype(np.float64)), truth))
    return min(areas) if len(areas) > 1 else 0.0


def _auc(score: Numbers, truth: npt.NDArray[np.bool_]) -> float:
    """Mann-Whitney: the chance that a row of the class scores above one of the rest, ties counted half."""
    ranks = _ranks(score)
    inside, outside = int(truth.sum()), int((~truth).sum())
    return float((ranks[truth].sum() - inside * (inside + 1) / 2) / (inside * outside))


def _ranks(values: npt.NDArray[Any]) -> Numbers:
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: Numbers = last - (counts - 1) / 2
    return mean[codes]


def _determination(values: Values, bins: npt.NDArray[np.int64], target: Numbers) -> float:
    """The best R2 of three readings: a mean for each bin, a straight line, a rising or falling curve."""
    spread = float(((target - target.mean()) ** 2).sum())
    if spread == 0:
        return 0.0
    readings = [1 - float(((target - _cross_fitted(bins, target)) ** 2).sum()) / spread]
    if not isinstance(values, Texts):
        held = ~np.isnan(values)
        if held.sum() >= max(LEAST_ROWS, 0.9 * len(values)):
            x, y = values[held].astype(np.float64), target[held]
            readings += [_correlation(x, y) ** 2, _correlation(_ranks(x), _ranks(y)) ** 2]
    return max(readings)


def _correlation(x: Numbers, y: Numbers) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x**2).sum() * (y**2).sum()))
    return float((x * y).sum()) / size if size > 0 and np.isfinite(size) else 0.0


def _sums(decided: dict[str, Planned], names: list[str], rows: Columns) -> Iterator[Planned]:
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
    if len(y) < 5 * len(usable):
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
    heavy = [place for place, weight in zip(chosen, weights, strict=True) if abs(weight) > 1e-3]
    if len(heavy) > MOST_TERMS or fitted(heavy)[1] < ADDS_UP:
        return nothing
    for place in sorted(heavy, key=lambda place: abs(weights[place])):
        fewer = [other for other in heavy if other != place]
        if fewer and fitted(fewer)[1] >= ADDS_UP:
            heavy = fewer
    weights, fit = fitted(heavy)
    if len(heavy) < 2:
        return nothing
    places = usable[heavy]
    return [names[place] for place in places], weights * size / sizes[places], fit
