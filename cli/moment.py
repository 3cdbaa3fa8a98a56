"""A time that a person types."""

from __future__ import annotations

from datetime import UTC, datetime

from modelcycle.faults import BadInput


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
