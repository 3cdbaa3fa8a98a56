"""Whether an environment's memory grows with each request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MIN_SAMPLES = 16
MIN_GROWTH_MB = 2.0  # allocators keep and return this much
MIN_LATER_SHARE = 0.5  # of the growth before, in the last quarter: caches and pools slow down, a leak does not


@dataclass(frozen=True)
class Growth:
    """Growth of one environment's memory.

    Parameters
    ----------
    mb : from the second quarter of its calls to the last
    mb_per_thousand : in a thousand calls, at the same rate
    is_leak : whether it goes on at the same rate
    """

    mb: float
    mb_per_thousand: float
    is_leak: bool


def growth_of(samples: Sequence[tuple[int, float]]) -> Growth | None:
    """Return the growth of memory over calls; None if there are too few samples.

    The first quarter is left out: libraries fill their caches. Medians of quarters are compared, so that single samples
    do not count.

    Parameters
    ----------
    samples : number of the call, and resident memory in MiB, in the order of the calls

    Examples
    --------
    >>> growth_of([(call, 100 + 0.01 * call) for call in range(0, 1000, 10)])
    Growth(mb=5.0, mb_per_thousand=10.0, is_leak=True)
    >>> growth_of([(call, 100 + min(call, 300) * 0.1) for call in range(0, 1000, 10)]).is_leak
    False
    """
    if len(samples) < MIN_SAMPLES:
        return None
    quarters = np.array_split(np.array(samples, dtype=np.float64), 4)
    calls, memory = zip(*(np.median(quarter, axis=0) for quarter in quarters), strict=True)
    grown = float(memory[3] - memory[1])
    rate = grown / max(float(calls[3] - calls[1]), 1.0) * 1000
    before, later = memory[2] - memory[1], memory[3] - memory[2]
    is_leak = grown >= MIN_GROWTH_MB and before > 0 and later >= MIN_LATER_SHARE * before
    return Growth(round(grown, 2), round(rate, 2), bool(is_leak))
