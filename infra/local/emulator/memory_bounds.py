"""Limits what grows without end in the emulator: MiniStack deletes no log, execution or event.

Each call of a function writes a log stream of its own, each event on the bus an entry, each execution a history with
all its messages. People need the newest ones only, and a cloud that has run for weeks must stay as fast as a new one.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

MAX_LOG_STREAMS = 200  # of a log group; counts those of calls only
MAX_LOG_EVENTS = 5_000  # of a log stream
MAX_LOG_RECORDS = 5_000  # that can be read by pointer
MAX_DATAPOINTS = 2_000  # of a metric; alarms use the newest
MAX_ALARM_CHANGES = 500  # of an alarm
MAX_BUS_EVENTS = 500
MAX_HISTORIES = 40  # of a state machine; older executions keep their result without their steps
MAX_EXECUTIONS = 2_000  # of a state machine
MAX_OUTPUT_BYTES = 32 * 1024 * 1024  # of the log file of the process
# the log stream of one call: day, version, and a random name
CALL_STREAM = re.compile(r"\d{4}/\d\d/\d\d/\[[^\]]+\][0-9a-f]{32}")

Item = TypeVar("Item")


def bound_memory() -> None:
    """Delete the oldest items beyond each limit."""
    for name, bound in (
        ("cloudwatch_logs", bound_logs),
        ("cloudwatch", bound_metrics),
        ("eventbridge", bound_events),
        ("stepfunctions", bound_executions),
    ):
        service = sys.modules.get(f"ministack.services.{name}")
        if service is not None:
            bound(service)
    bound_output()


def bound_logs(logs: Any) -> None:
    """Bound the logs of functions; log streams that the template declares are kept."""
    for group in list(logs._log_groups._data.values()):
        streams = group["streams"]
        for name in _oldest([name for name in list(streams) if CALL_STREAM.fullmatch(name)], MAX_LOG_STREAMS):
            streams.pop(name, None)
        for stream in list(streams.values()):
            with logs._log_events_lock:
                del stream["events"][:-MAX_LOG_EVENTS]
    for pointer in _oldest(logs._log_records._data, MAX_LOG_RECORDS):
        logs._log_records._data.pop(pointer, None)


def bound_metrics(metrics: Any) -> None:
    """Bound the datapoints of metrics and the history of alarms."""
    for datapoints in list(metrics._metrics._data.values()):
        del datapoints[:-MAX_DATAPOINTS]
    for changes in list(metrics._alarm_history._data.values()):
        del changes[:-MAX_ALARM_CHANGES]


def bound_events(bus: Any) -> None:
    """Bound the list of events of each bus."""
    for events in list(bus._events_log._data.values()):
        del events[:-MAX_BUS_EVENTS]


def bound_executions(flows: Any) -> None:
    """Bound the executions that have ended: the older ones lose their steps, the oldest are deleted."""
    ended: dict[str, list[tuple[Any, Any]]] = {}
    for key, execution in list(flows._executions._data.items()):
        if execution["status"] != "RUNNING":
            ended.setdefault(execution["stateMachineArn"], []).append((key, execution))
    for executions in ended.values():
        executions.sort(key=lambda item: item[1].get("stopDate") or "")
        for _, execution in _oldest(executions, MAX_HISTORIES):
            if execution["events"]:
                execution["events"], execution["output"] = [], None
                execution["outputDetails"] = {"included": False}
        for key, _ in _oldest(executions, MAX_EXECUTIONS):
            flows._executions._data.pop(key, None)


def bound_output() -> None:
    """Empty the log file of the process when it is too large; it also holds what functions print."""
    output = sys.stdout.fileno()
    if stat.S_ISREG(os.fstat(output).st_mode) and os.fstat(output).st_size > MAX_OUTPUT_BYTES:
        os.ftruncate(output, 0)


def _oldest(items: Iterable[Item], limit: int) -> list[Item]:
    """Return all but the last `limit` items, which are in order of time."""
    ordered = list(items)
    return ordered[: max(0, len(ordered) - limit)]
