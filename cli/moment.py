"""A time that a person types."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from modelcycle.faults import BadInput

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
MAX_LENGTH = timedelta(days=400)


def parse_moment(text: str, option: str, now: datetime | None = None) -> datetime:
    """Return the time that an option names: ISO 8601, in the local time zone if it names none.

    Raises
    ------
    BadInput : it is no such time, or lies in the future

    Examples
    --------
    >>> parse_moment("2026-11-24T10:00:00+01:00", "--at").astimezone(UTC).isoformat()
    '2026-11-24T09:00:00+00:00'
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        moment = moment.astimezone(UTC)  # a time without a zone is local
    except (ValueError, OverflowError, OSError):
        raise BadInput(
            f"{text!r} is no time", option,
            'write it like "2026-11-24 10:00" (local time) or 2026-11-24T10:00:00Z',
        ) from None  # fmt: skip
    if moment > (now or datetime.now(UTC)):
        raise BadInput(f"{text} has not come yet", option, "name a time in the past; without the option you see now")
    return moment


def parse_length(text: str, option: str) -> timedelta:
    """Return the length of time that an option names.

    Raises
    ------
    BadInput : it names none, or one above MAX_LENGTH

    Examples
    --------
    >>> parse_length("7d", "--window"), parse_length("36 hours", "--window")
    (datetime.timedelta(days=7), datetime.timedelta(days=1, seconds=43200))
    """
    match = re.fullmatch(r"\s*([0-9]{1,5})\s*(h|d|w)(?:ours?|ays?|eeks?)?\s*", text.lower())
    length = int(match[1]) * UNITS[match[2]] if match else timedelta()
    if not timedelta() < length <= MAX_LENGTH:
        raise BadInput(
            f"{text!r} is no length of time", option, f"write it like 24h, 7d or 4w, up to {MAX_LENGTH.days}d"
        )
    return length
