"""The calls of the function that answers requests, as its log reports them: bounded, whatever the traffic.

Lambda writes a line REPORT for each call, which knows no model; the function writes a line for each answer, which knows
no memory. Both have the id of the call.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from modelcycle.faults import Fault
from modelcycle.logs import Logs
from modelcycle.model.scored_rows import NOT_READABLE

# A look has four parts: two windows, and those before them. All models read the same log, and an account may ask for
# some five pages a second (AWS page "CloudWatch Logs quotas").
MAX_PAGES = 6  # of each part, from its beginning; a page has some 1,000 requests
MAX_SPANS = 12  # of the rest of a part with more: one page from the beginning of each

BAD_REQUEST = (400, 422)  # statuses of a request that breaks the model's contract

# AWS page "Log and monitor Python Lambda functions". Billed Duration includes the start of an environment (AWS compute
# blog "AWS Lambda standardizes billing for INIT Phase"); only an environment's first call has the time of its start.
REPORT = re.compile(
    r"REPORT RequestId: (?P<id>\S+)\s+Duration: (?P<ms>[\d.]+) ms\s+Billed Duration: (?P<billed>[\d.]+) ms\s+"
    r"Memory Size: (?P<size>\d+) MB\s+Max Memory Used: (?P<used>\d+) MB(?P<cold>\s+Init Duration)?"
    r"(?:.*?\sStatus: (?P<status>\w+))?"
)


@dataclass(frozen=True)
class Call:
    """One call of the function for the model.

    Parameters
    ----------
    version : that answered; None if none did
    failed : versions that raised an error, or could not be loaded
    error : the request was answered with a status of 500 or above
    weight : of how many calls it is one, where not all of the log was read
    ms : in the function, without the start of its environment; None without the line REPORT
    memory_mb : highest of the environment so far; None if the place does not tell
    """

    at: datetime
    version: int | None
    failed: tuple[int, ...] = ()
    error: bool = False
    weight: float = 1.0
    cold: bool = False
    ms: float | None = None
    billed_ms: float | None = None
    size_mb: int | None = None
    memory_mb: int | None = None


@dataclass
class FunctionLog:
    """What was read of the log.

    Parameters
    ----------
    unread : parts of the windows of which nothing could be read
    partly : whether calls stand for others
    refused : times of requests for the model that were answered with a status of BAD_REQUEST, each with the number of
        requests that it stands for
    lost : times of calls that were killed or ran out of time; their model is unknown
    fault : why nothing was read
    """

    calls: list[Call] = field(default_factory=list)
    unread: list[tuple[datetime, datetime]] = field(default_factory=list)
    partly: bool = False
    refused: list[tuple[datetime, float]] = field(default_factory=list)
    lost: list[datetime] = field(default_factory=list)
    fault: str = ""


@dataclass
class _Lines:
    """What the lines of one call say."""

    at: datetime
    weight: float
    report: re.Match[str] | None = None
    answer: dict[str, Any] | None = None
    failed: tuple[int, ...] = ()
    error: bool = False
    refused: bool = False


def read_function_log(logs: Logs, model: str, windows: Sequence[tuple[datetime, datetime]]) -> FunctionLog:
    """Read the calls for a model in all windows, each part of the log once.

    A window with more than MAX_PAGES is read at MAX_SPANS places; each call then stands for those between them too.

    Parameters
    ----------
    windows : [start, end); they may overlap
    """
    read = FunctionLog()
    by_id: dict[str, _Lines] = {}
    cuts = sorted({moment for window in windows for moment in window})
    try:
        for start, end in itertools.pairwise(cuts):
            if any(first <= start and end <= last for first, last in windows):
                _read_part(logs, model, start, end, read, by_id)
    except Fault as fault:  # the other signals do not depend on the log
        return FunctionLog(fault=fault.what)
    for lines in by_id.values():
        call = _call(lines, model)
        if call is not None:
            read.calls.append(call)
        elif lines.refused:
            read.refused.append((lines.at, lines.weight))
        elif lines.report is not None and lines.report["status"] in ("timeout", "error"):
            read.lost.append(lines.at)
    return read


def _read_part(
    logs: Logs, model: str, start: datetime, end: datetime, read: FunctionLog, by_id: dict[str, _Lines]
) -> None:
    part = logs.read(start, end, MAX_PAGES)
    _add(part.lines, model, 1.0, by_id)
    if part.until >= end:
        return
    read.partly = True
    length = (end - part.until) / MAX_SPANS
    for number in range(MAX_SPANS):
        span_start = part.until + number * length
        span_end = end if number == MAX_SPANS - 1 else span_start + length
        span = logs.read(span_start, span_end, 1)
        covered = span.until - span_start
        if covered <= timedelta(0):
            read.unread.append((span_start, span_end))
            continue
        _add(span.lines, model, (span_end - span_start) / covered, by_id)


def _add(lines: Sequence[tuple[datetime, str]], model: str, weight: float, by_id: dict[str, _Lines]) -> None:
    """Add what lines say to the calls that they belong to."""
    for at, text in lines:
        report = REPORT.search(text) if text.startswith("REPORT") else None
        if report is not None:
            by_id.setdefault(report["id"], _Lines(at, weight)).report = report
            continue
        logged = _logged(text)
        request_id = str(logged.get("function_request_id") or "")
        if not request_id:
            continue
        call = by_id.setdefault(request_id, _Lines(at, weight))
        if logged.get("model") != model:
            continue
        message = logged.get("message")
        if message == "answered":
            call.answer = logged
        elif message == "another version answered":
            call.failed = tuple(
                int(version)
                for version, why in dict(logged.get("failures") or {}).items()
                if why != NOT_READABLE and str(version).isdecimal()
            )
        elif message == "refused":
            call.error = isinstance(logged.get("status"), int) and logged["status"] >= 500
            call.refused = logged.get("status") in BAD_REQUEST


def _call(lines: _Lines, model: str) -> Call | None:
    """Return the call, None if it was not for the model or refused the client's request."""
    if lines.answer is None and not lines.error and not lines.failed:
        return None
    version = (lines.answer or {}).get("version")
    report = lines.report
    call = Call(
        at=lines.at,
        version=version if isinstance(version, int) else None,
        failed=lines.failed,
        error=lines.error,
        weight=lines.weight,
        # a local cloud writes no Init Duration
        cold=bool((lines.answer or {}).get("cold_start") or (report and report["cold"])),
    )
    if report is None:
        return call
    return replace(
        call, ms=float(report["ms"]), billed_ms=float(report["billed"]), size_mb=int(report["size"]),
        memory_mb=int(report["used"]) or None,
    )  # fmt: skip


def _logged(text: str) -> dict[str, Any]:
    """Return the fields of a line of the function; none of any other line."""
    if not text.startswith("{"):
        return {}
    try:
        logged = json.loads(text)
    except ValueError:
        return {}
    return logged if isinstance(logged, dict) else {}
