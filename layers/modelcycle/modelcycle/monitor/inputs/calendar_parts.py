"""Columns that may be a part of a date, such as a month: a short window holds only some of their values.

Counts do not say when each value occurred. So two things are evidence: the name of the column, or values that are a
whole cycle of the calendar, about equally frequent in the reference. And the window has to hold no more of them than
its length allows: a month changes once in a day at most, an hour at each hour.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from modelcycle.model.window import ColumnCounts, Side, WindowSummary

HOUR, DAY, WEEK, MONTH, QUARTER, YEAR = 1, 24, 168, 730, 2_190, 8_760  # hours
MAX_EVEN = 2.5  # times its fair share, that a value of a cycle has in the reference at most
MIN_SPAN = 0.8  # of a cycle, between the reference's 1 % and 99 % quantiles


class Cycle(NamedTuple):
    """A part of a date.

    Parameters
    ----------
    hours : that one value lasts
    last : the highest number that it may have
    """

    hours: int
    last: int


BY_WORD = {
    **dict.fromkeys(("hour", "hr"), Cycle(HOUR, 24)),
    **dict.fromkeys(("weekday", "dow", "dayofweek"), Cycle(DAY, 7)),
    **dict.fromkeys(("day", "dayofmonth", "dayofyear"), Cycle(DAY, 366)),
    **dict.fromkeys(("holiday", "workday", "workingday", "weekend"), Cycle(DAY, 1)),
    **dict.fromkeys(("week", "weekofyear"), Cycle(WEEK, 53)),
    **dict.fromkeys(("month", "mnth"), Cycle(MONTH, 12)),
    **dict.fromkeys(("quarter", "qtr", "season"), Cycle(QUARTER, 4)),
    **dict.fromkeys(("year", "yr"), Cycle(YEAR, 9_999)),
}
MAX_YEARS = 10  # in the reference; more are those of things, such as the year in which a house was built
MAX_NAMED_LEVELS = 31  # of a text whose name is that of a part of a date
# Shorter cycles are left out: four or five whole numbers are as often a rating. So are minutes.
BY_LEVELS = {7: DAY, 12: MONTH, 24: HOUR, **dict.fromkeys(range(28, 32), DAY), 52: WEEK, 53: WEEK, 365: DAY, 366: DAY}
MONTHS = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
]  # fmt: skip
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
SEASONS = ["spring", "summer", "autumn", "fall", "winter"]
MIN_WORD = 3  # letters of the short form of a month or weekday


def may_be_part_of_a_date(column: ColumnCounts, summary: WindowSummary) -> bool:
    """Return whether a column may be a part of a date of which the window can hold only these values.

    Each of its values has to be known to the reference. A window that is long enough for all values explains nothing.
    """
    live = column.live
    if live.unknown or live.below or live.above or not live.distinct or column.type == "datetime":
        return False
    hours = _hours_of_a_value(column)
    if hours is None:
        return False
    start, end = summary.window
    possible = 1 + math.ceil((end - start).total_seconds() / 3600 / hours)
    return live.distinct <= possible <= max(column.reference.distinct, 2)


def window_holds_some(summary: WindowSummary) -> str:
    """Return the clause that tells people why such a column is no alarm."""
    start, end = summary.window
    hours = round((end - start).total_seconds() / 3600)
    length = "1 hour" if hours == 1 else f"{hours:,} hours"
    return f"may be a part of a date: a window of {length} holds only some of its values"


def _hours_of_a_value(column: ColumnCounts) -> int | None:
    """Return how long a value of the column lasts; None if it is no part of a date."""
    named = _cycle_of(column.name)
    reference = column.reference
    if column.type == "boolean":
        return named.hours if named else None
    if column.type == "number":
        numbers = reference.quantiles
    else:
        levels = [label for label, rows in zip(column.labels, reference.counts, strict=False) if rows]
        if len(levels) < reference.distinct:  # "others" may hold anything
            return None
        if (hours := _hours_of_words(levels)) is not None:
            return hours
        if named and reference.distinct <= MAX_NAMED_LEVELS and not all(map(_is_number, levels)):
            return named.hours
        numbers = sorted(float(level) for level in levels if _is_number(level))
        if len(numbers) < len(levels):
            return None
    if not numbers or not all(value.is_integer() for value in numbers):
        return None
    if named and numbers[0] >= 0 and numbers[-1] <= named.last:
        return named.hours if reference.distinct <= (MAX_YEARS if named.hours == YEAR else named.last + 1) else None
    return BY_LEVELS.get(reference.distinct) if _is_whole_cycle(numbers, reference) else None


def _is_whole_cycle(numbers: Sequence[float], reference: Side) -> bool:
    """Return whether whole numbers are those from 0 or 1 on, each about as frequent as any other."""
    levels = reference.distinct
    low, high = numbers[0], numbers[-1]
    if low < 0 or high > levels or high - low + 1 < MIN_SPAN * levels:
        return False
    bins = min(levels, sum(count > 0 for count in reference.counts))
    return max(reference.counts, default=0) * bins <= MAX_EVEN * sum(reference.counts)


def _cycle_of(name: str) -> Cycle | None:
    """Return what the last word of a name says that its values are.

    >>> [_cycle_of(name) for name in ("pickup_hour", "isHoliday", "hours-per-week")]
    [Cycle(hours=1, last=24), Cycle(hours=24, last=1), None]
    >>> _cycle_of("day of week")
    Cycle(hours=24, last=7)
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = [word.casefold() for word in re.findall(r"[^\W\d_]+", spaced)]
    if not words or "per" in words:
        return None
    if words[-3:-1] == ["day", "of"]:
        return BY_WORD.get({"week": "weekday"}.get(words[-1], "day"))
    return BY_WORD.get(words[-1])


def _hours_of_words(levels: Sequence[str]) -> int | None:
    """Return how long a value lasts if all are English names of months, weekdays or seasons, or quarters; else None.

    >>> _hours_of_words(["Mon", "tue", "Sunday"]), _hours_of_words(["Q1", "Q2"]), _hours_of_words(["Mon", "Monster"])
    (24, 2190, None)
    """
    plain = [level.strip().rstrip(".").casefold() for level in levels]
    if len(plain) < 2:
        return None
    for names, hours in ((WEEKDAYS, DAY), (MONTHS, MONTH)):
        if all(len(level) >= MIN_WORD and any(name.startswith(level) for name in names) for level in plain):
            return hours
    is_season = all(level in SEASONS or re.fullmatch(r"q[1-4]", level) for level in plain)
    return QUARTER if is_season else None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*\d{1,4}(\.0*)?\s*", text) is not None
