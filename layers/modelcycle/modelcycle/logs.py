"""Port: the log of one function, read by time. Adapter: CloudWatch Logs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from modelcycle.outages import Unreachable, outages_as_faults


@dataclass(frozen=True)
class LogPart:
    """The lines of a time range, or of its beginning.

    Parameters
    ----------
    lines : with the time at which each was written, in order of time
    until : the end of the range if all of it was read, else the time of the last line that was
    """

    lines: list[tuple[datetime, str]]
    until: datetime


class Logs(Protocol):
    """The log of one function."""

    def read(self, start: datetime, end: datetime, pages: int) -> LogPart:
        """Return the lines of [start, end), as far as `pages` go: each has up to 1 MB.

        Raises
        ------
        Transient, Throttled : the service does not answer
        """


class CloudWatchLogs:
    """One log group.

    Nothing is filtered there: of what `predict` writes, most bytes are wanted.

    Parameters
    ----------
    client : botocore's client of CloudWatch Logs
    group : name of the log group
    unreachable : the client's errors for a service that did not answer; they are raised as Transient
    """

    def __init__(self, client: Any, group: str, unreachable: Unreachable = ()) -> None:
        self.client = client
        self.group = group
        self.unreachable = unreachable

    def read(self, start: datetime, end: datetime, pages: int) -> LogPart:
        if start >= end:
            return LogPart([], end)
        # both ends are included (AWS page "FilterLogEvents")
        request = {"logGroupName": self.group, "startTime": _milliseconds(start), "endTime": _milliseconds(end) - 1}
        lines: list[tuple[datetime, str]] = []
        until = start
        for _ in range(pages):
            with outages_as_faults("CloudWatch Logs", self.group, self.unreachable):
                page = self.client.filter_log_events(**request)
            for event in page["events"]:
                until = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                lines += [(until, line) for line in event["message"].splitlines()]  # a local cloud may join lines
            # a page may be empty although more follow
            if not page.get("nextToken"):
                return LogPart(lines, end)
            request["nextToken"] = page["nextToken"]
        return LogPart(lines, until)


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
