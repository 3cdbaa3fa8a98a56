"""When the rows of a file arrived, for a run that learns from the newest rows and has no time column."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from modelcycle.collect.landed import TRAFFIC, landed_prefix
from modelcycle.messages import Run
from modelcycle.spec import MAIN, Pipeline
from modelcycle.store import Listed

_HOUR = re.compile(r"(\d{4})/(\d{2})/(?:(\d{2})/)?(?:(\d{2})/)?")  # `land` names hours, days or months
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


def arrival(listed: Listed, run: Run, pipeline: Pipeline) -> dict[str, float]:
    """Return the entry `at` of an object in the manifest, seconds since 1970 UTC; none if no window needs it.

    Rows of a stream, and live requests, have the end of the hour or day after which their object is named: so a row is
    never taken for an older one. Other objects have the time at which they were written.
    """
    if run.learns is None or pipeline.time_column is not None:
        return {}
    stream, traffic = landed_prefix(run.model, MAIN), landed_prefix(run.model, TRAFFIC)
    if listed.key.startswith(traffic) and (day := _DAY.match(listed.key, len(traffic))):
        return {"at": _end(*(int(part) for part in day.groups()))}
    if listed.key.startswith(stream) and (hour := _HOUR.match(listed.key, len(stream))):
        return {"at": _end(*(int(part) for part in hour.groups() if part))}
    return {"at": listed.modified}


def _end(year: int, month: int, day: int | None = None, hour: int | None = None) -> float:
    """Return the last second of a month, a day or an hour.

    >>> _end(1970, 1), _end(1970, 1, 1), _end(1970, 1, 1, 0)
    (2678399.0, 86399.0, 3599.0)
    """
    start = datetime(year, month, day or 1, hour or 0, tzinfo=UTC)
    if day is None:
        end = (start + timedelta(days=31)).replace(day=1)
    else:
        end = start + (timedelta(days=1) if hour is None else timedelta(hours=1))
    return end.timestamp() - 1
