"""Dates and times as text, and their seconds since 1970 UTC.

`preprocess` reads whole columns in DuckDB (`sql`), serving reads single values (`parse`); both give the same number. A
time without a zone is UTC. Month names are English. Two-digit years and bare digits (20240131) are not dates, nor is
anything outside the years 1 to 9999 UTC, the range of Python's `datetime`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache

DATES = (
    "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d",
    "%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y",
)  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
FORMATS = ("iso", *(date + time for date in DATES for time in TIMES))
"""In order of preference. If no day of a column is above 12, the month comes first with slashes (as in pandas), and the
day with dashes; otherwise the values decide."""

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MIN_SECONDS = -62_135_596_800.0  # the beginning of the year 1
_END_SECONDS = 253_402_300_800.0  # the beginning of the year 10000
_HOUR = r"([01][0-9]|2[0-3])"
_SIXTY = r"([0-5][0-9])"  # minutes or seconds
_ISO = (
    r"([0-9]{4})-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])"
    rf"(?:[T ]{_HOUR}:{_SIXTY}(?::{_SIXTY}(?:\.([0-9]{{1,9}}))?)?(Z|[+-]{_HOUR}(?::?{_SIXTY})?)?)?"
)
_PARTS = {
    "%Y": r"([0-9]{4})", "%m": r"(0?[1-9]|1[0-2])", "%d": r"(0?[1-9]|[12][0-9]|3[01])", "%H": r"([01]?[0-9]|2[0-3])",
    "%I": r"(0?[1-9]|1[0-2])", "%M": _SIXTY, "%S": _SIXTY, "%p": r"([AaPp][Mm])",
    "%b": "(" + "|".join(month[:3] for month in MONTHS) + ")", "%B": "(" + "|".join(MONTHS) + ")",
}  # fmt: skip


def parse(text: str, format: str) -> float:  # noqa: A002 (as strptime names it)
    """Return the seconds since 1970 UTC.

    Parameters
    ----------
    format : one of FORMATS

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
    return _iso_seconds(match) if format == "iso" else _format_seconds(match, format)


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
    moment = f"try_cast({column} AS TIMESTAMPTZ)" if format == "iso" else f"try_strptime({column}, '{format}')"
    seconds = f"epoch_us({moment}) / 1000000"
    return f"CASE WHEN {matches} AND {seconds} >= {_MIN_SECONDS} AND {seconds} < {_END_SECONDS} THEN {seconds} END"


def to_text(seconds: float, format: str) -> str:  # noqa: A002
    """Return a date as text from which `parse` reads the same seconds, unless the format has no time of day.

    Parameters
    ----------
    seconds : since 1970 UTC
    format : one of FORMATS; "" is "iso"

    Examples
    --------
    >>> to_text(0, "%d.%m.%Y"), to_text(0.5, "iso")
    ('01.01.1970', '1970-01-01T00:00:00.500000+00:00')
    """
    moment = _EPOCH + timedelta(seconds=seconds)  # unlike fromtimestamp, works before 1970 on every platform
    if format in ("", "iso"):
        return moment.isoformat()
    return moment.strftime(format.replace("%Y", f"{moment.year:04}"))  # on Linux, %Y has no leading zeros


def _iso_seconds(match: re.Match[str]) -> float:
    year, month, day, hour, minute, second, fraction, zone, zone_hour, zone_minute = match.groups()
    moment = _whole_seconds(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
    offset = int(zone_hour or 0) * 3600 + int(zone_minute or 0) * 60
    moment -= -offset if zone and zone[0] == "-" else offset
    # divided as a float, as DuckDB does
    seconds = float(moment * 1_000_000 + int((fraction or "").ljust(6, "0")[:6])) / 1_000_000
    if not _MIN_SECONDS <= seconds < _END_SECONDS:  # because of the zone, or of a fraction that a float rounds up
        raise ValueError("the date is outside the years 1 to 9999 UTC")
    return seconds


def _format_seconds(match: re.Match[str], format: str) -> float:  # noqa: A002
    parts = dict(zip(re.findall("%[A-Za-z]", format), match.groups(), strict=True))
    month_name = parts.get("%b") or parts.get("%B")
    month = [m[:3] for m in MONTHS].index(month_name[:3].lower()) + 1 if month_name else int(parts["%m"])
    hour = int(parts.get("%H") or 0)
    if "%p" in parts:
        hour = int(parts["%I"]) % 12 + (12 if parts["%p"].lower() == "pm" else 0)
    minute, second = int(parts.get("%M") or 0), int(parts.get("%S") or 0)
    return float(_whole_seconds(int(parts["%Y"]), month, int(parts["%d"]), hour, minute, second))


@cache
def _pattern(format: str) -> re.Pattern[str]:  # noqa: A002
    return re.compile(_pattern_text(format))


def _pattern_text(format: str) -> str:  # noqa: A002
    """Return the regular expression of a format, in the syntax that Python and DuckDB (RE2) share."""
    if format == "iso":
        return _ISO
    escaped = re.sub(r"[.]", r"\.", format)
    return "(?i)" * ("%b" in format.lower()) + re.sub("%[A-Za-z]", lambda part: _PARTS[part[0]], escaped)


def _whole_seconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(seconds=1)
