"""Bounds what only grows in the emulator: MiniStack prunes no log, no history, no list of events.

Each invocation of a function writes a log stream of its own, each event on the bus an entry, each execution its whole
history with all messages. A person needs the newest of them; an old cloud is not to cost more than a young one.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from itertools import islice
from typing import Any

MAX_LOG_STREAMS = 200  # of one group, of those that invocations make
MAX_LOG_EVENTS = 5_000  # of one stream
MAX_LOG_RECORDS = 5_000  # that can be looked up by pointer
MAX_DATAPOINTS = 2_000  # of one metric; alarms judge the newest
MAX_ALARM_CHANGES = 500
MAX_BUS_EVENTS = 500
MAX_HISTORIES = 40  # of one state machine; older executions keep their end, without steps
MAX_EXECUTIONS = 2_000  # of one state machine
MAX_LOG_BYTES = 32 * 1024 * 1024  # of the process's own output
# the stream of one invocation: day, version, and a random name
INVOCATION = re.compile(r"\d{4}/\d\d/\d\d/\[[^\]]+\][0-9a-f]{32}")


def bound_memory() -> None:
    """Forget the oldest of all that is beyond its bound."""
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
    for group in list(logs._log_groups._data.values()):
        streams = group["streams"]
        for name in _oldest([name for name in list(streams) if INVOCATION.fullmatch(name)], MAX_LOG_STREAMS):
            streams.pop(name, None)
        for stream in list(streams.values()):
            with logs._log_events_lock:
                del stream["events"][:-MAX_LOG_EVENTS]
    for key in _oldest(logs._log_records._data, MAX_LOG_RECORDS):
        logs._log_records._data.pop(key, None)


def bound_metrics(metrics: Any) -> None:
    for points in list(metrics._metrics._data.values()):
        del points[:-MAX_DATAPOINTS]
    for changes in list(metrics._alarm_history._data.values()):
        del changes[:-MAX_ALARM_CHANGES]


def bound_events(bus: Any) -> None:
    for events in list(bus._events_log._data.values()):
        del events[:-MAX_BUS_EVENTS]


def bound_executions(flows: Any) -> None:
    """What runs keeps all; what ended loses its steps first, then its place."""
    ended: dict[str, list[tuple[Any, Any]]] = {}
    for key, execution in list(flows._executions._data.items()):
        if execution["status"] != "RUNNING":
            ended.setdefault(execution["stateMachineArn"], []).append((key, execution))
    for executions in ended.values():
        executions.sort(key=lambda one: one[1].get("stopDate") or "")
        for _, execution in _oldest(executions, MAX_HISTORIES):
            if execution["events"]:
                execution["events"], execution["output"] = [], None
                execution["outputDetails"] = {"included": False}
        for key, _ in _oldest(executions, MAX_EXECUTIONS):
            flows._executions._data.pop(key, None)


def bound_output() -> None:
    """What the functions print goes to the cloud's own log too, and days of it would fill the disk."""
    out = sys.stdout.fileno()
    if stat.S_ISREG(os.fstat(out).st_mode) and os.fstat(out).st_size > MAX_LOG_BYTES:
        os.ftruncate(out, 0)


def _oldest(ordered: Any, limit: int) -> list[Any]:
    """All but the last `limit`."""
    return list(islice(list(ordered), max(0, len(ordered) - limit)))
