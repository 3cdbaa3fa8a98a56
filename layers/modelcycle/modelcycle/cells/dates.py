"""Dates and times as text, and their seconds since 1970 UTC.

`preprocess` reads whole columns in DuckDB (`sql`), serving reads single values (`parse`); both give the same number. A
time without a zone is UTC. Month names are English. Years of two digits are 1969 to 2068, as in `strptime`; a week is
its Monday, a month its first day. Nothing outside the years 1 to 9999 UTC, the range of Python's `datetime`, is a date.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache

DATES = (
    "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d",
    "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d/%b/%Y", "%b %d %Y", "%B %d %Y",
    "%d%b%Y", "%Y年%m月%d日", "%a, %d %b %Y", "%A, %d %B %Y", "%A, %B %d, %Y",
    "%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%b-%y", "%d %b %y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d", "%y/%m/%d",
)  # fmt: skip
TIMES = (
    "", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p",
    ", %H:%M", ", %H:%M:%S", ", %I:%M %p", ", %I:%M:%S %p", " %H:%M:%S GMT", " %H:%M:%S UTC", " %H:%M:%S %z",
)  # fmt: skip
OTHERS = (
    "%a %b %d %H:%M:%S %Y", "%d/%b/%Y:%H:%M:%S %z", "%Y-%m-%dT%H:%M:%S.%f%z", "%d-%b-%y %I.%M.%S.%f %p",
    "%d%b%Y:%H:%M:%S", "%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S", "%Y%m%d %H%M%S", "%Y%m%d %H:%M:%S",
    "%G-W%V-%u", "%G-W%V", "%Y-%m", "%Y/%m", "%m/%Y", "%m.%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y",
)  # fmt: skip
FORMATS = ("iso", *(date + time for date in DATES for time in TIMES), *OTHERS)
"""In order of preference. If no day of a column is above 12, the month comes first with slashes (as in pandas), and the
day with dashes; otherwise the values decide."""

EPOCHS = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000, "epoch_ns": 1_000_000_000}
"""Numbers that count from 1970 UTC, and how many of them make a second."""

DIGITS = ("%Y%m%d", "%Y%m%d%H%M%S", "%Y%m%d%H%M", *EPOCHS)
"""Formats of bare digits; whether such a column is a date, its name or all its values must say."""

PADDED = "%b %d"
"""Where SQL Server and C pad a day of one digit with a blank: Mar  2 2021. In such formats, several blanks are one."""

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MAY_BE_DATE = re.compile(
    rf"[0-9][^0-9]+[0-9]|[0-9]{{6}}|(?:{'|'.join(month[:3] for month in MONTHS)}).*[0-9]", re.IGNORECASE | re.DOTALL
)
FIRST_SHORT_YEAR = 69  # means 1969, and 68 means 2068
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MIN_SECONDS = -62_135_596_800.0  # the beginning of the year 1
_END_SECONDS = 253_402_300_800.0  # the beginning of the year 10000
_HOUR = r"([01][0-9]|2[0-3])"
_SIXTY = r"([0-5][0-9])"  # minutes or seconds
_UTC = "Z|UTC|GMT"
_ISO = (
    r"([0-9]{4})-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])"
    rf"(?:[T ]{_HOUR}:{_SIXTY}(?::{_SIXTY}(?:\.([0-9]{{1,9}}))?)?"
    rf"( ?(?:{_UTC})| ?[+-]{_HOUR}(?::?{_SIXTY})?(?: UTC)?)?)?"
)
_PARTS = {
    "%Y": r"([0-9]{4})", "%y": r"([0-9]{2})", "%m": r"(0?[1-9]|1[0-2])", "%d": r"(0?[1-9]|[12][0-9]|3[01])",
    "%H": r"([01]?[0-9]|2[0-3])", "%I": r"(0?[1-9]|1[0-2])", "%M": _SIXTY, "%S": _SIXTY, "%f": r"([0-9]{1,9})",
    "%p": r"([AaPp][Mm])", "%z": r"([+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])",
    "%b": "((?i:" + "|".join(month[:3] for month in MONTHS) + "))", "%B": "((?i:" + "|".join(MONTHS) + "))",
    "%a": "((?i:" + "|".join(day[:3] for day in WEEKDAYS) + "))", "%A": "((?i:" + "|".join(WEEKDAYS) + "))",
    "%G": r"([0-9]{4})", "%V": r"(0[1-9]|[1-4][0-9]|5[0-3])", "%u": r"([1-7])",
}  # fmt: skip
_FIXED = {"%m": r"(0[1-9]|1[0-2])", "%d": r"(0[1-9]|[12][0-9]|3[01])", "%H": _HOUR}  # where nothing separates the parts
MAX_ROUNDING = 1e-3  # of a count since 1970, above which its text has a fraction
_EPOCH_NUMBER = r"-?[0-9]{1,20}(?:\.[0-9]{1,9})?"


def is_format(format: str) -> bool:  # noqa: A002
    """Return whether `parse` and `sql` know a format.

    >>> is_format("%d/%m/%Y"), is_format("epoch_ms"), is_format("%d/%q"), is_format("DD/MM/YYYY")
    (True, True, False, False)
    """
    if format == "iso" or format in EPOCHS:
        return True
    parts = re.findall("%.", format)
    year, month = {"%Y", "%y"} & {*parts}, {"%m", "%b", "%B"} & {*parts}
    known = all(part in _PARTS for part in parts) and len(parts) == len({*parts}) and format.count("%") == len(parts)
    return known and (len(year) == len(month) == 1 or {"%G", "%V"} <= {*parts}) and "'" not in format


def swapped(format: str) -> str:  # noqa: A002
    """Return a format with day and month the other way around, or "" if it names the month.

    >>> swapped("%m/%d/%Y %H:%M"), swapped("%d %b %Y")
    ('%d/%m/%Y %H:%M', '')
    """
    if "%d" not in format or "%m" not in format or not re.match("%[md]", format):
        return ""
    return format.translate({ord("d"): "m", ord("m"): "d"})


def parse(text: str, format: str) -> float:  # noqa: A002 (as strptime names it)
    """Return the seconds since 1970 UTC.

    Parameters
    ----------
    format : one of FORMATS or DIGITS

    Raises
    ------
    ValueError : the text is not a date of this format

    Examples
    --------
    >>> parse("01.02.1970 00:30", "%d.%m.%Y %H:%M"), parse("1970-01-01T01:00+01:00", "iso")
    (2680200.0, 0.0)
    """
    match = _pattern(format).fullmatch(text)
    if match is None:
        raise ValueError(f"not a date of the format {format}")
    if format in EPOCHS:
        return _in_range(float(text) / EPOCHS[format])
    return _iso_seconds(match) if format == "iso" else _format_seconds(match, format)


def may_be_date(text: str) -> bool:
    """Return whether a text may be a date in any format: a look that costs less than a try of each.

    >>> may_be_date("31 Jan 24"), may_be_date("2024-W05"), may_be_date("20240131"), may_be_date("11th")
    (True, True, True, False)
    """
    return _MAY_BE_DATE.search(text) is not None


def is_date(text: str, format: str) -> bool:  # noqa: A002
    """Return whether `parse` reads a text.

    >>> is_date("31.12.2024", "%d.%m.%Y"), is_date("31.02.2024", "%d.%m.%Y")
    (True, False)
    """
    try:
        parse(text, format)
    except ValueError:
        return False
    return True


def sql(column: str, format: str) -> str:  # noqa: A002
    """Return SQL for a text column as DOUBLE, with the result of `parse`, or NULL if it is not a date.

    The time zone of the DuckDB session must be UTC.
    """
    matches = f"regexp_full_match({column}, '{_pattern_text(format)}')"
    if format in EPOCHS:
        seconds = f"(try_cast({column} AS DOUBLE) / {EPOCHS[format]})"
    else:
        seconds = f"(epoch_us({_moment_sql(column, format)}) / 1000000)"
    return f"CASE WHEN {matches} AND {seconds} >= {_MIN_SECONDS} AND {seconds} < {_END_SECONDS} THEN {seconds} END"


def to_text(seconds: float, format: str) -> str:  # noqa: A002
    """Return a date as text from which `parse` reads the same seconds, unless the format has no time of day.

    Parameters
    ----------
    seconds : since 1970 UTC
    format : one of FORMATS or DIGITS; "" is "iso"

    Examples
    --------
    >>> to_text(0, "%d.%m.%Y"), to_text(0.5, "iso")
    ('01.01.1970', '1970-01-01T00:00:00.500000+00:00')
    """
    moment = _EPOCH + timedelta(seconds=seconds)  # unlike fromtimestamp, works before 1970 on every platform
    if format in ("", "iso"):
        return moment.isoformat()
    if format in EPOCHS:
        count = seconds * EPOCHS[format]
        return f"{count:.0f}" if abs(count - round(count)) < MAX_ROUNDING else repr(count)
    # on Linux, %Y and %G have no leading zeros
    years = {"%Y": moment.year, "%G": moment.isocalendar().year}
    return moment.strftime(re.sub("%[YG]", lambda part: f"{years[part[0]]:04}", format))


def _moment_sql(column: str, format: str) -> str:  # noqa: A002
    """Return SQL for a moment, of a text that matches the format's pattern."""
    if format == "iso":
        plain = rf"regexp_replace(regexp_replace({column}, ' ?({_UTC})$', ''), ' ([+-])', '\1')"
        other = f"right({column}, 1) IN ('C', 'T') OR contains({column}, ' +') OR contains({column}, ' -')"
        return f"try_cast(CASE WHEN {other} THEN {plain} ELSE {column} END AS TIMESTAMPTZ)"
    if "%G" in format and "%u" not in format:
        return f"try_strptime({column} || ' 1', '{format} %u')"
    if PADDED in format:
        column = f"regexp_replace({column}, '  +', ' ', 'g')"
    if "%f" in format:
        column = rf"regexp_replace({column}, '([.][0-9]{{6}})[0-9]+', '\1')"
    return f"try_strptime({column}, '{format}')"


def _iso_seconds(match: re.Match[str]) -> float:
    year, month, day, hour, minute, second, fraction, zone, zone_hour, zone_minute = match.groups()
    moment = _whole_seconds(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    offset = int(zone_hour or 0) * 3600 + int(zone_minute or 0) * 60
    moment -= -offset if zone and "-" in zone else offset
    return _with_fraction(moment, fraction)


def _format_seconds(match: re.Match[str], format: str) -> float:  # noqa: A002
    parts = dict(zip(re.findall("%[A-Za-z]", format), match.groups(), strict=True))
    if "%G" in parts:
        week = date.fromisocalendar(int(parts["%G"]), int(parts["%V"]), int(parts.get("%u") or 1))
        return _in_range(_whole_seconds(week.year, week.month, week.day, 0, 0, 0))
    month_name = parts.get("%b") or parts.get("%B")
    month = [m[:3] for m in MONTHS].index(month_name[:3].lower()) + 1 if month_name else int(parts["%m"])
    year = int(parts.get("%Y") or parts["%y"])
    if "%y" in parts:
        year += 1900 if year >= FIRST_SHORT_YEAR else 2000
    hour = int(parts.get("%H") or 0)
    if "%p" in parts:
        hour = int(parts["%I"]) % 12 + (12 if parts["%p"].lower() == "pm" else 0)
    minute, second = int(parts.get("%M") or 0), int(parts.get("%S") or 0)
    moment = _whole_seconds(year, month, int(parts.get("%d") or 1), hour, minute, second)
    if "%z" in parts:
        offset = datetime.strptime(parts["%z"], "%z").utcoffset() or timedelta()
        moment -= int(offset.total_seconds())
    return _with_fraction(moment, parts.get("%f"))


@cache
def _pattern(format: str) -> re.Pattern[str]:  # noqa: A002
    return re.compile(_pattern_text(format))


def _pattern_text(format: str) -> str:  # noqa: A002
    """Return the regular expression of a format, in the syntax that Python and DuckDB (RE2) share."""
    if format == "iso":
        return _ISO
    if format in EPOCHS:
        return _EPOCH_NUMBER
    fixed = _FIXED if "%Y%m%d" in format else {}
    letters = "".join(
        part if part.startswith("%") else re.escape(part).replace("'", "''") for part in re.split("(%[A-Za-z])", format)
    )
    if PADDED in format:
        letters = letters.replace("\\ ", " +")
    return re.sub("%[A-Za-z]", lambda part: (_PARTS | fixed)[part[0]], letters)


def _whole_seconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(seconds=1)


def _with_fraction(moment: int, fraction: str | None) -> float:
    # divided as a float, as DuckDB does
    return _in_range(float(moment * 1_000_000 + int((fraction or "").ljust(6, "0")[:6])) / 1_000_000)


def _in_range(seconds: float) -> float:
    if not _MIN_SECONDS <= seconds < _END_SECONDS:  # because of the zone, or of a fraction that a float rounds up
        raise ValueError("the date is outside the years 1 to 9999 UTC")
    return seconds
