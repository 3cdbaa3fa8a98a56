"""Whether an environment's memory grows with each request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MIN_SAMPLES = 16
MIN_GROWTH_MB = 2.0  # allocators keep and return this much
PARTS = 8  # of the calls; the first two are left out: libraries fill their caches
# of the mean difference between two parts, in each of the five: caches slow down, and a pool grows in one step
MIN_SHARE = 0.5


@dataclass(frozen=True)
class Growth:
    """Growth of one environment's memory.

    Parameters
    ----------
    mb : from the third of eight parts of its calls to the last
    mb_per_thousand : in a thousand calls, at the same rate
    is_leak : whether it goes on at the same rate
    """

    mb: float
    mb_per_thousand: float
    is_leak: bool


def growth_of(samples: Sequence[tuple[int, float]]) -> Growth | None:
    """Return the growth of memory over calls; None if there are too few samples.

    Medians of parts of the calls are compared, so that single samples do not count.

    Parameters
    ----------
    samples : number of the call, and resident memory in MiB, in the order of the calls

    Examples
    --------
    >>> growth_of([(call, 100 + 0.01 * call) for call in range(0, 1000, 10)])
    Growth(mb=6.15, mb_per_thousand=10.0, is_leak=True)
    >>> growth_of([(call, 100 + min(call, 300) * 0.1) for call in range(0, 1000, 10)]).is_leak
    False
    """
    if len(samples) < MIN_SAMPLES:
        return None
    parts = np.array_split(np.array(samples, dtype=np.float64), PARTS)[2:]
    calls, memory = np.array([np.median(part, axis=0) for part in parts]).T
    steps, grown = np.diff(memory), float(memory[-1] - memory[0])
    rate = grown / max(float(calls[-1] - calls[0]), 1.0) * 1000
    is_leak = grown >= MIN_GROWTH_MB and bool((steps > MIN_SHARE * steps.mean()).all())
    return Growth(round(grown, 2), round(rate, 2), is_leak)
