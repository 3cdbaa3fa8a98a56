"""The limit for p values with which a whole window alarms falsely as often as the pipeline file states.

A window has a hundred tests. For its own counts, windows by chance are drawn (`Table.p_by_chance`), and the smallest p
value of each is noted; the limit is the value below which `false_alarms` of them lie (Westfall and Young,
Resampling-Based Multiple Testing, 1993). So it fits any traffic: tests of few rows, which are coarse, do not take
their full part of the false alarms, and the others get it.

Columns are drawn independently of each other. If they are correlated, windows alarm less often than stated, never more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from modelcycle.messages import fingerprint
from modelcycle.monitor.inputs.counted import Table

MIN_DRAWN, MAX_DRAWN = 1_999, 9_999  # windows by chance
MIN_BELOW = 20  # of them, below the limit
HALVINGS = 60  # of the interval in which the limit is searched for


def smallest_p(tables: Sequence[Table], others: int, false_alarms: float) -> float:
    """Return the p value up to which a window without any change has one of its tests `false_alarms` of the time.

    Parameters
    ----------
    tables : of the window
    others : further tests of the window, whose p values are evenly distributed by chance
    false_alarms : share of windows, 0 to 1

    Examples
    --------
    >>> round(smallest_p([], 1, 0.01), 6), round(smallest_p([], 100, 0.01), 6)
    (0.01, 0.0001)
    """
    drawn = min(max(math.ceil(MIN_BELOW / false_alarms) - 1, MIN_DRAWN), MAX_DRAWN)
    smallest = np.ones(drawn)
    rng = np.random.default_rng(_seed(tables))
    for table in tables:
        if table.says_something:
            np.minimum(smallest, table.p_by_chance(rng, drawn, false_alarms), out=smallest)
    smallest = np.sort(smallest)
    # a limit holds if the share of windows below it, the true one among them, is at most `false_alarms`
    low, high = math.log(np.finfo(float).tiny), 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _false_alarms(math.exp(middle), smallest, others) <= false_alarms:
            low = middle
        else:
            high = middle
    return min(math.exp(low), false_alarms)


def _false_alarms(limit: float, smallest: np.ndarray[tuple[int], np.dtype[np.float64]], others: int) -> float:
    """Return the share of windows by chance with a p value of at most `limit`.

    Below the smallest one that was drawn, the share falls in proportion to the limit.
    """
    if not len(smallest) or smallest[0] >= 1:
        by_tables = 0.0
    elif limit < smallest[0]:
        by_tables = limit / smallest[0] / (len(smallest) + 1)
    else:
        by_tables = int(np.searchsorted(smallest, limit, side="right") + 1) / (len(smallest) + 1)
    return 1 - (1 - min(by_tables, 1.0)) * math.exp(others * math.log1p(-limit)) if limit < 1 else 1.0


def _seed(tables: Sequence[Table]) -> int:
    """Return a number that only the contents of the tables decide."""
    contents = [[table.kind, table.subject, table.reference.tolist(), table.live.tolist()] for table in tables]
    return int(fingerprint("calibration", "", {"tables": contents})[:16], 16)
