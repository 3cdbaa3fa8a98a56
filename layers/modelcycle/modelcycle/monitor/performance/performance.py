"""Performance on live rows whose outcome is known, against that of validation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from modelcycle.messages import DayPerformance, Estimate, Signal
from modelcycle.model.labelled import Labelled
from modelcycle.monitor.performance.days import Days, figures_of, measure_days
from modelcycle.monitor.performance.fairness import fairness_signals
from modelcycle.monitor.performance.fairness_limits import limit_signals
from modelcycle.monitor.performance.gaps import MAX_EFFECT
from modelcycle.monitor.performance.judged_rows import (
    JudgedRows,
    judged_rows,
    usable,
)
from modelcycle.monitor.performance.slices import slice_signals
from modelcycle.spec import Fairness, Monitoring, Task, is_better

WATCHED_WITH_OUTCOMES = 4  # performance, slices, fairness and concept drift share `false_alarms` equally

Z = 1.959964  # half the width of a 95 % interval in standard errors


@dataclass(frozen=True)
class Performance:
    """What the known outcomes say.

    Parameters
    ----------
    signals : performance, slices and fairness
    days : by day and version, the newest first
    labelled : rows of the window whose outcome is known
    judged : the rows that were judged
    notes : what was left out, as sentences
    """

    signals: list[Signal]
    days: list[DayPerformance] = field(default_factory=list)
    labelled: int = 0
    judged: JudgedRows | None = None
    notes: list[str] = field(default_factory=list)


def performance_signals(
    labelled: Labelled | None,
    validation_metrics: Mapping[str, float],
    validation_interval: tuple[float, float],
    *,
    version: int,
    task: Task,
    metric: str,
    threshold: float,
    window: tuple[datetime, datetime],
    limits: Monitoring,
    of_window_only: bool = False,
    reference: Labelled | None = None,
    measured: Days | None = None,
    estimates: Mapping[tuple[str, int], Estimate] | None = None,
    fairness: Fairness | None = None,
) -> Performance:
    """Judge a version by its known outcomes.

    Parameters
    ----------
    validation_metrics : of the version's test rows, by name
    validation_interval : 95 % interval of `metric` there
    metric : the headline metric
    threshold : from which this version predicts the positive class
    of_window_only : do not judge by the newest rows if the window has too few: a longer window does
    reference : its test rows, of `judged_rows.reference_rows`; slices and groups are compared with them
    measured : days of all versions, which are the same in every window; None: those of `threshold`
    estimates : what was estimated before outcomes came, by day and version; see `audit.estimates_by_day`
    fairness : limits of the pipeline file, which live rows are held to as well
    """
    if labelled is None or not len(labelled.at):
        return Performance([_unknown(metric, "no outcome of a prediction is known: see `modelcycle feedback`")])
    judged = judged_rows(labelled, version, task, window, limits)
    measured = measured or measure_days(labelled, task, {version: threshold})
    days, notes = measured.estimated(estimates or {}), [*measured.notes]
    unusable = int((~usable(labelled, task) & (labelled.version == version)).sum())
    if unusable:
        notes.append(
            f"{unusable:,} outcomes of version {version} are left out: no class or number that it could predict"
        )
    if judged.waiting:
        notes.append(
            f"{len(judged.waiting)} days are not judged yet, since most of their outcomes are still to come:"
            f" {judged.waiting[0]} to {judged.waiting[-1]}"
        )
    if of_window_only and not judged.of_window:
        judged = replace(judged, now=np.zeros(0, dtype=np.int64))
        why = f"{judged.in_window:,} known outcomes of its own; the longer window is judged by the newest ones"
        return Performance([_unknown(metric, why)], days, judged.in_window, judged, notes)
    if not len(judged.now):
        unknown = _unknown(metric, f"no outcome of a prediction of version {version} is known that could be judged")
        return Performance([unknown], days, judged.in_window, judged, notes)
    at = labelled.at[judged.now]
    span = datetime.fromtimestamp(at[0], UTC), datetime.fromtimestamp(at[-1], UTC)
    figures = figures_of(labelled, judged.now, task, threshold)
    detail = _which_rows(judged, span)
    signals = [
        _headline(metric, figures.get(metric), validation_metrics.get(metric), validation_interval, limits,
                  len(judged.now), detail)
    ]  # fmt: skip
    signals += [
        Signal(
            kind="performance", subject=name, state="not watched", value=value, low=low, high=high,
            expected=validation_metrics.get(name), detail=f"shown beside {metric.replace('_', ' ')}, which decides",
        )
        for name, (value, low, high) in figures.items()
        if name != metric
    ]  # fmt: skip
    share = limits.false_alarms / WATCHED_WITH_OUTCOMES
    if len(judged.now) >= limits.minimum_rows:
        signals += slice_signals(
            labelled, judged.now, judged.before, reference, task=task, threshold=threshold, false_alarms=share,
            worse=limits.worse,
        )  # fmt: skip
        limited = fairness is not None and fairness.judges
        of_fairness = share / 2 if limited else share  # a change between groups, and a broken limit
        signals += fairness_signals(
            labelled, task, threshold, limits, now=judged.now, before=judged.before, reference=reference,
            false_alarms=of_fairness,
        )  # fmt: skip
        if fairness is not None and limited:
            signals += limit_signals(
                labelled, judged.now, reference, task=task, threshold=threshold, settings=fairness,
                false_alarms=of_fairness,
            )  # fmt: skip
    return Performance(signals, days, judged.in_window, judged, notes)


def error_of(metric: str, value: float) -> float:
    """Return how far a metric is from its best value.

    >>> round(error_of("accuracy", 0.9), 3), error_of("rmse", 3.0)
    (0.1, 3.0)
    """
    return 1 - value if is_better(metric, 1.0, 0.0) else value


def growth_of_error(metric: str, value: float, expected: float, expected_interval: tuple[float, float]) -> float:
    """Return by which share of the expected error the error has grown.

    Where none was expected, the error at the worse end of the expected interval stands for it.

    >>> round(growth_of_error("accuracy", 0.8, 0.9, (0.89, 0.91)), 3)
    1.0
    >>> round(growth_of_error("accuracy", 0.98, 1.0, (0.99, 1.0)), 3)
    2.0
    """
    base = error_of(metric, expected)
    if base <= 0:
        base = max(error_of(metric, bound) for bound in expected_interval)
    growth = (error_of(metric, value) - error_of(metric, expected)) / base if base > 0 else math.inf
    return min(max(growth, -MAX_EFFECT), MAX_EFFECT) if value != expected else 0.0


def probability_of_worse(
    metric: str, value: float, interval: tuple[float, float], expected: float, expected_interval: tuple[float, float]
) -> float:
    """Return the one-sided p value of a metric that is worse than expected, from the intervals of both.

    Intervals are not symmetric, so the sides that face each other count (Zou and Donner 2008).
    """
    from scipy.stats import norm

    # as errors, both directions are one
    now, then = error_of(metric, value), error_of(metric, expected)
    low = min(error_of(metric, bound) for bound in interval)
    high = max(error_of(metric, bound) for bound in expected_interval)
    width = math.hypot(max(now - low, 0.0), max(high - then, 0.0))
    if width == 0:
        return 0.0 if now > then else 1.0
    return float(norm.sf((now - then) / width * Z))


def _headline(
    metric: str, figures: tuple[float, float, float] | None, expected: float | None,
    expected_interval: tuple[float, float], limits: Monitoring, rows: int, detail: str,
) -> Signal:  # fmt: skip
    if rows < limits.minimum_rows or figures is None:
        why = f"{rows:,} known outcomes, of at least {limits.minimum_rows:,}"
        if rows >= limits.minimum_rows:
            why = f"{metric} cannot be measured on {detail}"
        value, low, high = figures or (None, None, None)
        return Signal(
            kind="performance", subject=metric, state="too few", value=value, low=low, high=high, expected=expected,
            detail=why,
        )  # fmt: skip
    value, low, high = figures
    if expected is None:
        return Signal(
            kind="performance", subject=metric, state="not watched", value=value, low=low, high=high,
            detail=f"validation has not measured {metric}",
        )  # fmt: skip
    p = probability_of_worse(metric, value, (low, high), expected, expected_interval)
    growth = growth_of_error(metric, value, expected, expected_interval)
    beyond = p < limits.false_alarms / WATCHED_WITH_OUTCOMES
    return Signal(
        kind="performance", subject=metric, state="alarm" if beyond and growth >= limits.worse else "slight" if beyond
        else "ok", value=value, low=low, high=high, expected=expected, effect=growth, unit="of the expected error", p=p,
        detail=detail,
    )  # fmt: skip


def _which_rows(judged: JudgedRows, span: tuple[datetime, datetime]) -> str:
    rows = f"{len(judged.now):,} predictions"
    if not judged.of_window:
        rows += f" of {span[0]:%Y-%m-%d %H:%M} to {span[1]:%Y-%m-%d %H:%M} UTC, the newest with outcomes"
    return rows if judged.known > 0.995 else f"{rows}; {judged.known:.0%} of those days' outcomes are known"


def _unknown(metric: str, why: str) -> Signal:
    return Signal(kind="performance", subject=metric, state="not watched", detail=why)
