"""Times of the day and durations as text, and their seconds.

clock     14:05, 14:05:06.5, 2:05 PM                    seconds of the day
duration  1 days 02:03:04, PT5M30S, 26:30:00, 1h 5m     seconds

Both give the same number in DuckDB (`time_sql`) and in Python (`seconds`).
"""

from __future__ import annotations

import re
from typing import Literal, get_args

TimeFormat = Literal["clock", "duration"]
TIME_FORMATS: tuple[TimeFormat, ...] = get_args(TimeFormat)

_SIXTY = "[0-5]?[0-9]"
_SECOND = r"[0-5][0-9](?:[.,][0-9]{1,9})?"
_CLOCK = rf"([01]?[0-9]|2[0-3])[:h]([0-5][0-9])(?:[:m]({_SECOND})s?)?(?: ?([AaPp])\.?[Mm]\.?)?"
_AMOUNT = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
# days and h:m:s; ISO 8601; amounts with units
_DAYS = rf"(-)?(?:([0-9]{{1,7}}) ?(?:days?|d)?[, ] ?)?(\+)?([0-9]{{1,6}}):([0-5][0-9])(?::({_SECOND}))?"
_ISO = rf"(-)?P(?:({_AMOUNT})W)?(?:({_AMOUNT})D)?(?:T(?:({_AMOUNT})H)?(?:({_AMOUNT})M)?(?:({_AMOUNT})S)?)?"
_UNITS = (
    rf"(-)?(?:({_AMOUNT}) ?(?:days?|d) ?)?(?:({_AMOUNT}) ?(?:hours?|hrs?|h) ?)?"
    rf"(?:({_AMOUNT}) ?(?:minutes?|mins?|min|m) ?)?(?:({_AMOUNT}) ?(?:seconds?|secs?|sec|s))?"
)
_METRES = rf"-?{_AMOUNT} ?m"  # may be metres as well as minutes


def seconds(text: str, format: str) -> float | None:  # noqa: A002 (as `Reading` names it)
    """Return the seconds of a text, None if it is not of this format.

    Parameters
    ----------
    format : clock or duration

    Examples
    --------
    >>> seconds("2:05 PM", "clock"), seconds("24:00", "clock")
    (50700.0, None)
    >>> seconds("1 days 02:03:04", "duration"), seconds("PT5M30S", "duration"), seconds("1h 5m", "duration")
    (93784.0, 330.0, 3900.0)
    """
    stripped = text.strip()
    if format == "clock":
        return _clock(stripped)
    match = re.fullmatch(_DAYS, stripped)
    if match:
        minus, days, plus, hours, minutes, rest = match.groups()
        time = _amount(hours) * 3600.0 + _amount(minutes) * 60.0 + _amount(rest)
        if minus:  # pandas writes a minute before as "-1 days +23:59:00"
            return -_amount(days) * 86400.0 + (time if plus else -time)
        return _amount(days) * 86400.0 + time
    match = re.fullmatch(_ISO, stripped)
    if match and stripped[-1] not in "PT":
        minus, weeks, days, hours, minutes, rest = match.groups()
        total = _amount(weeks) * 604800.0 + (
            _amount(days) * 86400.0 + (_amount(hours) * 3600.0 + (_amount(minutes) * 60.0 + _amount(rest)))
        )
        return -total if minus else total
    match = re.fullmatch(_UNITS, stripped)
    if match and any(match.groups()[1:]) and not re.fullmatch(_METRES, stripped):
        minus, days, hours, minutes, rest = match.groups()
        total = _amount(days) * 86400.0 + (_amount(hours) * 3600.0 + (_amount(minutes) * 60.0 + _amount(rest)))
        return -total if minus else total
    return None


def time_sql(column: str, format: str) -> str:  # noqa: A002
    """Return SQL for a stripped column as DOUBLE, with the result of `seconds`, NULL if it is none."""
    if format == "clock":
        parts = _parts(column, _CLOCK, "h", "m", "s", "p")
        hour, half = f"{parts}.h::DOUBLE", f"lower({parts}.p)"
        hours = (
            f"CASE WHEN {half} = '' THEN {hour} WHEN {hour} BETWEEN 1 AND 12"
            f" THEN {hour} % 12 + CASE WHEN {half} = 'p' THEN 12 ELSE 0 END END"
        )
        total = f"({hours}) * 3600.0 + {_sql(parts, 'm')} * 60.0 + {_sql(parts, 's')}"
        return f"CASE WHEN regexp_full_match({column}, '{_CLOCK}') THEN {total} END"
    days = _parts(column, _DAYS, "minus", "d", "plus", "h", "m", "s")
    iso = _parts(column, _ISO, "minus", "w", "d", "h", "m", "s")
    units = _parts(column, _UNITS, "minus", "d", "h", "m", "s")
    below = "({0} * 86400.0 + ({1} * 3600.0 + ({2} * 60.0 + {3})))"
    time = f"({_sql(days, 'h')} * 3600.0 + {_sql(days, 'm')} * 60.0 + {_sql(days, 's')})"
    before = f"-{_sql(days, 'd')} * 86400.0 + CASE WHEN {days}.plus = '+' THEN {time} ELSE -{time} END"
    of_iso = f"{_sql(iso, 'w')} * 604800.0 + {below.format(*(_sql(iso, part) for part in 'dhms'))}"
    of_units = below.format(*(_sql(units, part) for part in "dhms"))
    whens = [
        (_DAYS, "true", days, before, f"{_sql(days, 'd')} * 86400.0 + {time}"),
        (_ISO, f"right({column}, 1) NOT IN ('P', 'T')", iso, f"-({of_iso})", of_iso),
        (
            _UNITS,
            f"{column} NOT IN ('', '-') AND NOT regexp_full_match({column}, '{_METRES}')",
            units,
            f"-({of_units})",
            of_units,
        ),
    ]
    cases = " ".join(
        f"WHEN regexp_full_match({column}, '{pattern}') AND {also}"
        f" THEN CASE WHEN {parts}.minus = '-' THEN {negative} ELSE {positive} END"
        for pattern, also, parts, negative, positive in whens
    )
    return f"CASE {cases} END"


def _clock(text: str) -> float | None:
    match = re.fullmatch(_CLOCK, text)
    if match is None:
        return None
    hour, minute, second, half = match.groups()
    hours = _amount(hour)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half in "Pp" else 0)
    return hours * 3600.0 + _amount(minute) * 60.0 + _amount(second)


def _amount(text: str | None) -> float:
    return float((text or "0").replace(",", "."))


def _parts(column: str, pattern: str, *names: str) -> str:
    listed = ", ".join(f"'{name}'" for name in names)
    return f"regexp_extract({column}, '^(?:{pattern})$', [{listed}])"


def _sql(parts: str, name: str) -> str:
    return f"coalesce(try_cast(replace({parts}.{name}, ',', '.') AS DOUBLE), 0.0)"
