"""The newest captured requests of a model, one a row, without a query engine.

They lie under `captures/model={model}/YYYY/MM/DD/HH/` of the data bucket, by the hour of arrival in UTC: JSON lines,
with gzip or without, some more than once.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from modelcycle.faults import Transient, Unknown
from modelcycle.store import Listed, Store

MAX_DAYS = 30  # that are looked at
MAX_OBJECTS = 100  # that are read
MAX_OBJECT_BYTES = 32 * 2**20  # as stored; a larger one is left out
MAX_LINE_BYTES = 2**20  # a longer one is left out
MAX_BYTES = 64 * 2**20  # of all lines that are kept; parsed, they take several times as much memory


@dataclass(frozen=True)
class CapturedRequest:
    """A row that was answered.

    Parameters
    ----------
    instance : as the client sent it; a masked value is None
    masked : the columns whose values were sent, but are not captured
    """

    prediction_id: str
    instance: dict[str, Any]
    masked: tuple[str, ...] = ()


@dataclass
class Captures:
    """The newest requests first, and what was left out.

    Parameters
    ----------
    days : how many days back the search went
    unread : objects that are broken or too large, or were replaced or deleted meanwhile
    """

    requests: list[CapturedRequest]
    days: int = 0
    unread: int = 0


def captured_requests(data: Store, model: str, wanted: int, now: datetime | None = None) -> Captures:
    """Return at most `wanted` requests, fewer if their lines have more than MAX_BYTES.

    Parameters
    ----------
    data : the data bucket
    now : by default the present time
    """
    captures, seen = Captures([]), set[str]()
    now = now or datetime.now(UTC)
    objects, room = 0, MAX_BYTES
    with tempfile.TemporaryDirectory() as folder:
        for captures.days in range(1, MAX_DAYS + 1):
            # Firehose names an object by the time at which it began to collect it
            day = now - timedelta(days=captures.days - 1)
            for listed in reversed(list(data.list(f"captures/model={model}/{day:%Y/%m/%d}/"))):
                if len(captures.requests) >= wanted or objects >= MAX_OBJECTS or room <= 0:
                    return captures
                objects += 1
                lines = _last_lines(data, listed, Path(folder) / "object", wanted, room)
                captures.unread += lines is None
                room -= sum(map(len, lines or []))
                for request in map(_request, reversed(lines or [])):
                    if request is not None and request.prediction_id not in seen and len(captures.requests) < wanted:
                        seen.add(request.prediction_id)
                        captures.requests.append(request)
    return captures


def _last_lines(data: Store, listed: Listed, path: Path, wanted: int, room: int) -> list[bytes] | None:
    """Return the last lines of an object, at most `wanted` and at most `room` bytes; None if it cannot be read."""
    if listed.bytes > MAX_OBJECT_BYTES:
        return None
    try:
        data.download(listed, path)
        with path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if compressed else path.open("rb") as lines:
            return _last(_short_lines(lines), wanted, room)
    except (Transient, Unknown, gzip.BadGzipFile, EOFError, zlib.error):
        return None
    finally:
        path.unlink(missing_ok=True)


def _last(lines: Iterator[bytes], wanted: int, room: int) -> list[bytes]:
    kept, size = deque[bytes](), 0
    for line in lines:
        kept.append(line)
        size += len(line)
        while len(kept) > wanted or size > room:
            size -= len(kept.popleft())
    return list(kept)


def _short_lines(file: Any) -> Iterator[bytes]:
    """Yield the lines of a file; one that is too long is skipped in parts."""
    is_rest = False
    while line := file.readline(MAX_LINE_BYTES):
        is_complete = line.endswith(b"\n")
        if not is_rest and (is_complete or len(line) < MAX_LINE_BYTES):
            yield line
        is_rest = not is_complete


def _request(line: bytes) -> CapturedRequest | None:
    """Return the request of a line; None if it holds none, or is a shadow's answer to a request of another line."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or record.get("shadow"):
        return None
    prediction_id, instance = record.get("prediction_id"), record.get("instance")
    if not isinstance(prediction_id, str) or not isinstance(instance, dict):
        return None
    masked = tuple(name for name in record.get("masked") or [] if name in instance)
    return CapturedRequest(prediction_id, instance | dict.fromkeys(masked), masked)
