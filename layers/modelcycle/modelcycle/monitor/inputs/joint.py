"""Whether a classifier can tell the window's rows from those of the reference: columns that changed together.

The classifier two-sample test (Lopez-Paz and Oquab, Revisiting classifier two-sample tests, 2017) with the area under
the ROC curve, which without a change is Mann and Whitney's statistic, whatever the classifier. Each half of the rows is
judged by a classifier that learned from the other half. The two results depend on each other: both are large if the
halves share a chance association. So their mean is tested as if it were one of them, which is never too bold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

from modelcycle.messages.monitoring import Signal
from modelcycle.model.window import WindowSample, WindowSummary
from modelcycle.monitor.inputs.calendar_parts import may_be_part_of_a_date
from modelcycle.monitor.one_thread import one_thread
from modelcycle.monitor.signals import clauses, not_watched, signal, state_of
from modelcycle.spec import Monitoring

MIN_HALF_ROWS = 50  # of each side
MAX_LEVELS = 48  # of a text column; rarer ones share one
TREES, LEAVES, BINS = 30, 8, 64
NAMED_COLUMNS, MAX_SHUFFLED_ROWS = 3, 2_000

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
    rows = np.concatenate(_prepared(sample, columns))
    is_live = np.repeat([False, True], [len(sample.reference), len(sample.live)])
    second = np.concatenate([np.arange(len(side)) % 2 == 1 for side in (sample.reference, sample.live)])
    with one_thread():
        halves = [_Half.judged(rows, is_live, half, sample.texts[columns]) for half in (second, ~second)]
        area, z = (float(np.mean([getattr(half, name) for half in halves])) for name in ("area", "z"))
        p = float(norm.sf(z))
        effect = 2 * float(norm.ppf(min(max(area, 0.5), 1 - 1e-9))) ** 2
        state = state_of(p, limit, effect, limits.psi)
        telling = halves[0].telling_columns() if state != "ok" else []
    names = [sample.names[columns[number]] for number in telling]
    by = f", mostly by {', '.join(names)}" if names else ""
    left_out = len(sample.names) - len(columns)
    reach = 1.96 * abs((area - 0.5) / z) if z else 0.0
    return signal(
        "joint drift", "", state, value=area, low=max(area - reach, 0.0), high=min(area + reach, 1.0), expected=0.5,
        effect=effect, p=p, unit="area under the ROC curve",
        detail=clauses("" if state == "ok" else f"live rows can be told from the reference{by}", _left_out(left_out)),
    )  # fmt: skip


def _left_out(columns: int) -> str:
    if not columns:
        return ""
    return f"without {columns} column{'s' if columns > 1 else ''}: dates or parts of one, masked, or in no request"


@dataclass(frozen=True)
class _Half:
    """One half of the rows, judged by a classifier that learned from the other half.

    Parameters
    ----------
    area, z : under the ROC curve, and by how many standard deviations it is above 0.5
    """

    model: Any
    rows: Rows
    is_live: npt.NDArray[np.bool_]
    area: float
    z: float

    @staticmethod
    def judged(rows: Rows, is_live: npt.NDArray[np.bool_], half: npt.NDArray[np.bool_], texts: Any) -> _Half:
        from sklearn.ensemble import HistGradientBoostingClassifier

        model = HistGradientBoostingClassifier(
            max_iter=TREES, max_leaf_nodes=LEAVES, max_bins=BINS, early_stopping=False, categorical_features=texts,
            random_state=0,
        ).fit(rows[~half], is_live[~half])  # fmt: skip
        area, deviation = _area(model.predict_proba(rows[half])[:, 1], is_live[half])
        z = (area - 0.5) / deviation if deviation else 0.0
        return _Half(model, rows[half], is_live[half], area, z)

    def telling_columns(self) -> list[int]:
        """Return the columns without which the classifier is worst, the most telling first: each is shuffled in turn
        (Breiman, Random forests, 2001)."""
        rng = np.random.default_rng(0)
        step = max(len(self.rows) // MAX_SHUFFLED_ROWS, 1)
        rows, is_live = self.rows[::step], self.is_live[::step]

        def area(shuffled: Rows) -> float:
            return _area(self.model.predict_proba(shuffled)[:, 1], is_live)[0]

        losses = np.full(rows.shape[1], area(rows))
        for column in range(len(losses)):
            shuffled = rows.copy()
            shuffled[:, column] = rng.permutation(shuffled[:, column])
            losses[column] -= area(shuffled)
        order = np.argsort(-losses, kind="stable")[:NAMED_COLUMNS]
        return [int(number) for number in order if losses[number] >= losses.max() / 4 > 0]


def _half_rows(sample: WindowSample) -> int:
    return min(len(sample.reference), len(sample.live)) // 2


def _columns(summary: WindowSummary, sample: WindowSample) -> npt.NDArray[np.int64]:
    """Return positions in the sample of the columns whose change would be one of the data.

    Later dates are expected, and so is one month in a day. Columns that are masked or in no request tell all live
    rows apart.
    """
    without = {
        column.name
        for column in summary.columns
        if column.type == "datetime"
        or column.live.masked
        or column.live.absent >= max(column.live.rows, 1)
        or may_be_part_of_a_date(column, summary)
    }
    return np.array([number for number, name in enumerate(sample.names) if name not in without], dtype=np.int64)


def _prepared(sample: WindowSample, columns: npt.NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Return the columns of both sides; of texts the most frequent levels as 0, 1 ..., and all others as one more."""
    both = np.concatenate([sample.reference, sample.live])[:, columns].astype(np.float32)
    for position in np.flatnonzero(sample.texts[columns]):
        values = both[:, position]
        levels, counts = np.unique(values[~np.isnan(values)], return_counts=True)
        frequent = np.sort(levels[np.argsort(-counts, kind="stable")[: MAX_LEVELS - 1]])
        if len(frequent):
            found = np.minimum(np.searchsorted(frequent, values), len(frequent) - 1)
            codes = np.where(frequent[found] == values, found, len(frequent))
            both[:, position] = np.where(np.isnan(values), np.nan, codes)
    both[~np.isfinite(both)] = np.nan
    return both[: len(sample.reference)], both[len(sample.reference) :]


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
