"""Turn the captured answers of a model's past hours into Parquet."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from modelcycle.captured.manifest import (
    LATE,
    captures_by_hour,
    hour_of,
    progress_key,
    read_progress,
)
from modelcycle.compact.hour import Counted, compact_hour
from modelcycle.faults import Raced
from modelcycle.messages import Compacted, CompactRequest
from modelcycle.store import ChangingStore

MAX_SECONDS = 600  # after which no further hour is begun; a function may take 900


def compact(
    request: CompactRequest, *, data: ChangingStore, clock: Callable[[], float] = time.monotonic
) -> Compacted:  # fmt: skip
    """Compact the hours that ended before `request.at`, the oldest first.

    An object that arrives late gives a further file of its hour, if it arrives within LATE. What is left when the time
    is up is compacted by the next call.

    Parameters
    ----------
    data : the data bucket
    clock : seconds

    Raises
    ------
    Raced : other writers were faster, again and again
    """
    begun = clock()
    end = hour_of(request.at or datetime.now(UTC))
    progress, etag = read_progress(data, request.model)
    since = None if progress.through is None else min(progress.through, end) - LATE
    total, hours, behind = Counted(), 0, 0
    reached, answers = end, dict[datetime, int]()
    for hour, objects in captures_by_hour(data, request.model, since, end).items():
        if clock() - begun > MAX_SECONDS:
            reached, behind = min(reached, hour), behind + 1
            continue
        with TemporaryDirectory() as name:
            counted, answers[hour] = compact_hour(data, request.model, hour, objects, Path(name))
        hours += counted.rows > 0
        total += counted
    reached = min(reached, hour_of(datetime.now(UTC)))  # `at` may lie in the future
    now = progress.with_answers(reached, answers)
    if now != progress:
        # another call has come as far; what it has not counted, the next one counts again
        with contextlib.suppress(Raced):
            data.replace(progress_key(request.model), now.model_dump_json().encode(), etag)
    return Compacted(
        model=request.model, hours=hours, rows=total.rows, objects=total.objects, unread=total.unread, behind=behind
    )
