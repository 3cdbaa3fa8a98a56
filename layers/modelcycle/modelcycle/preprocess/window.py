"""Leaves out the rows before the window that a run learns from.

A row's time is that of the time column, or else of the arrival of its file: when it was uploaded, the hour of a
stream's rows, the day of live requests. Makes this DuckDB table:

    older_rows     row_id, target: rows that would be kept, but are older than the window
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from modelcycle.cells.column import Column
from modelcycle.messages import LearningWindow
from modelcycle.model.npz import to_npz
from modelcycle.preprocess.target import MIN_CLASS_CASES
from modelcycle.spec import Task

SLIDING_ROWS = 50_000  # of a sliding window without `window_days`: most learning curves are flat by then
MIN_WINDOW_ROWS = 1_000  # a shorter window is extended: fewer rows judge and teach less than older ones harm
MAX_AHEAD = timedelta(days=2)  # after the start of a run; later times are typing errors


class Cut(NamedTuple):
    """Rows from `at` (seconds since 1970 UTC) on are kept; `why` says what decided it, as a clause."""

    at: float
    why: str


def leave_out_older(
    engine: Any, window: LearningWindow, task: Task, time: Column | None, manifest: Mapping[str, Any], started: datetime
) -> list[str]:
    """Remove older rows from `valid_rows`, and their cells from `unread_cells`.

    The window is counted back from the newest row, not from now: equal rows give equal results. It is extended where it
    has too few rows, or too few of a class.

    Parameters
    ----------
    time : the time column; None: files' arrivals are the times
    manifest : of the snapshot; each object has its arrival `at`
    started : when the run began

    Returns
    -------
    what was decided, as sentences
    """
    _create_times(engine, time, manifest["objects"])
    latest = (started + MAX_AHEAD).timestamp()
    rows, oldest, newest = engine.execute(
        "SELECT count(*), min(moment), max(moment) FILTER (moment <= $1) FROM row_times", [latest]
    ).fetchone()
    if window.kind == "since_change" and window.change is None:
        return ["all rows are learned from: since when predictions are worse is not known"]
    if time is not None and time.type != "datetime":
        return [f"all rows are learned from: {time.name[:60]} has no dates, so no window of time can be told"]
    if newest is None or oldest == newest:
        return ["all rows are learned from: they arrived together, and no time_column tells which are newer"]
    cut = _cut(engine, window, newest)
    within = _count(engine, cut.at)
    notes = []
    if within < min(MIN_WINDOW_ROWS, rows):
        cut = Cut(_nth_newest(engine, min(MIN_WINDOW_ROWS, rows)), cut.why)
        extended = _count(engine, cut.at)
        notes.append(f"the window has {within:,} rows, too few to learn from: the newest {extended:,} rows are taken")
        within = extended
    scarce = _scarce_class(engine, cut.at) if task != "regression" else None
    if scarce is not None:
        label = f"{str(scarce)[:40]!r}"
        return [
            f"all rows are learned from: the rows since {_day(cut.at)} have too few of the class {label} ({cut.why})"
        ]
    engine.execute(
        """INSERT INTO older_rows SELECT row_id, target FROM valid_rows JOIN row_times USING (row_id)
           WHERE moment < $1 ORDER BY row_id""",
        [cut.at],
    )
    engine.execute("DELETE FROM valid_rows WHERE row_id IN (SELECT row_id FROM older_rows)")
    engine.execute("DELETE FROM unread_cells WHERE row_id IN (SELECT row_id FROM older_rows)")
    learned = f"rows since {_day(cut.at)} are learned from: {within:,} of {rows:,} ({cut.why}); older ones are not"
    return [learned, *notes] if within < rows else [f"all rows are learned from: none is older than {_day(cut.at)}"]


def create_no_older_rows(engine: Any) -> None:
    """Create `older_rows` without rows."""
    engine.execute("CREATE TABLE older_rows AS SELECT row_id, target FROM valid_rows WHERE false")


def older_labels(engine: Any, has_classes: bool) -> bytes:
    """Return an npz file with the target of each older row (n,), in order: code or number; -1 for a class that the
    window does not have.
    """
    code = "coalesce((SELECT code FROM classes WHERE value = older_rows.target), -1)::INTEGER"
    query = f"SELECT {code if has_classes else 'target::DOUBLE'} AS v FROM older_rows ORDER BY row_id"
    return to_npz(target=np.ma.getdata(engine.execute(query).fetchnumpy()["v"]))


def _create_times(engine: Any, time: Column | None, objects: Sequence[Mapping[str, Any]]) -> None:
    """Create `row_times` (row_id, moment) of `valid_rows`."""
    if time is not None:
        engine.execute("CREATE TABLE row_times AS SELECT row_id, time AS moment FROM valid_rows")
        return
    arrivals = [float(entry.get("at") or 0) for entry in objects]
    engine.execute(
        """CREATE TABLE row_times AS SELECT row_id, list_extract($1::DOUBLE[], file + 1) AS moment
           FROM valid_rows JOIN clean_rows USING (row_id)""",
        [arrivals],
    )


def _cut(engine: Any, window: LearningWindow, newest: float) -> Cut:
    if window.change is not None:
        return Cut(window.change.timestamp(), f"predictions have been worse since {window.change:%Y-%m-%d %H:%M} UTC")
    if window.days is not None:
        return Cut(newest - window.days * 86400, f"retraining.window_days is {window.days:g}")
    return Cut(_nth_newest(engine, SLIDING_ROWS), f"the newest {SLIDING_ROWS:,} rows")


def _nth_newest(engine: Any, number: int) -> float:
    """Return the time of the n-th newest row, or of the oldest if there are fewer."""
    at: float = engine.execute(
        "SELECT min(moment) FROM (SELECT moment FROM row_times ORDER BY moment DESC LIMIT $1)", [number]
    ).fetchone()[0]
    return at


def _count(engine: Any, at: float) -> int:
    rows: int = engine.execute("SELECT count(*) FROM row_times WHERE moment >= $1", [at]).fetchone()[0]
    return rows


def _scarce_class(engine: Any, at: float) -> Any:
    """Return a class that could be learned from all rows, but not from those of the window; None if there is none."""
    found = engine.execute(
        f"""SELECT target FROM valid_rows JOIN row_times USING (row_id) GROUP BY target
            HAVING count(*) >= {MIN_CLASS_CASES} AND count(*) FILTER (moment >= $1) < {MIN_CLASS_CASES}
            ORDER BY target LIMIT 1""",
        [at],
    ).fetchone()
    return None if found is None else found[0]


def _day(seconds: float) -> str:
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds):%Y-%m-%d %H:%M}"
