"""Columns whose values can be read, but are no longer what they were when the champion learned.

A column that has become constant, is in another unit, or has other levels judges the champion by what it never saw. It
may also be a true change, which looks the same: so a person is asked.

What grows with time is no sign of it: dates, whole numbers that go on above the highest one, levels such as `week 31`,
and levels that follow each other in blocks of rows. In a file about another or a shorter period, columns with few
values may be constant.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from typing import NamedTuple

from modelcycle.contract.quoting import may_quote
from modelcycle.model.profile import MAX_PROFILE_LEVELS, ColumnProfile

MIN_VALUES = 30  # of a column, now and then
MIN_MEASURED_VALUES = 100  # for a change of scale
MAX_MODE_SHARE = 0.95  # of the most frequent value then: a rarer holiday may well be absent for months
MAX_CHANCE = 1e-4  # that so many rows all have the value that was the most frequent
MIN_SCALE_CHANGE = 8.0  # an order of magnitude, less what chance takes
MIN_FAR_SHARE = 0.05  # of the values
FAR_RANGES = 3.0  # outside of the range then, in its widths
MAX_NEW_SHARE = 0.5  # of the values, that are levels which the champion has not seen
MAX_PERIOD_LEVELS = 53  # of a column that may be constant within a period: weeks of a year
MAX_PERIOD_SPAN = 0.5  # of the period then
MAX_GROWTH = 8  # of the width of the range, for whole numbers that go on
MIN_ORDER = 0.95  # correlation of a value with its row's position, for it to count as ordered
MAX_DATE_PART = 366  # day of a year
MIN_NAME_CHARACTERS = 3  # of an abbreviated month
DATE_NAMES = [name.lower() for name in (*calendar.month_name, *calendar.day_name) if name]
QUANTILES = (0.005, 0.1, 0.2, 0.25, 0.75, 0.8, 0.9, 0.995)
MAX_SHOWN_CHARACTERS = 30  # of a level
_DIGITS = re.compile(r"\d+")


class Numbers(NamedTuple):
    """The numbers of a column now; of a boolean 0 and 1, of dates seconds since 1970 UTC.

    Parameters
    ----------
    values : how many there are
    quantiles : at QUANTILES
    order : correlation with the position of the row
    whole : whether all are whole
    far : how many lie farther than FAR_RANGES outside of the range that they had
    """

    values: int
    minimum: float
    maximum: float
    quantiles: list[float]
    order: float
    whole: bool
    far: int


class Level(NamedTuple):
    """A text: in how many rows it is, and in how many blocks of rows."""

    text: str
    rows: int
    blocks: int


def far_bounds(then: ColumnProfile) -> tuple[float, float]:
    """Return the bounds outside of which a number is far from all that there were."""
    assert then.minimum is not None and then.maximum is not None
    margin = FAR_RANGES * (then.maximum - then.minimum)
    return then.minimum - margin, then.maximum + margin


def is_comparable(then: ColumnProfile) -> bool:
    """Return whether a column had enough values, and different ones, for a change to be seen."""
    if then.rows - then.missing < MIN_VALUES or then.distinct < 2 or not then.counts:
        return False
    return then.distinct <= MAX_PROFILE_LEVELS if then.type == "text" else then.minimum is not None


def is_other_period(columns: Sequence[tuple[ColumnProfile, Numbers]]) -> bool:
    """Return whether the rows are about a later or a shorter period, by a column that tells the time."""
    return any(_tells_other_period(then, now) for then, now in columns)


def number_shift(then: ColumnProfile, now: Numbers, champion: int, *, other_period: bool) -> str | None:
    """Return how the numbers of a column have changed, as a sentence without its subject; None if they have not.

    Examples
    --------
    >>> import numpy as np
    >>> from modelcycle.model.profile import profile_column
    >>> then = profile_column("income", "number", np.arange(1000.0) + 0.5)
    >>> now = Numbers(200, 500.0, 999500.0, [5500, 99500, 199500, 249500, 749500, 799500, 899500, 994500], 0, True, 150)
    >>> number_shift(then, now, 1, other_period=False)
    'the middle half of the values is 249,500 to 749,500; 98 % were 9.5 to 989.5 when version 1 learned'
    """
    if then.type == "datetime" or now.values < MIN_VALUES:
        return None
    low, d1, d2, q1, q3, d8, d9, high = now.quantiles
    present = then.rows - then.missing
    when = f"when version {champion} learned"
    if low == high:
        excused = other_period and then.distinct <= MAX_PERIOD_LEVELS
        if excused or goes_on(then, now) or _by_chance(max(then.counts) / present, now.values):
            return None
        share = "all rows with a value" if now.minimum == now.maximum else "99 % of the rows with a value"
        return f"{shown(low)} in {share}; it had {then.distinct:,} values {when}"
    if then.type == "boolean" or goes_on(then, now) or (other_period and _is_date_part(then, now)):
        return None
    least, most = _bounds(then)
    if q1 > most or q3 < least:
        return (
            f"the middle half of the values is {shown(q1)} to {shown(q3)};"
            f" 98 % were {shown(least)} to {shown(most)} {when}"
        )
    if min(now.values, present) < MIN_MEASURED_VALUES:
        return None
    if now.far >= MIN_FAR_SHARE * now.values:
        return (
            f"{now.far / now.values:.0%}".replace("%", " %") + f" of the values, from {shown(now.minimum)} to"
            f" {shown(now.maximum)}, are far from {shown(then.minimum)} to {shown(then.maximum)}, the range {when}"
        )
    is_slice = other_period and abs(now.order) >= MIN_ORDER
    wide, narrow = (
        (d9 - d1, quantile(then, 0.9) - quantile(then, 0.1)),
        (d8 - d2, quantile(then, 0.8) - quantile(then, 0.2)),
    )
    if not is_slice and _has_other_scale(*wide) * _has_other_scale(*narrow) > 0:
        return f"the middle 80 % of the values span {shown(wide[0])}; {shown(wide[1])} {when}"
    return None


def level_shift(
    then: ColumnProfile, now: Sequence[Level], champion: int, *, other_period: bool, personal: bool = False
) -> str | None:
    """Return how the levels of a column have changed, as a sentence without its subject; None if they have not.

    >>> from modelcycle.model.columns import Texts
    >>> from modelcycle.model.profile import profile_column
    >>> then = profile_column("region", "text", Texts.of(["north", "south"] * 50))
    >>> level_shift(then, [Level("N", 30, 14), Level("S", 28, 15), Level("north", 2, 2)], 3, other_period=False)
    "97 % of the values are levels that version 3 has never seen, such as 'N' and 'S'"
    >>> level_shift(then, [Level("north", 60, 1)], 3, other_period=False)
    "'north' in all rows with a value; it had 2 values when version 3 learned"
    """
    values = sum(level.rows for level in now)
    if values < MIN_VALUES:
        return None
    known = set(then.levels)
    new = [level for level in now if level.text not in known and not continues(level.text, then.levels)]
    share = sum(level.rows for level in new) / values
    # a column by which the rows are ordered, such as the name of the month
    in_blocks = len(now) > 1 and all(level.blocks == 1 for level in now)
    if share > MAX_NEW_SHARE and not in_blocks and not (other_period and all(level.blocks == 1 for level in new)):
        frequent = sorted(new, key=lambda level: (-level.rows, level.text))[:2]
        named = " and ".join(repr(cut(level.text)) for level in frequent if may_quote(level.rows, personal=personal))
        such = f", such as {named}" if named else ""
        return f"{100 * share:.0f} % of the values are levels that version {champion} has never seen{such}"
    if len(now) > 1 or other_period or share or now[0].text not in known:
        return None
    if _by_chance(max(then.counts) / (then.rows - then.missing), values):
        return None
    had = f"it had {then.distinct:,} values when version {champion} learned"
    quoted = "one text" if personal else repr(cut(now[0].text))
    return f"{quoted} in all rows with a value; {had}"


def quantile(then: ColumnProfile, share: float) -> float:
    """Return a decile of a profiled column; between deciles, the next higher one.

    >>> import numpy as np
    >>> from modelcycle.model.profile import profile_column
    >>> quantile(profile_column("n", "number", np.array([0.0] * 7 + [3.0, 4.0, 5.0])), 0.8)
    3.0
    """
    wanted, total = share * sum(then.counts) - 1e-6, 0
    for edge, count in zip(then.edges, then.counts, strict=False):
        total += count
        if total >= wanted:
            return edge
    assert then.maximum is not None
    return then.maximum


def _bounds(then: ColumnProfile) -> tuple[float, float]:
    """Return between which values 98 % were; all of them if the profile is older than that."""
    assert then.minimum is not None and then.maximum is not None
    least = then.minimum if then.percentile_1 is None else then.percentile_1
    return least, then.maximum if then.percentile_99 is None else then.percentile_99


def goes_on(then: ColumnProfile, now: Numbers) -> bool:
    """Return whether numbers go on beside those that were: a counter, a year, a day, the reading of a meter.

    Whole numbers begin above the highest one, at most as far away as these reached; or they follow the order of the
    rows. Others do both.
    """
    assert then.minimum is not None and then.maximum is not None
    is_whole = now.whole and not any(value % 1 for value in (then.minimum, then.maximum, *then.edges))
    if then.type == "boolean" or (then.distinct <= 2 and now.maximum <= then.maximum):  # a flag
        return False
    reach = then.maximum - then.minimum
    above, below = now.minimum - then.maximum, then.minimum - now.maximum
    if not is_whole:
        return now.order >= MIN_ORDER and 0 <= above <= reach
    if now.order >= MIN_ORDER:
        return below <= reach
    return 0 <= above <= max(reach, 1) and now.maximum - now.minimum <= MAX_GROWTH * max(reach, 1)


def _is_date_part(then: ColumnProfile, now: Numbers) -> bool:
    """Return whether numbers may be those of months, weeks or days of a year."""
    assert then.minimum is not None and then.maximum is not None
    return now.whole and min(then.minimum, now.minimum) >= 0 and max(then.maximum, now.maximum) <= MAX_DATE_PART


def _tells_other_period(then: ColumnProfile, now: Numbers) -> bool:
    if then.type == "boolean" or now.values < MIN_VALUES or then.minimum is None or then.maximum is None:
        return False
    if then.type == "number" and not (now.whole and now.order >= MIN_ORDER):
        return False
    is_later = now.minimum >= then.maximum
    return is_later or now.maximum - now.minimum <= MAX_PERIOD_SPAN * (then.maximum - then.minimum)


def _by_chance(mode_share: float, values: int) -> bool:
    return mode_share > MAX_MODE_SHARE or float(mode_share**values) > MAX_CHANCE


def _has_other_scale(now: float, then: float) -> int:
    """Return 1 or -1 if a width has grown or shrunk by an order of magnitude, else 0."""
    if now <= 0 or then <= 0:
        return 0
    return int(now >= MIN_SCALE_CHANGE * then) - int(then >= MIN_SCALE_CHANGE * now)


def continues(text: str, levels: Sequence[str]) -> bool:
    """Return whether a level is like the known ones, with a higher number; or names a month or a day of the week.

    >>> continues("week 31", ["week 29", "week 30"]), continues("week 3", ["week 29"]), continues("N", ["north"])
    (True, False, False)
    """
    shape, numbers = _shape(text)
    if len(text) >= MIN_NAME_CHARACTERS and any(name.startswith(text.lower().rstrip(".")) for name in DATE_NAMES):
        return True
    alike = [known for level in levels for other, known in [_shape(level)] if other == shape]
    return bool(numbers and alike) and numbers > max(alike)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    # more digits than any counter has would be slow to convert
    return _DIGITS.sub("#", text), tuple(int(digits[:18]) for digits in _DIGITS.findall(text))


def cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[: MAX_SHOWN_CHARACTERS - 3]}..."


def shown(number: float | None) -> str:
    """Return a number for people.

    >>> shown(12345.678), shown(0.123456), shown(5.0), shown(2.5e12)
    ('12,346', '0.1235', '5', '2.5e+12')
    """
    assert number is not None
    if abs(number) >= 1e9:
        return f"{number:.3g}"
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"
