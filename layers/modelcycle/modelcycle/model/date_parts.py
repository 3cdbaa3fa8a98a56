"""The parts of a date that enter a model as numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.plan import Part


def date_part(seconds: npt.NDArray[np.float64], part: Part) -> npt.NDArray[np.float32]:
    """Return one part of each date, in UTC.

    Parameters
    ----------
    seconds : (n,) since 1970 UTC, NaN where missing
    part : `days` count from 1970-01-01; `weekday` counts from 0, Monday

    Returns
    -------
    float32 (n,) : NaN where missing

    Examples
    --------
    >>> date_part(np.array([0.0, 86400.0 * 31, np.nan]), "month")
    array([ 1.,  2., nan], dtype=float32)
    """
    missing = np.isnan(seconds)
    moment = np.where(missing, 0.0, np.floor(seconds)).astype("int64").astype("datetime64[s]")
    day = moment.astype("datetime64[D]")
    month = moment.astype("datetime64[M]")
    parts: dict[str, Callable[[], npt.NDArray[Any]]] = {
        "year": lambda: moment.astype("datetime64[Y]").astype(int) + 1970,
        "month": lambda: month.astype(int) % 12 + 1,
        "day": lambda: (day - month.astype("datetime64[D]")).astype(int) + 1,
        "weekday": lambda: (day.astype(int) + 3) % 7,
        "hour": lambda: (moment - day.astype("datetime64[s]")).astype(int) // 3600,
        "days": lambda: day.astype(int),
    }
    return np.where(missing, np.nan, parts[part]()).astype(np.float32)
