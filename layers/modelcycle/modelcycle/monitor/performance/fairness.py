"""Fairness of live predictions: how the rates of sensitive groups differ from those of the others, now and before.

The rates are those of the validation report: of the predicted positive class, true and false positives, accuracy; of
numbers the absolute error, and the mean error, by which a group is over- or underestimated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.measured import group_rates
from modelcycle.measured.group_rates import RATE_NAMES, row_rates
from modelcycle.measured.grouped_means import MIN_GROUP_ROWS
from modelcycle.messages import Signal
from modelcycle.messages.monitoring import SignalState
from modelcycle.model.labelled import Labelled
from modelcycle.model.scoring import predicted_codes
from modelcycle.monitor.performance.gaps import Side, same_groups
from modelcycle.monitor.performance.group_changes import (
    MAX_NAME_CHARACTERS,
    GroupChange,
    Rate,
    change_signals,
    group_changes,
)
from modelcycle.monitor.performance.judged_rows import Positions, target_of, units_of, usable
from modelcycle.spec import Monitoring, Task

MIN_GAP_GROWTH = 0.05
"""By which a gap between groups has to grow before it is an alarm: percentage points / 100 of a rate; of numbers the
share of the mean absolute error."""

WATCHED: tuple[group_rates.Rate, ...] = ("selection_rate", "tpr", "fpr")
Numbers = npt.NDArray[np.float64]


class _Rate(NamedTuple):
    """A value (n,) of each row, defined on some rows; its mean over a group is the group's rate."""

    name: str
    values: Numbers
    defined: npt.NDArray[np.bool_]


def fairness_signals(
    labelled: Labelled, task: Task, threshold: float, limits: Monitoring, *, now: Positions,
    before: Positions | None = None, reference: Labelled | None = None, false_alarms: float | None = None,
) -> list[Signal]:  # fmt: skip
    """Return a signal for each group and rate, the clearest change first.

    Parameters
    ----------
    now : rows of `labelled` that are judged
    before : rows of `labelled` that they are compared with, if `reference` does not know a column's groups
    reference : the test rows on which the version was judged; see `judged_rows.reference_rows`
    false_alarms : probability of any alarm without a change, over all groups and rates (Holm 1979)
    """
    found: list[GroupChange] = []
    unknown: list[Signal] = []
    for column in labelled.groups.columns:
        of_column: list[GroupChange] = []
        for earlier, rows in _earlier(labelled, before, reference, task):
            of_column = list(_compare(column, (labelled, now), (earlier, rows), task, threshold))
            if of_column:
                break
        found += of_column
        if not of_column:
            why = f"no group has {MIN_GROUP_ROWS} known outcomes now, and as many to compare with"
            unknown.append(_signal_of(column, "not watched", why))
    return change_signals(found, limits.false_alarms if false_alarms is None else false_alarms) + unknown


def _earlier(
    labelled: Labelled, before: Positions | None, reference: Labelled | None, task: Task
) -> Iterator[tuple[Labelled, Positions]]:
    if reference is not None:
        yield reference, np.flatnonzero(usable(reference, task))
    if before is not None:
        yield labelled, before


def _compare(
    column: str, now: tuple[Labelled, Positions], before: tuple[Labelled, Positions], task: Task, threshold: float
) -> Iterator[GroupChange]:
    if column not in before[0].groups.columns or not len(now[1]) or not len(before[1]):
        return
    (own, rows), (theirs, rows_before) = now, before
    number, number_before = own.groups.columns.index(column), theirs.groups.columns.index(column)
    groups = own.groups.groups[number]
    codes = own.groups.codes[number, rows].astype(np.int64)
    codes_before = same_groups(
        groups, theirs.groups.groups[number_before], theirs.groups.codes[number_before, rows_before]
    )
    units, units_before = units_of(own.at[rows]), units_of(theirs.at[rows_before])
    rates, rates_before = _rates(own, rows, task, threshold), _rates(theirs, rows_before, task, threshold)
    for rate, rate_before in zip(rates, rates_before, strict=True):
        defined_before = rate_before.defined & (codes_before >= 0)
        if not rate.defined.any() or not defined_before.any():
            continue
        side = Side(rate.values, codes, units).take(rate.defined)
        side_before = Side(rate_before.values, codes_before, units_before).take(defined_before)
        if task == "regression":
            scale = float(np.abs(side_before.values).mean())
            about = Rate(rate.name, scale, "of the mean absolute error", MIN_GAP_GROWTH)
        else:
            about = Rate(rate.name, 1.0, "points", MIN_GAP_GROWTH)
        yield from group_changes(column, groups, about, side, side_before)


def _rates(labelled: Labelled, rows: Positions, task: Task, threshold: float) -> list[_Rate]:
    target = target_of(labelled, rows, task)
    always = np.ones(len(rows), dtype=bool)
    if task == "regression":
        errors = labelled.scores[rows, 0].astype(np.float64) - target
        return [_Rate("absolute error", np.abs(errors), always), _Rate("mean error", errors, always)]
    predicted = predicted_codes(labelled.scores[rows], labelled.cutoffs_of(rows, threshold))
    accuracy = _Rate("accuracy", (predicted == target).astype(np.float64), always)
    if task == "multiclass":
        return [accuracy]
    return [accuracy] + [
        _Rate(RATE_NAMES[rate], hits.astype(np.float64), counted)
        for rate, hits, counted in row_rates(predicted, target)
        if rate in WATCHED
    ]


def _signal_of(column: str, state: SignalState, detail: str) -> Signal:
    return Signal(kind="fairness", subject=column[:MAX_NAME_CHARACTERS], state=state, detail=detail)
