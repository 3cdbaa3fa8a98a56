"""Concept drift: since when a version's predictions have been worse.

The losses of its labelled rows, in the order of time, are cumulated around their mean (CUSUM). Without a change the
largest rise of that path is distributed as the largest value of a Brownian bridge (Ploberger and Kraemer, The CUSUM
test with OLS residuals, Econometrica 1992). The change began where the path is lowest.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.messages import Signal
from modelcycle.messages.monitoring import SignalState
from modelcycle.model.labelled import Labelled
from modelcycle.model.losses import row_losses
from modelcycle.monitor.performance.gaps import MAX_EFFECT
from modelcycle.monitor.performance.judged_rows import (
    DAY_SECONDS,
    HOUR_SECONDS,
    judged_rows,
    target_of,
)
from modelcycle.monitor.performance.performance import WATCHED_WITH_OUTCOMES
from modelcycle.spec import Monitoring, Task

MIN_PERIODS = 20  # days, or else hours, that are added up: rows of one period are not independent
MANY_PERIODS = 500  # from which the limit distribution holds; with fewer, DRAWS paths without a change are drawn
DRAWS = 4_999
SURELY_CHANCE = 0.2  # p value above which no pipeline file sees a change
CAPPED_SHARE = 0.99  # of absolute errors: above this quantile they count as it, since one giant error is no change
Numbers = npt.NDArray[np.float64]


class Change(NamedTuple):
    """Where the mean of values (n,) seems to have risen.

    Parameters
    ----------
    first : position of the first value after the change
    before, after : means
    p : probability of such a rise without a change
    """

    first: int
    before: float
    after: float
    p: float


def change_point(
    labelled: Labelled | None, version: int, task: Task, window: tuple[datetime, datetime], limits: Monitoring,
    false_alarms: float | None = None,
) -> tuple[Signal, datetime | None]:  # fmt: skip
    """Return whether a version's predictions have become worse, and since when.

    Parameters
    ----------
    window : rows after its end are not read
    false_alarms : probability of an alarm without a change; default: its part of `limits.false_alarms`

    Returns
    -------
    the signal, whose value and expected value are mean losses after and before; and the time if it is an alarm
    """
    if labelled is None:
        return _signal("not watched", detail="no outcome of a prediction is known"), None
    judged = judged_rows(labelled, version, task, window, limits)
    rows = np.concatenate([judged.before, judged.now])
    if len(rows) < limits.minimum_rows:
        return _signal("too few", detail=f"{len(rows):,} known outcomes, of at least {limits.minimum_rows:,}"), None
    at, losses = labelled.at[rows], _losses(labelled, rows, task)
    change = rise(losses, periods(at))
    growth = min((change.after - change.before) / max(change.before, 1e-9), MAX_EFFECT)
    limit = limits.false_alarms / WATCHED_WITH_OUTCOMES if false_alarms is None else false_alarms
    since = datetime.fromtimestamp(at[change.first], UTC)
    if change.p >= limit:
        detail = f"the losses of {len(rows):,} predictions show no change"
        return _signal("ok", change, growth, detail), None
    name = "absolute error" if task == "regression" else "quadratic score"
    detail = f"{name} {change.before:.3g} before {since:%Y-%m-%d %H:%M} UTC, {change.after:.3g} since"
    if growth < limits.worse:
        return _signal("slight", change, growth, detail), None
    return _signal("alarm", change, growth, detail), since


def rise(values: Numbers, groups: npt.NDArray[np.int64]) -> Change:
    """Test whether the mean of values (n,) has risen at some time.

    The variance is that around both means, of the sums of periods, with the covariance of neighbouring periods (Newey
    and West 1987): a real change does not hide itself, and neither rows of one day nor days that resemble the day
    before count as independent.

    Parameters
    ----------
    groups : period (n,) of each value, ascending

    Examples
    --------
    >>> losses = np.concatenate([np.tile([1.0, 0.0], 150), np.tile([1.0, 1.0, 0.0, 1.0], 50)])
    >>> change = rise(losses, np.arange(500))
    >>> change.first, change.before, change.after, change.p < 0.001
    (300, 0.5, 0.75, True)
    """
    n = len(values)
    ends = np.append(np.flatnonzero(np.diff(groups)), n - 1)
    path = np.cumsum(values - values.mean())[ends]
    lowest = int(np.argmin(path[:-1])) if len(ends) > 1 else 0
    first = int(ends[lowest]) + 1
    if len(ends) < 4 or not path[lowest] < 0:
        mean = float(values.mean())
        return Change(min(first, n - 1), mean, mean, 1.0)
    before, after = float(values[:first].mean()), float(values[first:].mean())
    sums = np.diff(np.cumsum(values - values.mean())[ends], prepend=0.0)
    sizes = np.diff(ends, prepend=-1).astype(np.float64)
    # equal values differ by rounding only
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return Change(first, before, after, 1.0)
    rise_of_path = float(_largest_rises(sums[None], sizes)[0])
    return Change(first, before, after, _by_chance(rise_of_path, sizes))


def _by_chance(rise_of_path: float, sizes: Numbers) -> float:
    """Return the probability of such a rise without a change.

    The bridge is the limit of many periods. With fewer, the same statistic is drawn for periods without a change.
    """
    limit = math.exp(-2 * rise_of_path**2)
    if limit > SURELY_CHANCE or len(sizes) >= MANY_PERIODS:
        return limit
    random = np.random.default_rng(0)  # equal losses, equal p
    sums = random.normal(size=(DRAWS, len(sizes))) * np.sqrt(sizes)
    sums -= sums.sum(axis=1, keepdims=True) * sizes / sizes.sum()
    reached = int((_largest_rises(sums, sizes) >= rise_of_path).sum())
    return max((reached + 1) / (DRAWS + 1), limit)


def _largest_rises(sums: Numbers, sizes: Numbers) -> Numbers:
    """Return by how much (m,) the mean rises, in standard errors of the path.

    Parameters
    ----------
    sums : (m, g), of each period's deviations from the mean of all
    sizes : (g,), its values
    """
    rows, count = np.arange(len(sums)), sums.shape[1]
    path = np.cumsum(sums, axis=1)
    lowest = np.argmin(path[:, :-1], axis=1)
    depth = path[rows, lowest]
    head = np.cumsum(sizes)[lowest]
    # around the means of both parts
    is_before = np.arange(count) <= lowest[:, None]
    means = np.where(is_before, (depth / head)[:, None], (-depth / (sizes.sum() - head))[:, None])
    residuals = sums - means * sizes
    lags = int(4 * (count / 100) ** (2 / 9))
    variance = np.square(residuals).sum(axis=1)
    for lag in range(1, min(lags, count - 1) + 1):
        variance += 2 * (1 - lag / (lags + 1)) * (residuals[:, lag:] * residuals[:, :-lag]).sum(axis=1)
    rises: Numbers = np.maximum(-depth, 0.0) / np.sqrt(np.maximum(variance, np.finfo(float).tiny))
    return rises


def periods(at: Numbers) -> npt.NDArray[np.int64]:
    """Return the period (n,) of times in seconds, ascending: days if there are MIN_PERIODS, else hours, else rows."""
    for seconds in (DAY_SECONDS, HOUR_SECONDS):
        found = np.floor_divide(at, seconds).astype(np.int64)
        if len(np.unique(found)) >= MIN_PERIODS:
            return found
    return np.arange(len(at))


def _losses(labelled: Labelled, rows: npt.NDArray[np.int64], task: Task) -> Numbers:
    losses = row_losses(labelled.scores[rows], target_of(labelled, rows, task), task)
    if task != "regression":
        return losses
    errors = np.sqrt(losses)
    capped: Numbers = np.minimum(errors, np.quantile(errors, CAPPED_SHARE))
    return capped


def _signal(state: SignalState, change: Change | None = None, growth: float | None = None, detail: str = "") -> Signal:
    if change is None:
        return Signal(kind="concept drift", state=state, detail=detail)
    return Signal(
        kind="concept drift", state=state, value=change.after, expected=change.before, effect=growth,
        unit="of the earlier loss", p=change.p, detail=detail,
    )  # fmt: skip
