"""Moments as systems write them in messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

MAX_EPOCH_SECONDS = 10**11  # larger numbers are milliseconds, microseconds or nanoseconds


def read_time(value: Any) -> datetime | None:
    """Return the time that a value means: ISO 8601 (without a zone: UTC), or s, ms, us or ns since 1970.

    >>> read_time("2024-01-31T14:05:00+01:00").isoformat(), read_time(1706706300000).isoformat()
    ('2024-01-31T13:05:00+00:00', '2024-01-31T13:05:00+00:00')
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        pass
    else:
        for _ in range(3):  # ms, us, ns
            number = number / 1000 if abs(number) > MAX_EPOCH_SECONDS else number
        try:
            return datetime.fromtimestamp(number, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    try:
        time = datetime.fromisoformat(str(value).strip())
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
