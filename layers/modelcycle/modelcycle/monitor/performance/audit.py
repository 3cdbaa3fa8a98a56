"""Earlier estimates held against the outcomes that came."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from modelcycle.messages import DayPerformance, Estimate, Monitored
from modelcycle.monitor.performance.judged_rows import MIN_KNOWN_SHARE
from modelcycle.spec import METRICS

MIN_AUDITED = 3  # days
COVERED = 0.95  # of earlier days, by the widened band


def estimates_by_day(results: Iterable[Monitored]) -> dict[tuple[str, int], Estimate]:
    """Return the estimate of each day (YYYY-MM-DD, UTC) and version: of the long window that covers most of it.

    Parameters
    ----------
    results : of earlier looks, in any order; of equal ones the one that is later in time counts
    """
    found: dict[tuple[str, int], tuple[float, str, Estimate]] = {}
    for result in results:
        if result.kind != "day" or result.estimate is None or result.version is None:
            continue
        start, end = result.window
        middle = start + (end - start) / 2
        key = f"{middle:%Y-%m-%d}", result.version
        noon = middle.replace(hour=12, minute=0, second=0, microsecond=0)
        candidate = -abs((middle - noon).total_seconds()), end.isoformat(), result.estimate
        if key not in found or candidate[:2] > found[key][:2]:
            found[key] = candidate
    return {key: said for key, (_, _, said) in found.items()}


def estimate_error(days: Sequence[DayPerformance], version: int | None = None) -> float | None:
    """Return the mean absolute difference of earlier estimates and what came out; None with fewer than MIN_AUDITED.

    Examples
    --------
    >>> said = Estimate(metric="accuracy", value=0.9, low=0.88, high=0.92, method="confidence-based")
    >>> days = [DayPerformance(day=f"2026-01-0{d}", version=1, rows=9, labelled=9, estimated=said,
    ...                        metrics={"accuracy": (0.8, 0.7, 0.9)}) for d in (1, 2, 3)]
    >>> round(estimate_error(days), 3)
    0.1
    """
    pairs = _pairs(days, version)
    if len(pairs) < MIN_AUDITED:
        return None
    return float(np.mean([abs(said.value - realized) for said, realized in pairs]))


def widened(estimate: Estimate | None, days: Sequence[DayPerformance], version: int | None = None) -> Estimate | None:
    """Return an estimate whose band reaches as far as COVERED of the earlier estimates were off.

    As split conformal prediction does (Papadopoulos et al. 2002): by the quantile of the earlier differences, whatever
    bands were given then. No band becomes narrower, and with fewer than MIN_AUDITED days none changes.
    """
    pairs = _pairs(days, version)
    if estimate is None or len(pairs) < MIN_AUDITED:
        return estimate
    differences = sorted(abs(said.value - realized) for said, realized in pairs)
    reach = differences[min(math.ceil(COVERED * (len(differences) + 1)), len(differences)) - 1]
    low, high = min(estimate.low, estimate.value - reach), max(estimate.high, estimate.value + reach)
    smallest = -math.inf if estimate.metric == "r2" else 0.0
    largest = math.inf if estimate.metric in METRICS["regression"] or estimate.metric == "log_loss" else 1.0
    return estimate.model_copy(update={"low": max(low, smallest), "high": min(high, largest)})


def _pairs(days: Sequence[DayPerformance], version: int | None) -> list[tuple[Estimate, float]]:
    return [
        (day.estimated, day.metrics[day.estimated.metric][0])
        for day in days
        if day.estimated is not None
        and day.estimated.metric in day.metrics
        and day.labelled >= MIN_KNOWN_SHARE * day.rows
        and (version is None or day.version == version)
    ]
