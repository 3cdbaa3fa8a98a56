"""Performance by day and version, of which the known outcomes of a look are measured once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modelcycle.measured.intervals import metric_interval
from modelcycle.measured.metrics import measure
from modelcycle.messages import DayPerformance, Estimate
from modelcycle.model.labelled import Labelled
from modelcycle.model.signature import DEFAULT_THRESHOLD
from modelcycle.monitor.performance.judged_rows import DAY_SECONDS, Positions, day_name, target_of, units_of, usable
from modelcycle.spec import Task

MIN_MEASURED_ROWS = 20  # of a day and version, for metrics
MAX_MEASURED_DAYS = 100  # days and versions with metrics, the newest

Figures = dict[str, tuple[float, float, float]]

OF_PROBABILITIES = ("roc_auc", "average_precision", "log_loss", "brier", "expected_calibration_error")
"""Metrics of two classes that no threshold changes."""


@dataclass(frozen=True)
class Days:
    """Days and versions, the newest first, and what was left out, as sentences."""

    days: list[DayPerformance]
    notes: list[str]

    def estimated(self, estimates: Mapping[tuple[str, int], Estimate]) -> list[DayPerformance]:
        """Return the days with what was estimated of them before their outcomes came.

        Parameters
        ----------
        estimates : by day and version
        """
        return [
            day.model_copy(update={"estimated": estimates[day.day, day.version]})
            if (day.day, day.version) in estimates
            else day
            for day in self.days
        ]


def measure_days(labelled: Labelled | None, task: Task, thresholds: Mapping[int, float]) -> Days:
    """Measure each day and version with outcomes.

    Parameters
    ----------
    thresholds : by version; one that is not here is measured by what no threshold changes
    """
    if labelled is None or not len(labelled.at):
        return Days([], [])
    positions = np.flatnonzero(usable(labelled, task) & (labelled.at >= 0) & (labelled.at < 1e11))
    numbers = np.floor_divide(labelled.at[positions], DAY_SECONDS).astype(np.int64)
    of_day: dict[tuple[str, int], Positions] = {}
    pairs = np.stack([numbers, labelled.version[positions].astype(np.int64)], axis=1)
    distinct, codes = np.unique(pairs, axis=0, return_inverse=True)
    order = np.argsort(codes.ravel(), kind="stable")
    counts = np.bincount(codes.ravel(), minlength=len(distinct))
    parts = np.split(positions[order], np.cumsum(counts))[:-1]
    for (day, version), rows in zip(distinct.tolist(), parts, strict=True):
        of_day[day_name(day), version] = rows
    keys = {(day, int(version)) for day, versions in labelled.predicted.items() for version in versions} | {*of_day}
    days, left_out = [], 0
    for measured, (day, version) in enumerate(sorted(keys, key=lambda key: (key[0], key[1]), reverse=True)):
        rows = of_day.get((day, version), np.zeros(0, dtype=np.int64))
        figures: Figures = {}
        if len(rows) >= MIN_MEASURED_ROWS:
            if measured < MAX_MEASURED_DAYS:
                figures = figures_of(labelled, rows, task, thresholds.get(version))
            else:
                left_out += 1
        predicted = labelled.predicted.get(day, {}).get(str(version), len(rows))
        days.append(
            DayPerformance(
                day=day,
                version=version,
                rows=max(predicted, len(rows)),
                labelled=len(rows),
                metrics=figures,
            )
        )
    unknown = sorted({version for _, version in of_day} - {*thresholds}) if task == "binary" else []
    notes = [
        f"the threshold of version {version} is not known, since it is not live: its days have no"
        f" metrics that depend on it"
        for version in unknown
    ]
    notes += [f"metrics of {left_out} older days are not computed: {MAX_MEASURED_DAYS} are"] if left_out else []
    return Days(days, notes)


def figures_of(labelled: Labelled, rows: Positions, task: Task, threshold: float | None) -> Figures:
    """Return each metric that has an interval on these rows: value, low, high.

    Parameters
    ----------
    threshold : None if it is not known
    """
    scores, target = labelled.scores[rows], target_of(labelled, rows, task)
    known = labelled.cutoffs_of(rows, DEFAULT_THRESHOLD if threshold is None else threshold)
    metrics, _ = measure(scores, target, task, known)
    if threshold is None and task == "binary":
        metrics = {name: value for name, value in metrics.items() if name in OF_PROBABILITIES}
    units = units_of(labelled.at[rows])
    figures = {}
    for name, value in metrics.items():
        interval = metric_interval(name, scores, target, task, units, known)
        if interval is not None and all(map(math.isfinite, interval)):
            figures[name] = (value, *interval)
    return figures
