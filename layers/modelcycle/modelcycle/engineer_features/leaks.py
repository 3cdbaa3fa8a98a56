"""Columns that leak the target: known only once the target is, and worthless where the model is used.

A leak cannot be distinguished from a perfect feature by the data alone. So the thresholds are high, people see what is
left out and its score, and a column that the pipeline file lists stays.

Two kinds are found: a single column that predicts the target, here, and several number columns that give it by a
formula, in `formulas`. A single column is scored on the training rows, cross-fitted in two halves: by the lowest AUC
over the classes, each against the rest, or by R2. Real features stay below `MIN_LEAK_SCORE`: the best ones have 0.78 in
Adult, 0.94 in Iris, 0.98 in Wisconsin breast cancer; `registered`, a part of bikeshare's target, has 0.976.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.engineer_features.formulas import exact_formulas
from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.plan import Planned
from modelcycle.spec import Task

MIN_LEAK_SCORE = 0.999  # AUC or R2 of a single column
MIN_LEAK_ROWS = 100  # with fewer rows, a real feature may separate the classes by chance
MIN_SCORED_CLASS_ROWS = 10  # rarer classes are not scored
MIN_PRESENT_SHARE = 0.9  # of the values, for a correlation
MAX_BINS = 256
MIN_BIN_ROWS = 20

Numbers = npt.NDArray[np.float64]


def leaking_columns(plan: dict[str, Planned], rows: Columns, task: Task) -> Iterator[Planned]:
    """Yield the columns to leave out, replanned with the reason and the score.

    Parameters
    ----------
    plan : by column, as planned so far
    rows : training rows, with the target
    task : what is predicted

    Examples
    --------
    >>> amount = np.arange(200.0)
    >>> rows = Columns({"amount": amount, "paid": 2 * amount + 1}, target=amount**2)
    >>> plan = {name: Planned(column=name, treatment="number", why="") for name in rows.values}
    >>> [planned.why for planned in leaking_columns(plan, rows, "regression")][:1]
    ['gives the target away: by itself it predicts every value (R2 1.0000)']
    """
    assert rows.target is not None
    if rows.rows < MIN_LEAK_ROWS:
        return
    names = [name for name, planned in plan.items() if planned.treatment != "left_out"]
    left_out = set()
    for name in names:
        bins = _bins(rows.values[name])
        if task == "regression":
            measure, score = "R2", _best_r2(rows.values[name], bins, rows.target)
        else:
            measure, score = "AUC", _lowest_auc(rows.values[name], bins, rows.target)
        if score >= MIN_LEAK_SCORE:
            left_out.add(name)
            predicted = "value" if task == "regression" else "class"
            why = f"gives the target away: by itself it predicts every {predicted} ({measure} {score:.4f})"
            yield Planned(column=name, treatment="left_out", loud=True, why=why)
    if task == "regression":
        numbers = [name for name in names if plan[name].treatment == "number" and name not in left_out]
        yield from exact_formulas(numbers, rows)


def _bins(values: Values) -> npt.NDArray[np.int64]:
    """Return each row's bin (n,): a level, a distinct value, or one of at most MAX_BINS quantiles; missing is a bin."""
    raw: npt.NDArray[Any] = values.codes if isinstance(values, Texts) else values
    distinct, codes = np.unique(raw, return_inverse=True)
    max_bins = min(MAX_BINS, max(2, len(raw) // MIN_BIN_ROWS))
    if isinstance(values, Texts) or len(distinct) <= max_bins:
        return codes.astype(np.int64)
    missing = np.isnan(raw)
    edges = np.unique(np.quantile(raw[~missing], np.linspace(0, 1, max_bins + 1)[1:-1]))
    return np.where(missing, len(edges) + 1, np.searchsorted(edges, raw, side="left")).astype(np.int64)


def _cross_fitted_means(bins: npt.NDArray[np.int64], target: Numbers) -> Numbers:
    """Return for each row (n,) the mean target of its bin in the other half; if that has no such rows, its mean."""
    half = np.arange(len(bins)) % 2
    n_bins = int(bins.max()) + 1
    fitted = np.empty(len(bins))
    for current in (0, 1):
        other = half != current
        counts = np.bincount(bins[other], minlength=n_bins)
        totals = np.bincount(bins[other], weights=target[other], minlength=n_bins)
        means = np.where(counts > 0, totals / np.maximum(counts, 1), target[other].mean())
        fitted[~other] = means[bins[~other]]
    return fitted


def _lowest_auc(values: Values, bins: npt.NDArray[np.int64], target: npt.NDArray[Any]) -> float:
    """Return the lowest AUC over the classes, each against the rest, by the bins or by the numbers themselves."""
    from scipy.stats import rankdata

    number_ranks = None if isinstance(values, Texts) or np.isnan(values).any() else rankdata(values)
    areas = []
    for code in np.unique(target):
        is_class = target == code
        if is_class.all() or is_class.sum() < MIN_SCORED_CLASS_ROWS:
            continue
        area = _auc(rankdata(_cross_fitted_means(bins, is_class.astype(np.float64))), is_class)
        if number_ranks is not None:
            ascending = _auc(number_ranks, is_class)
            area = max(area, ascending, 1 - ascending)
        areas.append(area)
    return min(areas) if len(areas) > 1 else 0.0


def _auc(ranks: Numbers, is_class: npt.NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve by the rank sum (Mann-Whitney U).

    It equals scikit-learn's `roc_auc_score`, which takes four to a hundred times as long: too long for a thousand
    columns of a hundred classes.

    Parameters
    ----------
    ranks : of the scores (n,), ties with their mean
    is_class : (n,)
    """
    inside, outside = int(is_class.sum()), int((~is_class).sum())
    return float((ranks[is_class].sum() - inside * (inside + 1) / 2) / (inside * outside))


def _best_r2(values: Values, bins: npt.NDArray[np.int64], target: Numbers) -> float:
    """Return the best R2 of three predictions: the mean of each bin, a straight line, a monotonic curve."""
    from scipy.stats import rankdata
    from sklearn.metrics import r2_score

    if np.ptp(target) == 0:
        return 0.0
    scores = [float(r2_score(target, _cross_fitted_means(bins, target)))]
    if not isinstance(values, Texts):
        present = ~np.isnan(values)
        x, y = values[present].astype(np.float64), target[present]
        if len(x) >= max(MIN_LEAK_ROWS, MIN_PRESENT_SHARE * len(values)) and np.ptp(x) > 0 and np.ptp(y) > 0:
            pearson, spearman = np.corrcoef(x, y)[0, 1], np.corrcoef(rankdata(x), rankdata(y))[0, 1]
            scores += [float(pearson**2), float(spearman**2)]
    return max(scores)
