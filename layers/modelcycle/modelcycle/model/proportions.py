"""Whether two shares differ by more than chance."""

from __future__ import annotations

import math


def proportions_z(hits: int, rows: int, other_hits: int, other_rows: int) -> float:
    """Return how many standard errors a share is above another one; 0 if both are 0 or both are 1.

    The two-proportion z test with pooled variance (NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3). Neither
    sample is empty.

    >>> round(proportions_z(30, 100, 20, 100), 2)
    1.63
    """
    pooled = (hits + other_hits) / (rows + other_rows)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / other_rows))
    return (hits / rows - other_hits / other_rows) / deviation if deviation else 0.0
