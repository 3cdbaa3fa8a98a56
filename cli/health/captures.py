"""How many predictions were not captured, by the log of the function that answers them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cli.screens.lines import count

if TYPE_CHECKING:
    from cli.health.health import Health
    from cli.place import Place

TOLD_FOR = timedelta(days=1)
MAX_PAGES = 20  # of the log; each has up to 10,000 lines


def add_captures(place: Place, health: Health) -> None:
    """Add the number of rows of the last day that were answered and not captured.

    Firehose did not take them; `predict` logs their number when it gives them up. Rows of a process that was killed are
    not among them: nobody can count these.
    """
    group = place.outputs.get("PredictLog")
    if group is None:
        return
    rows, complete = _rows_not_captured(place, group)
    told = f"{'' if complete else 'at least '}{count(rows, 'row')}"
    if rows:
        health.problems.append(
            (f"{told} answered since yesterday and not captured: Firehose did not take them",
             "monitoring and rollouts do not see these; is the stream there, and may predict write to it?"),
        )  # fmt: skip
    health.facts.append(("not captured", f"{told} since yesterday"))


def _rows_not_captured(place: Place, group: str) -> tuple[int, bool]:
    """Return the number of rows, and whether the whole log was read."""
    logs = place.client("logs")
    request = {
        "logGroupName": group, "startTime": int((datetime.now(UTC) - TOLD_FOR).timestamp() * 1000),
        "filterPattern": '"not captured"',
    }  # fmt: skip
    rows = 0
    for _ in range(MAX_PAGES):
        page = logs.filter_log_events(**request)
        rows += sum(_rows(event["message"]) for event in page["events"])
        if not page.get("nextToken"):
            return rows, True
        request["nextToken"] = page["nextToken"]
    return rows, False


def _rows(message: str) -> int:
    """Return the rows of a log line, 0 for any other: a local cloud may not filter, and may join lines."""
    rows = 0
    for line in message.splitlines():
        try:
            logged = json.loads(line)
        except ValueError:
            continue
        if isinstance(logged, dict) and logged.get("message") == "not captured":
            rows += int(logged.get("rows", 0))
    return rows
