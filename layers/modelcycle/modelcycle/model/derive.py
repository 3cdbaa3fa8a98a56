"""Features of two columns. Training and serving compute them here, before the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.plan import Operation

SECONDS_PER_DAY = 86400.0
MAX_MAGNITUDE = 1e30  # of a result; a larger one is missing, because its square would be infinite in float32


def derive(left: npt.NDArray[Any], right: npt.NDArray[Any], operation: Operation) -> npt.NDArray[np.float32]:
    """Return a feature of two number columns, or of two date columns for `days_between`.

    It is computed in double precision and rounded once.

    Parameters
    ----------
    left, right : (n,), NaN where missing; dates in seconds since 1970 UTC

    Returns
    -------
    float32 (n,) : NaN where one of the two is missing, where the ratio has a zero below, and beyond MAX_MAGNITUDE

    Examples
    --------
    >>> derive(np.array([6.0, 1.0, np.nan]), np.array([4.0, 0.0, 1.0]), "ratio")
    array([1.5, nan, nan], dtype=float32)
    >>> derive(np.array([86400.0]), np.array([129600.0]), "days_between")
    array([-0.5], dtype=float32)
    """
    first, second = left.astype(np.float64), right.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        match operation:
            case "ratio":
                values = first / second
            case "product":
                values = first * second
            case "days_between":
                values = (first - second) / SECONDS_PER_DAY
            case _:
                values = first - second
        return np.where(np.abs(values) <= MAX_MAGNITUDE, values, np.nan).astype(np.float32)
