"""Slices of live rows on which the model has become worse than on the others.

A slice's loss is compared with that of the other rows, now and before, so that a slice that was always harder, or a
model that is worse everywhere, raises no alarm here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.measured.grouped_means import holm, upper_p
from modelcycle.measured.intervals import metric_interval
from modelcycle.measured.units import Units
from modelcycle.messages import Signal
from modelcycle.model.labelled import Labelled
from modelcycle.model.losses import row_losses
from modelcycle.model.scoring import predicted_codes
from modelcycle.monitor.performance.gaps import MAX_EFFECT, Side, gaps, same_groups
from modelcycle.monitor.performance.judged_rows import Positions, target_of, units_of, usable
from modelcycle.spec import Task

MAX_SLICES = 10  # in a report, the clearest first
MAX_NAME_CHARACTERS = 80  # of a column, and of a group
Array = npt.NDArray[Any]


class _Slice(NamedTuple):
    column: str
    group: str
    now: npt.NDArray[np.bool_]
    change: float
    worse: float
    p: float
    expected: float


class _Rows(NamedTuple):
    labelled: Labelled
    positions: Positions
    losses: npt.NDArray[np.float64]
    shown: npt.NDArray[np.float64]
    units: Units


def slice_signals(
    labelled: Labelled, now: Positions, before: Positions, reference: Labelled | None, *, task: Task, threshold: float,
    false_alarms: float, worse: float,
) -> list[Signal]:  # fmt: skip
    """Return the slices that have changed, and one signal for all others.

    Parameters
    ----------
    now, before : rows of `labelled`
    reference : the test rows, if `before` has too few rows; their slices have to be named as those of the live rows
    false_alarms : probability of any alarm without a change, over all slices (Holm 1979)
    worse : share by which the loss of a slice has to grow
    """
    if not labelled.slices.columns or not len(now):
        return []
    current = _rows(labelled, now, task, threshold)
    found: list[_Slice] = []
    for earlier in _earlier(labelled, before, reference, task, threshold):
        found = _compare(current, earlier, task)
        if found:
            break
    if not found:
        why = "no slice has enough earlier rows with outcomes to be compared with"
        return [Signal(kind="performance", subject="slices", state="not watched", detail=why)]
    corrected = holm([entry.p for entry in found])
    signals = []
    for entry, p in sorted(zip(found, corrected, strict=True), key=lambda pair: pair[1]):
        if p < false_alarms and entry.change > 0:
            state = "alarm" if entry.worse >= worse else "slight"
            signals.append(_signal(entry, p, state, current, task, threshold, len(found)))
    detail = f"{len(found)} slices were compared with their earlier rows, {len(signals)} have become worse"
    rest = Signal(
        kind="performance", subject="slices", state="ok", value=float(len(signals)), unit="slices",
        p=min(corrected), detail=detail,
    )  # fmt: skip
    return [*signals[:MAX_SLICES], rest]


def _rows(labelled: Labelled, positions: Positions, task: Task, threshold: float) -> _Rows:
    scores, target = labelled.scores[positions], target_of(labelled, positions, task)
    losses, cutoffs = row_losses(scores, target, task), labelled.cutoffs_of(positions, threshold)
    shown = losses if task == "regression" else (predicted_codes(scores, cutoffs) == target).astype(np.float64)
    return _Rows(labelled, positions, losses, shown, units_of(labelled.at[positions]))


def _earlier(
    labelled: Labelled, before: Positions, reference: Labelled | None, task: Task, threshold: float
) -> list[_Rows]:
    sources = [(labelled, before)]
    if reference is not None:
        sources.append((reference, np.flatnonzero(usable(reference, task))))
    return [_rows(rows, positions, task, threshold) for rows, positions in sources if len(positions)]


def _compare(current: _Rows, earlier: _Rows, task: Task) -> list[_Slice]:
    found: list[_Slice] = []
    slices, others = current.labelled.slices, earlier.labelled.slices
    for number, (column, groups) in enumerate(zip(slices.columns, slices.groups, strict=True)):
        if column not in others.columns:
            continue
        theirs = others.columns.index(column)
        codes = slices.codes[number, current.positions].astype(np.int64)
        codes_before = same_groups(groups, others.groups[theirs], others.codes[theirs, earlier.positions])
        known = codes_before >= 0
        if not known.any():
            continue
        before = Side(earlier.losses, codes_before, earlier.units).take(known)
        result = gaps(Side(current.losses, codes, current.units), before, len(groups))
        p_values = upper_p(result.changes, result.errors, result.degrees)
        for code in np.flatnonzero(np.isfinite(p_values)):
            of_group = before.codes == code
            loss, change = float(before.values[of_group].mean()), float(result.changes[code])
            shown = float(earlier.shown[known][of_group].mean())
            found.append(
                _Slice(
                    column, groups[code], codes == code, change, min(change / max(loss, 1e-9), MAX_EFFECT),
                    float(p_values[code]),
                    shown**0.5 if task == "regression" else shown,
                )
            )  # fmt: skip
    return found


def _signal(
    entry: _Slice, p: float, state: Any, current: _Rows, task: Task, threshold: float, tested: int
) -> Signal:  # fmt: skip
    positions = current.positions[entry.now]
    scores, target = current.labelled.scores[positions], target_of(current.labelled, positions, task)
    metric = "rmse" if task == "regression" else "accuracy"
    mean = float(current.shown[entry.now].mean())
    cutoffs = current.labelled.cutoffs_of(positions, threshold)
    interval = metric_interval(metric, scores, target, task, current.units.take(entry.now), cutoffs)
    loss = "squared error" if task == "regression" else "quadratic score"
    return Signal(
        kind="performance", subject=f"{entry.column[:MAX_NAME_CHARACTERS]} = {entry.group[:MAX_NAME_CHARACTERS]}",
        state=state, value=mean**0.5 if task == "regression" else mean, low=interval[0] if interval else None,
        high=interval[1] if interval else None, expected=entry.expected, effect=entry.worse, unit=metric, p=p,
        detail=f"against the other rows, its {loss} has grown by {entry.worse:.0%} of what it was, on"
        f" {int(entry.now.sum()):,} rows ({tested} slices tested)",
    )  # fmt: skip
