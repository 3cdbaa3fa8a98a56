"""Compaction is exactly once: killed, raced, late, out of time, or with a wrong clock."""

from __future__ import annotations

import itertools
import json
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from modelcycle.captured import answers_by_hour
from modelcycle.captured.manifest import (
    MAX_COUNTED_HOURS,
    Progress,
    manifest_key,
    progress_key,
    read_manifest,
    read_progress,
)
from modelcycle.compact import compact
from modelcycle.faults import Raced
from modelcycle.messages import CompactRequest
from tests.fakes import MemoryStore
from tests.unit.captured_lines import HOUR, LATER, MODEL, NOON, capture, compacted, hours, key, line, read
from tests.unit.killable import KillableStore, Killed


def test_a_killed_compaction_leaves_each_row_once(tmp_path: Path) -> None:
    """It is killed before and after each of its writes, and the next one ends what it began."""
    expected = MemoryStore("data")
    _two_hours(expected)
    compacted(expected)
    rows = read(expected, tmp_path)
    for until_kill in itertools.count():
        store = KillableStore()
        _two_hours(store)
        store.until_kill = until_kill
        try:
            compacted(store)
        except Killed:
            compacted(store)
        else:
            break
        assert store.objects == expected.objects
    assert until_kill == 2 * (2 * 2 + 1)
    assert read(store, tmp_path) == rows


def test_compactions_that_race_leave_each_row_once(tmp_path: Path) -> None:
    store = MemoryStore("data")
    for number in range(6):
        capture(store, NOON, f"{number}", *(line(10 * number + row, {"x": row}) for row in range(5)))
    faults: list[BaseException] = []

    def run() -> None:
        try:
            compacted(store)
        except Raced:
            pass
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    compacted(store)
    manifest, _ = read_manifest(store, MODEL, NOON)
    assert sum(part.rows for part in manifest.parts) == 30
    assert len(read(store, tmp_path)) == 30


def test_a_writer_that_was_overtaken_compacts_only_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore("data")
    capture(store, NOON, "a", line(1, {"x": 1}))
    replace = store.replace

    def overtaken(key: str, body: bytes, etag: str | None) -> None:
        monkeypatch.setattr(store, "replace", replace)
        compacted(store)
        capture(store, NOON, "b", line(2, {"x": 1}))
        replace(key, body, etag)

    monkeypatch.setattr(store, "replace", overtaken)
    assert compacted(store).rows == 0
    assert compacted(store).rows == 1
    manifest, _ = read_manifest(store, MODEL, NOON)
    assert [part.rows for part in manifest.parts] == [1, 1]


def test_equal_captures_give_equal_bytes() -> None:
    first, second = MemoryStore("data"), MemoryStore("data")
    for store in (first, second):
        _two_hours(store)
        compacted(store)
    assert first.objects == second.objects


def test_when_the_time_is_up_the_next_call_goes_on() -> None:
    store = MemoryStore("data")
    for hour in hours(4):
        capture(store, hour, "a", line(hour.hour, {}, hour))
    now = itertools.count(0, 400)
    told = compact(CompactRequest(model=MODEL, at=LATER), data=store, clock=lambda: next(now))
    assert (told.hours, told.behind) == (1, 3)
    assert read_progress(store, MODEL)[0].through == NOON + HOUR
    assert (compacted(store).hours, compacted(store).hours) == (3, 0)


def test_a_look_at_a_moment_that_lies_ahead_does_not_pass_by_what_comes(tmp_path: Path) -> None:
    store = MemoryStore("data")
    compacted(store, datetime.fromisoformat("2999-01-01T00:00:00Z"))
    through = read_progress(store, MODEL)[0].through
    assert through is not None and through.year < 2999


def test_the_present_hour_is_read_though_a_clock_once_ran_ahead(tmp_path: Path) -> None:
    store = MemoryStore("data")
    store.replace(progress_key(MODEL), Progress(through=NOON + timedelta(days=10)).model_dump_json().encode(), None)
    capture(store, NOON, "a", line(1, {"x": 1}))
    assert [one["id"] for one in read(store, tmp_path, end=NOON + HOUR / 2)] == ["id-1"]
    compacted(store)
    assert [one["id"] for one in read(store, tmp_path, end=NOON + HOUR / 2)] == ["id-1"]


def test_the_answers_of_past_hours_are_counted_with_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore("data")
    for hour in hours(3):
        capture(store, hour, "a", *(line(hour.hour * 100 + n, {"x": n}, hour, shadow=n == 0) for n in range(3)))
    compacted(store, NOON + 2 * HOUR)
    compacted(store)
    capture(store, NOON, "late", line(1, {"x": 1}))
    compacted(store)
    read: list[str] = []
    current = store.current
    monkeypatch.setattr(store, "current", lambda key: (read.append(key), current(key))[1])
    monkeypatch.setattr(store, "list", None)
    assert answers_by_hour(store, MODEL, NOON, LATER) == dict(zip(hours(3), (3, 2, 2), strict=True))
    assert answers_by_hour(store, MODEL, NOON + HOUR, NOON + 2 * HOUR) == {NOON + HOUR: 2}
    assert read == [progress_key(MODEL)] * 2


def test_the_newest_hours_are_counted_and_the_progress_never_goes_back() -> None:
    many = dict.fromkeys(hours(MAX_COUNTED_HOURS + 5), 1)
    progress = Progress().with_answers(LATER, many).with_answers(NOON, {LATER + HOUR: 7})
    assert (len(progress.answers), progress.answers[LATER + HOUR], progress.through) == (MAX_COUNTED_HOURS, 7, LATER)
    assert NOON not in progress.answers
    assert Progress.model_validate_json(progress.model_dump_json()) == progress
    assert len(progress.model_dump_json()) < 20_000


def test_a_manifest_is_json_that_says_which_names_its_columns_have() -> None:
    store = MemoryStore("data")
    capture(store, NOON, "a", line(1, {"größe": 1}))
    compacted(store)
    manifest = json.loads(store.objects[manifest_key(MODEL, NOON)])
    assert list(manifest["columns"].values()) == ["größe"]
    assert list(manifest["objects"]) == [key(NOON, "a")]


def _two_hours(store: MemoryStore) -> None:
    for hour in hours(2):
        for name in ("a", "b"):
            capture(store, hour, name, *(line(hour.hour * 100 + ord(name) + n, {"x": n}, hour) for n in range(3)))
