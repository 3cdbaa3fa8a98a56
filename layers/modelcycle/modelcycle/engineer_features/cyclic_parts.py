"""Places on a circle: of a time in its day, of a day in its week and in its year."""

from __future__ import annotations

import numpy as np

from modelcycle.model.columns import Texts, Values
from modelcycle.model.plan import Part

MIN_COVERED = 0.8  # share of a cycle that the dates cover; one that was never seen whole has not been seen to recur
CYCLES: dict[Part, tuple[float, tuple[Part, Part]]] = {
    "hour": (1.0, ("day_sin", "day_cos")),
    "weekday": (7.0, ("week_sin", "week_cos")),
    "month": (365.0, ("year_sin", "year_cos")),
}
"""Days of each cycle, and its two parts, by the plain part that varies in it."""


def cyclic_parts(seconds: Values, plain: list[Part]) -> list[Part]:
    """Return the cyclic parts of a date column.

    Parameters
    ----------
    seconds : (n,) since 1970 UTC, NaN where missing
    plain : its parts that vary

    Examples
    --------
    >>> cyclic_parts(86400.0 * np.arange(14), ["day", "weekday", "month"])
    ['week_sin', 'week_cos']
    """
    assert not isinstance(seconds, Texts)
    present = seconds[~np.isnan(seconds)]
    days = float(np.ptp(present)) / 86400 if len(present) else 0.0
    return [
        part
        for varying, (length, parts) in CYCLES.items()
        if varying in plain and days >= MIN_COVERED * length
        for part in parts
    ]
