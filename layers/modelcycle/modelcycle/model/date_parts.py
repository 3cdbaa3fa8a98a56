"""The parts of a date that enter a model as numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.plan import Part

SECONDS_PER_DAY = 86400
DAYS_PER_YEAR = 366  # so that no two days of a year share a place


def date_part(seconds: npt.NDArray[np.float64], part: Part) -> npt.NDArray[np.float32]:
    """Return one part of each date, in UTC.

    Parameters
    ----------
    seconds : (n,) since 1970 UTC, NaN where missing
    part : `days` count from 1970-01-01; `weekday` counts from 0, Monday; those that end in `_sin` and `_cos` are the
        place of the moment on a circle whose length is the day, the week or the year

    Returns
    -------
    float32 (n,) : NaN where missing

    Examples
    --------
    >>> date_part(np.array([0.0, 86400.0 * 31, np.nan]), "month")
    array([ 1.,  2., nan], dtype=float32)
    >>> date_part(np.array([0.0, 43200.0]), "day_cos")
    array([ 1., -1.], dtype=float32)
    """
    missing = np.isnan(seconds)
    moment = np.where(missing, 0.0, np.floor(seconds)).astype("int64").astype("datetime64[s]")
    day = moment.astype("datetime64[D]")
    month = moment.astype("datetime64[M]")
    year = moment.astype("datetime64[Y]")
    second = (moment - day.astype("datetime64[s]")).astype(int)

    def angle(whole: npt.NDArray[Any], length: int) -> npt.NDArray[np.float64]:
        """Return the place in a cycle of `length` days, in radians."""
        radians: npt.NDArray[np.float64] = 2 * np.pi * (whole + second / SECONDS_PER_DAY) / length
        return radians

    weekday = (day.astype(int) + 3) % 7
    yearday = (day - year.astype("datetime64[D]")).astype(int)
    parts: dict[Part, Callable[[], npt.NDArray[Any]]] = {
        "year": lambda: year.astype(int) + 1970,
        "month": lambda: month.astype(int) % 12 + 1,
        "day": lambda: (day - month.astype("datetime64[D]")).astype(int) + 1,
        "weekday": lambda: weekday,
        "hour": lambda: second // 3600,
        "days": lambda: day.astype(int),
        "day_sin": lambda: np.sin(angle(np.zeros_like(weekday), 1)),
        "day_cos": lambda: np.cos(angle(np.zeros_like(weekday), 1)),
        "week_sin": lambda: np.sin(angle(weekday, 7)),
        "week_cos": lambda: np.cos(angle(weekday, 7)),
        "year_sin": lambda: np.sin(angle(yearday, DAYS_PER_YEAR)),
        "year_cos": lambda: np.cos(angle(yearday, DAYS_PER_YEAR)),
    }
    return np.where(missing, np.nan, parts[part]()).astype(np.float32)
