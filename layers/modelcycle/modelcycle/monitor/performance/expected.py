"""What live performance is held against: the metrics of the rows that are the version's reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from modelcycle.measured.intervals import metric_interval
from modelcycle.measured.metrics import measure
from modelcycle.measured.units import Units
from modelcycle.model.labelled import Labelled
from modelcycle.monitor.performance.judged_rows import target_of, usable
from modelcycle.registry import Version


class Expected(NamedTuple):
    """Metrics on the reference.

    Parameters
    ----------
    metrics : by name
    interval : of the headline metric, 95 %
    note : which rows they are of if not all test rows, as a sentence; otherwise empty
    """

    metrics: Mapping[str, float]
    interval: tuple[float, float]
    note: str = ""


def expected_performance(version: Version, reference: Labelled | None, threshold: float) -> Expected:
    """Return the metrics on a version's reference.

    Those of validation are of all test rows. A version that was made for changed traffic has the newer ones as its
    reference, on which it may be better or worse.

    Parameters
    ----------
    reference : of `judged_rows.reference_rows`; None if it is gone: then those of validation stand for it
    """
    validated = Expected(version.metrics, version.interval)
    if version.reference is None or version.reference.recent is None or reference is None:
        return validated
    metric = version.metric
    rows = np.flatnonzero(usable(reference, version.task))
    scores, target = reference.scores[rows], target_of(reference, rows, version.task)
    cutoffs = reference.cutoffs_of(rows, threshold)
    metrics, _ = measure(scores, target, version.task, cutoffs)
    interval = None
    if metric in metrics:
        interval = metric_interval(metric, scores, target, version.task, Units(len(rows)), cutoffs)
    which = f"the {len(rows):,} test rows that came with the traffic for which version {version.version} was made"
    if interval is None or not np.isfinite(interval).all():
        return validated._replace(note=f"{metric} is held against all test rows: it cannot be measured on {which}")
    low, high = interval
    value = f"{metrics[metric]:.3g} ({low:.3g} to {high:.3g})"
    return Expected(metrics, interval, f"{metric} is held against {value}, measured on {which}")
