"""What earlier looks saw, and the outcomes that have come since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np

from modelcycle.measured.intervals import metric_interval
from modelcycle.measured.metrics import measure_one
from modelcycle.messages import Monitored
from modelcycle.model.labelled import Labelled
from modelcycle.monitor.look import Subject
from modelcycle.monitor.performance.judged_rows import target_of, units_of, usable
from modelcycle.registry import MonitoringResults

MIN_MEASURED_ROWS = 20  # of a window


def earlier_looks(
    monitoring: MonitoringResults, model: str, at: datetime, subjects: Mapping[int, Subject]
) -> list[Monitored]:
    """Return the last look of each day (UTC) before `at` at each version, as far back as outcomes are waited for."""
    days = max(subject.pipeline.monitoring.labels_days for subject in subjects.values())
    found = monitoring.between(model, "day", at - timedelta(days=days), at)
    last = {(result.window[1].date(), result.version): result for result in found if result.window[1] < at}
    return list(last.values())


def with_outcomes(
    earlier: Sequence[Monitored], labelled: Labelled | None, subjects: Mapping[int, Subject], at: datetime
) -> list[Monitored]:
    """Return those earlier results whose measured metric has changed, with the new one.

    A window of which `labelled` holds only a part keeps what was measured of it: it began before the first day whose
    outcomes are waited for, or its rows are no longer among the newest.

    Parameters
    ----------
    at : the end of the last window
    """
    if labelled is None:
        return []
    changed = []
    for result in earlier:
        subject = subjects.get(result.version or 0)
        if subject is None or result.window[0] < at - timedelta(days=subject.pipeline.monitoring.labels_days):
            continue
        after = _measured(result, labelled, subject)
        if after != result:
            changed.append(after)
    return changed


def _measured(result: Monitored, labelled: Labelled, subject: Subject) -> Monitored:
    start, end = (moment.timestamp() for moment in result.window)
    task, metric = subject.version.task, result.metric
    own = usable(labelled, task) & (labelled.version == result.version)
    rows = np.flatnonzero(own & (labelled.at >= start) & (labelled.at < end))
    if len(rows) < result.labelled:  # a corrected outcome stays one, so rows were dropped
        return result
    if len(rows) < MIN_MEASURED_ROWS:
        return result.model_copy(update={"labelled": len(rows)})
    scores, target = labelled.scores[rows], target_of(labelled, rows, task)
    threshold = labelled.cutoffs_of(rows, subject.signature.threshold)
    value = measure_one(metric, scores, target, task, threshold)
    interval = metric_interval(metric, scores, target, task, units_of(labelled.at[rows]), threshold)
    return result.model_copy(update={"labelled": len(rows), "realized": value, "realized_interval": interval})
