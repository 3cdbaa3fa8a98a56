"""Reads what a model has answered in a time, compacted or not, as one relation of DuckDB."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from modelcycle.captured.answer_rows import FIXED, Cell, cell_of
from modelcycle.captured.converting import convert_next
from modelcycle.captured.manifest import (
    HOUR,
    LATE,
    Manifest,
    captures_by_hour,
    compacted_hours,
    hour_of,
    read_manifest,
    read_progress,
)
from modelcycle.captured.objects import MAX_CONCURRENT_DOWNLOADS, newest
from modelcycle.faults import Unknown
from modelcycle.sql_literal import literal
from modelcycle.store import ChangingStore, Listed

MAX_PARQUET_BYTES = 2 * 2**30  # of one window; a function's disk has 4 GiB
MAX_WAITING_OBJECTS = 5_000  # that are read though they are not compacted
MAX_WAITING_BYTES = 256 * 2**20  # of these, as they are stored
MAX_SORTED_ROWS = 4_000_000
ROW_ID = {"row_id": "BIGINT"}


@dataclass(frozen=True)
class Window:
    """The answers of a model in a time.

    Parameters
    ----------
    start, end : of the answers; `end` is not part of it
    files : Parquet, see `captured.answer_rows`
    cells : SQL of each column that any request held, by name
    probabilities : SQL of the probability of each class, by class
    unread : captured objects and Parquet files that could not be read
    broken_lines : captured lines without an id, a time or a version, or no JSON
    left_out : hours that were not read, or not wholly, because there is too much; the oldest ones
    """

    start: datetime
    end: datetime
    files: list[Path]
    cells: Mapping[str, Cell]
    probabilities: Mapping[str, str]
    unread: int = 0
    broken_lines: int = 0
    left_out: int = 0
    notes: tuple[str, ...] = field(default=())

    def create_rows(self, engine: Any, name: str = "answered", *, shadows: bool = False) -> None:
        """Create the view `name`: the rows of the window, each prediction id once.

        Its columns are those of `answer_rows.FIXED` (quote "at"), those that `cells` and `probabilities` name, and
        `row_id` (BIGINT), which numbers the rows in the order of the files.

        Parameters
        ----------
        engine : DuckDB connection; a further table `{name}_again` is created in it
        shadows : with the rows of shadow versions, which no client has seen
        """
        if not self.files:
            columns = ", ".join(f'NULL::{kind} AS "{column}"' for column, kind in (FIXED | ROW_ID).items())
            engine.execute(f"CREATE OR REPLACE VIEW {name} AS SELECT {columns} WHERE false")
            return
        files = f"read_parquet([{', '.join(map(literal, self.files))}], union_by_name = true, file_row_number = true)"
        rows = (
            f"(SELECT * EXCLUDE (file_row_number), file_index::BIGINT << 32 | file_row_number AS row_id FROM {files})"
        )
        again = _doubles(engine, files)
        once = ""
        if again:
            engine.execute(
                f"""CREATE OR REPLACE TABLE {name}_again AS SELECT row_id FROM {rows}
                    WHERE hash(prediction_id) IN (SELECT unnest($1::UBIGINT[]))
                    QUALIFY row_number() OVER (PARTITION BY prediction_id ORDER BY "at", row_id) > 1""",
                [again],
            )
            once = f"ANTI JOIN {name}_again USING (row_id)"
        seen = "" if shadows else " AND shadow IS NOT TRUE"
        engine.execute(
            f"""CREATE OR REPLACE VIEW {name} AS SELECT * FROM {rows} {once}
                WHERE "at" >= '{self.start.isoformat()}'::TIMESTAMPTZ AND "at" < '{self.end.isoformat()}'::TIMESTAMPTZ
                {seen}"""
        )


def _doubles(engine: Any, files: str) -> list[int]:
    """Return the hashes of prediction ids that occur more than once.

    Sorting takes a third of the time of grouping; only MAX_SORTED_ROWS hashes are in memory at once.
    """
    import numpy as np

    rows: int = engine.execute(f"SELECT count(*) FROM {files}").fetchone()[0]
    parts = max(math.ceil(rows / MAX_SORTED_ROWS), 1)
    found: list[int] = []
    for part in range(parts):
        of_part = f"WHERE hash % {parts} = {part}" if parts > 1 else ""
        hashes = engine.execute(
            f"SELECT hash FROM (SELECT hash(prediction_id) AS hash FROM {files}) {of_part}"
        ).fetchnumpy()["hash"]
        hashes.sort()
        found += np.unique(hashes[1:][hashes[1:] == hashes[:-1]]).tolist()
    return found


def open_window(data: ChangingStore, model: str, start: datetime, end: datetime, folder: Path) -> Window:
    """Download what a model has answered in a time.

    Parameters
    ----------
    data : the data bucket
    start, end : of the answers; an answer arrives within the hour after it
    folder : for the files; is created, and the caller removes it
    """
    folder.mkdir()
    through = read_progress(data, model)[0].through
    first, last = hour_of(start), hour_of(end) + HOUR
    manifests = _manifests(data, model, compacted_hours(data, model, first, last))
    unread = 0
    # What is older has been compacted, unless it is lost. The progress may lie ahead, as a clock once did.
    since = max(first, min(through, hour_of(end)) - LATE) if through else first
    listed = captures_by_hour(data, model, since, last + HOUR)
    waiting = [one for hour, objects in listed.items() for one in objects if manifests.get(hour, Manifest()).lacks(one)]
    files, broken, left_out = _fetch(data, model, manifests, folder)
    unread += broken + sum(len(one.broken) for one in manifests.values())
    columns = {code: name for one in manifests.values() for code, name in one.columns.items()}
    classes = {code: name for one in manifests.values() for code, name in one.classes.items()}
    lines = sum(one.broken_lines for one in manifests.values())
    selection = newest(reversed(waiting), MAX_WAITING_OBJECTS, MAX_WAITING_BYTES)
    rest: Sequence[Listed] = sorted(selection.objects)
    number = 0
    while rest:
        number += 1
        converted = convert_next(data, rest, model, folder / f"waiting-{number}")
        files += converted.written.files
        columns |= converted.written.columns
        classes |= converted.written.classes
        unread += len(converted.broken) + len(converted.gone)
        lines += converted.broken_lines
        rest = converted.rest
    return Window(
        start, end, files,
        {name: cell_of(code) for code, name in sorted(columns.items(), key=lambda item: item[1])},
        {name: f"p_{code}" for code, name in sorted(classes.items(), key=lambda item: item[1])},
        unread, lines, left_out + selection.left_out, _notes(unread, lines, left_out + selection.left_out),
    )  # fmt: skip


def answers_by_hour(data: ChangingStore, model: str, start: datetime, end: datetime) -> dict[datetime, int]:
    """Return how many answers arrived in each hour from `start` to `end` that is compacted, as `compact` counted them.

    Of the newest MAX_COUNTED_HOURS with answers.
    """
    progress, _ = read_progress(data, model)
    return {hour: answers for hour, answers in progress.answers.items() if start <= hour < end}


def _manifests(data: ChangingStore, model: str, hours: Sequence[datetime]) -> dict[datetime, Manifest]:
    with ThreadPoolExecutor(MAX_CONCURRENT_DOWNLOADS) as pool:
        read = pool.map(lambda hour: read_manifest(data, model, hour)[0], hours)
        return dict(zip(hours, read, strict=True))


def _fetch(
    data: ChangingStore, model: str, manifests: Mapping[datetime, Manifest], folder: Path
) -> tuple[list[Path], int, int]:
    """Download the files of the newest hours; return them, how many are gone, and how many hours were left out."""
    chosen, size, left_out = [], 0, 0
    for hour in sorted(manifests, reverse=True):
        parts = [part.artifact(data, model, hour) for part in manifests[hour].parts]
        size += sum(part.bytes for part in parts)
        if left_out or size > MAX_PARQUET_BYTES:
            left_out += bool(parts)
        else:
            chosen += parts

    def fetch(part: Any) -> Path | None:
        try:
            return data.fetch(part, folder)
        except Unknown:
            return None

    with ThreadPoolExecutor(MAX_CONCURRENT_DOWNLOADS) as pool:
        fetched = list(pool.map(fetch, reversed(chosen)))
    gone = fetched.count(None)
    return list(dict.fromkeys(path for path in fetched if path is not None)), gone, left_out


def _notes(unread: int, lines: int, left_out: int) -> tuple[str, ...]:
    notes = []
    if unread:
        notes.append(f"captured objects that could not be read: {unread:,}")
    if lines:
        notes.append(f"captured lines without an id, a time or a version, or no JSON: {lines:,}")
    if left_out:
        notes.append(f"the oldest hours of the window were left out, because there is too much: {left_out:,}")
    return tuple(notes)
