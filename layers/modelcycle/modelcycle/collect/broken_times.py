"""When the values of live requests were wrong: what was asked then is not learned from, even when all is well again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from modelcycle.registry.incident import Incident

DAY_SECONDS = 86_400


class BrokenTime(NamedTuple):
    """A time in seconds since 1970 UTC; `end` is infinite while the incident is open."""

    start: float
    end: float

    def touches(self, day: str) -> bool:
        """Return whether a part of it lies in a day (YYYY-MM-DD).

        >>> BrokenTime(86_399, 86_400).touches("1970-01-02"), BrokenTime(0, 86_399).touches("1970-01-02")
        (True, False)
        """
        first = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()
        return self.start < first + DAY_SECONDS and self.end >= first


def broken_times(incidents: Sequence[Incident]) -> list[BrokenTime]:
    """Return the times of incidents "broken data": from the start of the first window to the end of the last alarm.

    Which window was the first one is not on record: if a day has shown the incident, a day is taken.

    Parameters
    ----------
    incidents : of a model, whichever version
    """
    found = []
    for incident in incidents:
        if incident.kind == "broken data":
            start = incident.opened_at - timedelta(days=1 if "day" in incident.seen else 1 / 24)
            end = math.inf if incident.state == "open" else incident.seen_at.timestamp()
            found.append(BrokenTime(start.timestamp(), end))
    return sorted(found)


def asked_in(times: Sequence[BrokenTime], asked_at: str) -> str:
    """Return SQL of whether a request was asked in one of the times.

    Parameters
    ----------
    asked_at : SQL of seconds since 1970 UTC

    Examples
    --------
    >>> asked_in([BrokenTime(5.0, 7.5), BrokenTime(9.0, math.inf)], "asked_at")
    '((asked_at BETWEEN 5.0 AND 7.5) OR asked_at >= 9.0)'
    >>> asked_in([], "asked_at")
    'false'
    """
    listed = [
        f"{asked_at} >= {start!r}" if math.isinf(end) else f"({asked_at} BETWEEN {start!r} AND {end!r})"
        for start, end in times
    ]
    return f"({' OR '.join(listed)})" if listed else "false"
