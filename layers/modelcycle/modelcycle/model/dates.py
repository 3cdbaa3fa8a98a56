"""Dates and times as text: what is read as one, and the seconds that it stands for.

`preprocess` reads whole columns by DuckDB (`sql`), serving reads single values by `parse`; both give the same number.
A time without a zone is UTC. Month names are English. Two-digit years and bare digits (20240131) are not read as dates,
nor is what lies outside the years 1 to 9999 UTC: `datetime`, which writes dates out, knows no others.
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
"""In order of preference. Where all days of a column are below 13, month before day is taken with slashes (as pandas
does), day before month with dashes; else the column itself decides."""

MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _END = -62_135_596_800.0, 253_402_300_800.0  # seconds of the years 1 and 10000, the second one excluded
_CLOCK = r"([01][0-9]|2[0-3])"
_SIXTY = r"([0-5][0-9])"
_ISO = (
    r"([0-9]{4})-(0[1-9]|1[0-2])-([0-2][0-9]|3[01])"
    rf"(?:[T ]{_CLOCK}:{_SIXTY}(?::{_SIXTY}(?:\.([0-9]{{1,9}}))?)?(Z|[+-]{_CLOCK}(?::?{_SIXTY})?)?)?"
)
_PARTS = {
    "%Y": r"([0-9]{4})", "%m": r"(0?[1-9]|1[0-2])", "%d": r"(0?[1-9]|[12][0-9]|3[01])", "%H": r"([01]?[0-9]|2[0-3])",
    "%I": r"(0?[1-9]|1[0-2])", "%M": _SIXTY, "%S": _SIXTY, "%p": r"([AaPp][Mm])",
    "%b": "(" + "|".join(month[:3] for month in MONTHS) + ")", "%B": "(" + "|".join(MONTHS) + ")",
}  # fmt: skip


def parse(text: str, format: str) -> float:  # noqa: A002 (what strptime calls it)
    """Seconds since 1970 UTC.

    Parameters
    ----------
    format : one of FORMATS

    Raises
    ------
    ValueError : the text is no date of this format
    """
    found = _pattern(format).fullmatch(text)
    if found is None:
        raise ValueError(f"no date of the format {format}")
    if format == "iso":
        year, month, day, hour, minute, second, fraction, zone, zone_hour, zone_minute = found.groups()
        moment = _moment(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0))
        east = int(zone_hour or 0) * 3600 + int(zone_minute or 0) * 60
        moment -= -east if zone and zone[0] == "-" else east
        # by way of a float, as DuckDB divides
        seconds = float(moment * 1_000_000 + int((fraction or "").ljust(6, "0")[:6])) / 1_000_000
        if not _FIRST <= seconds < _END:  # by its zone, or a fraction that a float cannot hold
            raise ValueError("the date lies outside the years 1 to 9999 UTC")
        return seconds
    part = dict(zip(re.findall("%[A-Za-z]", format), found.groups(), strict=True))
    name = part.get("%b") or part.get("%B")
    month_number = int(part["%m"]) if name is None else [m[:3] for m in MONTHS].index(name[:3].lower()) + 1
    clock = int(part.get("%H") or 0)
    if "%p" in part:
        clock = int(part["%I"]) % 12 + (12 if part["%p"].lower() == "pm" else 0)
    return float(
        _moment(
            int(part["%Y"]), month_number, int(part["%d"]), clock, int(part.get("%M") or 0), int(part.get("%S") or 0)
        )
    )


def sql(column: str, format: str) -> str:  # noqa: A002
    """The same as a DuckDB expression over a text column (session time zone UTC): DOUBLE, NULL where it is no date."""
    guard = f"regexp_full_match({column}, '{_text(format)}')"
    moment = f"try_cast({column} AS TIMESTAMPTZ)" if format == "iso" else f"try_strptime({column}, '{format}')"
    seconds = f"epoch_us({moment}) / 1000000"
    return f"CASE WHEN {guard} AND {seconds} >= {_FIRST} AND {seconds} < {_END} THEN {seconds} END"


def written(seconds: float, format: str) -> str:  # noqa: A002
    """A date as text, such that `parse` reads the same seconds from it; a format without a time leaves the time out.

    >>> written(0, "%d.%m.%Y"), written(0.5, "iso")
    ('01.01.1970', '1970-01-01T00:00:00.500000+00:00')
    """
    moment = _EPOCH + timedelta(seconds=seconds)  # before 1970 too, on every platform
    if format in ("", "iso"):
        return moment.isoformat()
    return moment.strftime(format.replace("%Y", f"{moment.year:04}"))  # strftime takes zeros off a year on Linux


@cache
def _pattern(format: str) -> re.Pattern[str]:  # noqa: A002
    return re.compile(_text(format))


def _text(format: str) -> str:  # noqa: A002
    if format == "iso":
        return _ISO
    escaped = re.sub(r"[.]", r"\.", format)
    return "(?i)" * ("%b" in format.lower()) + re.sub("%[A-Za-z]", lambda part: _PARTS[part[0]], escaped)


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(seconds=1)
