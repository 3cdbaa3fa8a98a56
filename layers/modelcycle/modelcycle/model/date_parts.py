"""The parts of a date that enter a model as numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.plan import Part

SECONDS_PER_DAY = 86400
DAYS_PER_YEAR = 366  # so that no two days of a year share a place

Moments = npt.NDArray[np.datetime64]
Array = npt.NDArray[Any]


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
    return np.where(missing, np.nan, PARTS[part](moment)).astype(np.float32)


def _year(moment: Moments) -> Array:
    years: Array = moment.astype("datetime64[Y]").astype(int) + 1970
    return years


def _month(moment: Moments) -> Array:
    months: Array = moment.astype("datetime64[M]").astype(int) % 12 + 1
    return months


def _day(moment: Moments) -> Array:
    days: Array = (moment.astype("datetime64[D]") - moment.astype("datetime64[M]")).astype(int) + 1
    return days


def _weekday(moment: Moments) -> Array:
    weekdays: Array = (_days(moment) + 3) % 7
    return weekdays


def _hour(moment: Moments) -> Array:
    hours: Array = (moment - moment.astype("datetime64[D]")).astype(int) // 3600
    return hours


def _days(moment: Moments) -> Array:
    days: Array = moment.astype("datetime64[D]").astype(int)
    return days


def _of_day(moment: Moments) -> Array:
    """Return the place in the day, in radians."""
    radians: Array = 2 * np.pi / SECONDS_PER_DAY * (moment - moment.astype("datetime64[D]")).astype(int)
    return radians


def _of_week(moment: Moments) -> Array:
    radians: Array = (2 * np.pi * _weekday(moment) + _of_day(moment)) / 7
    return radians


def _of_year(moment: Moments) -> Array:
    yearday = (moment.astype("datetime64[D]") - moment.astype("datetime64[Y]")).astype(int)
    radians: Array = (2 * np.pi * yearday + _of_day(moment)) / DAYS_PER_YEAR
    return radians


PARTS: dict[Part, Callable[[Moments], Array]] = {
    "year": _year,
    "month": _month,
    "day": _day,
    "weekday": _weekday,
    "hour": _hour,
    "days": _days,
    "day_sin": lambda moment: np.sin(_of_day(moment)),
    "day_cos": lambda moment: np.cos(_of_day(moment)),
    "week_sin": lambda moment: np.sin(_of_week(moment)),
    "week_cos": lambda moment: np.cos(_of_week(moment)),
    "year_sin": lambda moment: np.sin(_of_year(moment)),
    "year_cos": lambda moment: np.cos(_of_year(moment)),
}
