"""The limits of the pipeline file's section `fairness`, held against live rows whose outcome is known.

As before a version is registered, the interval counts: a limit is broken if all of it lies beyond the limit. The
intervals are as wide as the window's false alarms ask, not of 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from modelcycle.measured.disparities import FALSE_CLAIMS, Disparity, Gap, disparities
from modelcycle.measured.group_rates import RATE_NAMES, outcomes
from modelcycle.measured.mean_disparities import Highest, MeanDisparity, mean_disparity
from modelcycle.messages import Signal
from modelcycle.model.labelled import MISSING, Labelled
from modelcycle.model.row_groups import OTHER
from modelcycle.model.scoring import predicted_codes
from modelcycle.monitor.performance.group_changes import MAX_NAME_CHARACTERS
from modelcycle.monitor.performance.judged_rows import Positions, target_of, units_of, usable
from modelcycle.spec import Fairness, Task


class _Held(NamedTuple):
    """A limit and what was measured; `beyond` is how far the whole interval is beyond it, below zero if it is not."""

    name: str
    told: str
    value: float
    interval: tuple[float, float]
    allowed: float
    beyond: float


def limit_signals(
    labelled: Labelled, now: Positions, reference: Labelled | None, *, task: Task, threshold: float,
    settings: Fairness, false_alarms: float,
) -> list[Signal]:  # fmt: skip
    """Return a signal for each limit of each sensitive column.

    A limit that the test rows broke too is no news: a person has approved that version. It is `slight`.

    Parameters
    ----------
    now : rows of `labelled` that are judged
    reference : the test rows on which the version was judged
    false_alarms : probability of any alarm while every limit is kept
    """
    limited = [column for column in labelled.groups.columns if settings.limits_of([column]).any]
    if task == "multiclass":
        why = "limits on several classes are not held against live rows"
        return [
            Signal(kind="fairness", subject=_subject(column, name), state="not watched", detail=why)
            for column in limited
            for name in settings.limits_of([column]).limits
        ]
    if not limited:
        return []
    # each limit is a claim of its own, and equalized odds are two: of true and of false positives
    each = [name for column in limited for name in settings.limits_of([column]).limits]
    claims = math.ceil(FALSE_CLAIMS / false_alarms) * (len(each) + each.count("equalized_odds"))
    signals = []
    for column in limited:
        held = list(_held(labelled, now, column, task, threshold, settings, claims))
        before: dict[str, _Held] = {}
        if any(one.beyond > 0 for one in held) and reference is not None and column in reference.groups.columns:
            rows = np.flatnonzero(usable(reference, task))
            before = {one.name: one for one in _held(reference, rows, column, task, threshold, settings, len(limited))}
        signals += [_signal(column, one, before.get(one.name)) for one in held]
        for name in settings.limits_of([column]).limits:
            if name not in {one.name for one in held}:
                why = f"no two groups have the {settings.minimum_rows} known outcomes that it is judged by"
                why += ", or not every group's mean is above zero" if name.endswith("_ratio") else ""
                signals.append(
                    Signal(kind="fairness", subject=_subject(column, name), state="too few", detail=why)
                )  # fmt: skip
    return signals


def _held(
    labelled: Labelled, rows: Positions, column: str, task: Task, threshold: float, settings: Fairness, claims: int
) -> Iterator[_Held]:
    """Yield each limit of a column that could be judged, by its worst rate."""
    if not len(rows):
        return
    number = labelled.groups.columns.index(column)
    names, codes = labelled.groups.groups[number], labelled.groups.codes[number, rows].astype(np.int64)
    groups = [code for code in np.unique(codes).tolist() if names[code] not in (MISSING, OTHER)]
    if len(groups) < 2:
        return
    target, units = target_of(labelled, rows, task), units_of(labelled.at[rows])
    limits = settings.limits_of([column]).limits
    if task == "regression":
        predicted = labelled.scores[rows, 0].astype(np.float64)
        errors = predicted - target
        of = {
            name: mean_disparity(values, codes, groups, units, settings.minimum_rows, claims)
            for name, values in (("mean_prediction", predicted), ("mean_error", errors), ("mae", np.abs(errors)))
        }
        for name, allowed in limits.items():
            found = _of_numbers(name, of, names, allowed)
            if found is not None:
                yield found
        return
    outcome = outcomes(predicted_codes(labelled.scores[rows], labelled.cutoffs_of(rows, threshold)), target)
    rates = {one.rate: one for one in disparities(outcome, codes, groups, units, settings.minimum_rows, claims)}
    if "demographic_parity" in limits and "selection_rate" in rates:
        yield _parity(rates["selection_rate"], names, limits["demographic_parity"])
    odds = [
        _odds(rates[rate], names, limits["equalized_odds"])
        for rate in ("tpr", "fpr")
        if rate in rates and "equalized_odds" in limits
    ]
    yield from sorted(odds, key=lambda one: -one.beyond)[:1]


def _parity(found: Disparity, names: list[str], allowed: float) -> _Held:
    beyond = allowed - found.ratio.interval[1]
    gap = found.clearest_ratio if beyond > 0 else found.ratio
    told = _told(RATE_NAMES[found.rate], gap, names, "ratio")
    return _Held("demographic_parity", told, gap.value, gap.interval, allowed, beyond)


def _odds(found: Disparity, names: list[str], allowed: float) -> _Held:
    beyond = found.difference.interval[0] - allowed
    gap = found.clearest_difference if beyond > 0 else found.difference
    told = _told(RATE_NAMES[found.rate], gap, names, "difference")
    return _Held("equalized_odds", told, gap.value, gap.interval, allowed, beyond)


def _of_numbers(name: str, of: dict[str, MeanDisparity | None], names: list[str], allowed: float) -> _Held | None:
    if name == "group_mae":
        found = of["mae"]
        if found is None or found.highest is None or found.clearest_highest is None:
            return None
        beyond = found.highest.interval[0] - allowed
        worst: Highest = found.clearest_highest if beyond > 0 else found.highest
        told = f"mean absolute error {worst.value:.3g} of {names[worst.group][:MAX_NAME_CHARACTERS]}"
        return _Held(name, told, worst.value, worst.interval, allowed, beyond)
    measure, _, kind = name.rpartition("_")
    found = of[measure]
    apart = None if found is None else found.ratio if kind == "ratio" else found.difference
    if apart is None:
        return None
    low, high = apart.extreme.interval
    beyond = allowed - high if kind == "ratio" else low - allowed
    gap = apart.clearest if beyond > 0 else apart.extreme
    what = "mean absolute error" if measure == "mae" else measure.replace("_", " ")
    return _Held(name, _told(what, gap, names, kind), gap.value, gap.interval, allowed, beyond)


def _told(what: str, gap: Gap, names: list[str], kind: str) -> str:
    lower, higher = (names[code][:MAX_NAME_CHARACTERS] for code in (gap.low, gap.high))
    apart = "" if math.isnan(gap.value) else f": {kind} {gap.value:.3g}"  # of rates that are all 0, there is no ratio
    return f"{what} {gap.rates[0]:.3g} of {lower}, {gap.rates[1]:.3g} of {higher}{apart}"


def _signal(column: str, one: _Held, before: _Held | None) -> Signal:
    low, high = one.interval
    known = before is not None and before.beyond > 0
    detail = f"{one.told} ({low:.3g} to {high:.3g}); the limit is {one.allowed:g}"
    if one.beyond > 0 and known:
        detail += ", which the test rows broke too"
    return Signal(
        kind="fairness", subject=_subject(column, one.name),
        state="ok" if one.beyond <= 0 else "slight" if known else "alarm",
        value=None if math.isnan(one.value) else one.value, low=low, high=high, expected=one.allowed, detail=detail,
    )  # fmt: skip


def _subject(column: str, name: str) -> str:
    return f"{column[:MAX_NAME_CHARACTERS]}: {name}"
