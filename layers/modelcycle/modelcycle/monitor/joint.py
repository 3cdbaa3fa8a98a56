"""Whether a classifier can tell the window's rows from those of the reference: columns that changed together.

The classifier two-sample test (Lopez-Paz and Oquab, Revisiting classifier two-sample tests, 2017) with the area under
the ROC curve, which without a change is Mann and Whitney's statistic, whatever the classifier. Each half of the rows is
judged by a classifier that learned from the other half. The two results depend on each other: both are large if the
halves share a chance association. So their mean is tested as if it were one of them, which is never too bold.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

from modelcycle.messages.monitoring import Signal
from modelcycle.model.window import WindowSample, WindowSummary
from modelcycle.monitor.signals import clauses, not_watched, signal, state_of
from modelcycle.spec import Monitoring

MIN_HALF_ROWS = 50  # of each side
MAX_LEVELS = 64  # of a text column; rarer ones share one
TREES, LEAVES = 30, 8
NAMED_COLUMNS = 3

Rows = npt.NDArray[np.float32]


def joint_is_watched(summary: WindowSummary, sample: WindowSample | None) -> bool:
    """Return whether `joint_drift` makes a test."""
    return sample is not None and len(_columns(summary, sample)) > 0 and _half_rows(sample) >= MIN_HALF_ROWS


def joint_drift(summary: WindowSummary, sample: WindowSample | None, limits: Monitoring, limit: float) -> Signal:
    """Return whether the columns that the model reads have changed together.

    The effect is the PSI of a normal distribution whose shift has the same area under the curve, so that
    `monitoring.psi` means the same as of a single column.
    """
    if sample is None:
        return not_watched("joint drift", "", "no sample of rows")
    columns = _columns(summary, sample)
    if not len(columns):
        return not_watched("joint drift", "", "no column can be compared")
    if _half_rows(sample) < MIN_HALF_ROWS:
        return signal("joint drift", "", "too few", detail=f"fewer than {2 * MIN_HALF_ROWS} rows in the sample")
    rows = np.concatenate([_prepared(sample, columns, side) for side in (sample.reference, sample.live)])
    is_live = np.repeat([False, True], [len(sample.reference), len(sample.live)])
    folds = np.concatenate([np.arange(len(side)) % 2 for side in (sample.reference, sample.live)])
    texts = sample.texts[columns]
    areas, zs, models = [], [], []
    for fold in (0, 1):
        model = _fitted(rows[folds != fold], is_live[folds != fold], texts)
        area, deviation = _area(model.predict_proba(rows[folds == fold])[:, 1], is_live[folds == fold])
        areas.append(area)
        zs.append((area - 0.5) / deviation if deviation else 0.0)
        models.append(model)
    area, z = float(np.mean(areas)), float(np.mean(zs))
    p = float(norm.sf(z))
    effect = 2 * float(norm.ppf(min(max(area, 0.5), 1 - 1e-9))) ** 2
    state = state_of(p, limit, effect, limits.psi)
    reach = 1.96 * abs(area - 0.5) / abs(z) if z else 0.0
    detail = ""
    if state != "ok":
        chosen = folds == 1
        named = _telling(models[1], rows[chosen], is_live[chosen], areas[1])
        detail = clauses(
            f"live rows can be told from the reference (area under the ROC curve {area:.2f})",
            f"mostly by {', '.join(sample.names[columns[number]] for number in named)}" if named else "",
        )
    left_out = [name for number, name in enumerate(sample.names) if number not in set(columns.tolist())]
    return signal(
        "joint drift", "", state, value=area, low=max(area - reach, 0.0), high=min(area + reach, 1.0), expected=0.5,
        effect=effect, p=p, unit="AUC",
        detail=clauses(detail, f"without {len(left_out)} dates, masked or absent columns" if left_out else ""),
    )  # fmt: skip


def _half_rows(sample: WindowSample) -> int:
    return min(len(sample.reference), len(sample.live)) // 2


def _columns(summary: WindowSummary, sample: WindowSample) -> npt.NDArray[np.int64]:
    """Return positions in the sample of the columns whose change would be one of the data.

    Later dates are expected, and columns that are masked or in no request tell all live rows apart.
    """
    without = {
        column.name
        for column in summary.columns
        if column.type == "datetime" or column.live.masked or column.live.absent >= max(column.live.rows, 1)
    }
    return np.array([number for number, name in enumerate(sample.names) if name not in without], dtype=np.int64)


def _prepared(sample: WindowSample, columns: npt.NDArray[np.int64], side: Rows) -> Rows:
    """Return the columns of a side; of texts the most frequent levels of both sides, as 0, 1 ..., and the others as
    one."""
    prepared = side[:, columns].astype(np.float32)
    for position, column in enumerate(columns):
        if not sample.texts[column]:
            continue
        both = np.concatenate([sample.reference[:, column], sample.live[:, column]])
        levels, counts = np.unique(both[~np.isnan(both)], return_counts=True)
        frequent = np.sort(levels[np.argsort(-counts, kind="stable")[: MAX_LEVELS - 1]])
        if not len(frequent):
            continue
        values = prepared[:, position]
        found = np.minimum(np.searchsorted(frequent, values), len(frequent) - 1)
        codes = np.where(frequent[found] == values, found, len(frequent)).astype(np.float32)
        prepared[:, position] = np.where(np.isnan(values), np.nan, codes)
    prepared[~np.isfinite(prepared)] = np.nan
    return prepared


def _fitted(rows: Rows, is_live: npt.NDArray[np.bool_], texts: npt.NDArray[np.bool_]) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=TREES, max_leaf_nodes=LEAVES, min_samples_leaf=20, learning_rate=0.1, early_stopping=False,
        class_weight="balanced", categorical_features=texts, random_state=0,
    )  # fmt: skip
    return model.fit(rows, is_live)


def _area(scores: npt.NDArray[Any], is_live: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the area under the ROC curve, and its standard deviation if both sides are alike, with ties (Lehmann,
    Nonparametrics, 1975)."""
    live, total = int(is_live.sum()), len(is_live)
    reference = total - live
    ranks = rankdata(scores)
    area = (float(ranks[is_live].sum()) - live * (live + 1) / 2) / (live * reference)
    _, ties = np.unique(scores, return_counts=True)
    tied = float(np.sum(ties.astype(np.float64) ** 3 - ties)) / (total * (total - 1))
    variance = (total + 1 - tied) / (12 * live * reference)
    return area, math.sqrt(max(variance, 0.0))


def _telling(model: Any, rows: Rows, is_live: npt.NDArray[np.bool_], area: float) -> list[int]:
    """Return the columns without which the classifier is worst, the most telling first: each is shuffled in turn."""
    rng = np.random.default_rng(0)
    losses = []
    for column in range(rows.shape[1]):
        shuffled = rows.copy()
        shuffled[:, column] = rng.permutation(shuffled[:, column])
        losses.append(area - _area(model.predict_proba(shuffled)[:, 1], is_live)[0])
    order = np.argsort(-np.array(losses), kind="stable")[:NAMED_COLUMNS]
    return [int(number) for number in order if losses[number] >= max(losses) / 4 > 0]
