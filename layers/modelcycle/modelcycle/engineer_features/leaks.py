"""Columns that give the target away: known only once the target is, and worthless where the model is used.

Data alone cannot tell a leak from a perfect feature, so the limits are high, what is left out is said aloud with its
score, and a column that the pipeline file names stays.

A single column, cross-fitted in two halves of the training rows, tells every class (AUC of the worst one) or the number
(R2) from `TELLS` on. Real features stay below: the best ones have 0.78 in Adult, 0.94 in Iris, 0.98 in Wisconsin breast
cancer; `registered`, a part of bikeshare's target, has 0.976. For formulas of several columns see `sums`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.engineer_features import sums
from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.plan import Planned
from modelcycle.spec import Task

TELLS = 0.999  # AUC or R2 of a single column
LEAST_ROWS = 100  # fewer prove nothing: two clean classes of 30 flowers each are told apart by chance of sampling
LEAST_OF_A_CLASS = 10
BINS = 256
ROWS_OF_A_BIN = 20

Numbers = npt.NDArray[np.float64]


def find(decided: dict[str, Planned], rows: Columns, task: Task) -> Iterator[Planned]:
    """The columns to leave out, with the reason and the score."""
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
        yield from sums.find(numbers, rows)


def _tells(values: Values, target: npt.NDArray[Any], task: Task) -> tuple[str, float]:
    bins = _binned(values)
    if task == "regression":
        return "R2", _determination(values, bins, target)
    return "AUC", _separation(values, bins, target)


def _binned(values: Values) -> npt.NDArray[np.int64]:
    """Each row's bin (n,): a level, a value, or one of 256 quantiles at most; no value is a bin of its own."""
    raw: npt.NDArray[Any] = values.codes if isinstance(values, Texts) else values
    levels, codes = np.unique(raw, return_inverse=True)
    most = min(BINS, max(2, len(raw) // ROWS_OF_A_BIN))
    if isinstance(values, Texts) or len(levels) <= most:
        return codes.astype(np.int64)
    held = raw[~np.isnan(raw)]
    edges = np.unique(np.quantile(held, np.linspace(0, 1, most + 1)[1:-1]))
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


def _separation(values: Values, bins: npt.NDArray[np.int64], target: npt.NDArray[Any]) -> float:
    """The area under the ROC curve of the class that is told worst, each against the rest; numbers as they are, too."""
    as_they_are = None if isinstance(values, Texts) or np.isnan(values).any() else values
    areas = []
    for label in np.unique(target):
        truth = target == label
        if truth.sum() < LEAST_OF_A_CLASS:
            continue
        area = _auc(_cross_fitted(bins, truth.astype(np.float64)), truth)
        if as_they_are is not None:
            rising = _auc(as_they_are, truth)
            area = max(area, rising, 1 - rising)
        areas.append(area)
    return min(areas) if len(areas) > 1 else 0.0


def _auc(score: npt.NDArray[Any], truth: npt.NDArray[np.bool_]) -> float:
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
