"""Fairness before any outcome is known: what each group is predicted beside the others, against the test rows.

Classes: the selection rate, of two classes. Numbers: the mean prediction. Both are known as soon as a prediction is
made; whether it was right is not, so true and false positive rates wait for outcomes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from modelcycle.measured.units import Units
from modelcycle.messages import Signal
from modelcycle.model.scoring import ScoreArray, predicted_codes
from modelcycle.model.window import WindowSample
from modelcycle.monitor.performance.fairness import MIN_GAP_GROWTH
from modelcycle.monitor.performance.gaps import Side
from modelcycle.monitor.performance.group_changes import GroupChange, Numbers, Rate, change_signals, group_changes
from modelcycle.spec import Task

SELECTED = "selection rate of all predictions"
MEAN = "mean of all predictions"
MIN_MEAN_GROWTH = 0.1
"""Of the standard deviation of the test rows' predictions: by which the distance of a group has to grow before it is an
alarm. Of a rate of 0.5, MIN_GAP_GROWTH is the same share."""


def predicted_group_signals(
    sample: WindowSample | None, task: Task, threshold: float, false_alarms: float
) -> list[Signal]:
    """Return a signal for each group of the sensitive columns that requests hold, the clearest change first.

    Parameters
    ----------
    threshold : from which the positive class is predicted, unless the sample says what was answered
    false_alarms : probability of any alarm without a change, over all groups
    """
    if sample is None or sample.live_groups is None or sample.reference_groups is None or task == "multiclass":
        return []
    return change_signals(list(_changes(sample, task, threshold)), false_alarms)


def _changes(sample: WindowSample, task: Task, threshold: float) -> Iterator[GroupChange]:
    assert sample.live_groups is not None and sample.reference_groups is not None
    before = np.asarray(np.isfinite(sample.reference_scores).all(axis=1))
    scored = np.asarray(np.isfinite(sample.live_scores).all(axis=1))
    if not before.any() or not scored.any():
        return
    if task == "regression":
        values, live = (s[:, 0].astype(np.float64) for s in (sample.reference_scores, sample.live_scores))
        rate = Rate(MEAN, float(values[before].std()), "of the predictions' deviation", MIN_MEAN_GROWTH)
    else:
        values = _selected(sample.reference_scores, sample.reference_selected, threshold)
        live = _selected(sample.live_scores, sample.live_selected, threshold)
        rate = Rate(SELECTED, 1.0, "points", MIN_GAP_GROWTH)
    for number, column in enumerate(sample.live_groups.columns):
        sides = [
            Side(of.astype(np.float64), groups.codes[number].astype(np.int64), Units(len(of))).take(rows)
            for of, groups, rows in (
                (live, sample.live_groups, scored), (values, sample.reference_groups, before),
            )
        ]  # fmt: skip
        yield from group_changes(column, sample.live_groups.groups[number], rate, *sides)


def _selected(
    scores: ScoreArray, known: np.ndarray[tuple[int], np.dtype[np.bool_]] | None, threshold: float
) -> Numbers:
    selected: Numbers = (predicted_codes(scores, threshold) if known is None else known).astype(np.float64)
    return selected
