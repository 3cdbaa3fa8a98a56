"""Captured answers become Parquet by model and hour, exactly once; a window reads them, compacted or not."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from modelcycle.captured import answer_rows, converting, open_window
from modelcycle.captured import compacted as compacted_reading
from modelcycle.captured.manifest import (
    read_manifest,
    read_progress,
)
from modelcycle.faults import BadData
from modelcycle.store import Listed
from tests.fakes import MemoryStore
from tests.unit.captured_lines import HOUR, LATER, MODEL, NOON, capture, compacted, hours, key, line, parts, read

AWKWARD = ["Age", "age", "it's", 'a "b"', "a.b", "a/b~c", "$x", "größe", "", " ", "0", "*", "t_1", "select", "a\nb"]


def test_answers_are_the_same_before_and_after_they_are_compacted(tmp_path: Path) -> None:
    store = MemoryStore("data")
    instance = dict(zip(AWKWARD, itertools.cycle(["x", 1, 2.5, True, None, [1], "", "1,5"])))
    capture(store, NOON, "a.gz", line(1, instance), line(2, {"Age": "7", "age": 8}))
    capture(store, NOON + HOUR, "a.gz", line(3, {}, NOON + HOUR, assigned=2, failure="Unreadable"))
    before = read(store, tmp_path)
    assert [one["id"] for one in before] == ["id-1", "id-2", "id-3"]
    assert before[0]["instance"].keys() == set(AWKWARD)
    assert before[0]["shares"] == {"sour": 0.25, "sweet": 0.75}
    assert before[1]["instance"] == {"Age": ("7", None, 2), "age": ("8", 8.0, 3)}
    assert before[2]["row"][2:4] == (2, "Unreadable") and before[2]["instance"] == {}
    told = compacted(store)
    assert (told.hours, told.rows, told.objects, told.unread) == (2, 3, 2, 0)
    assert len(parts(store)) == 2
    for one in [one for one in store.objects if one.startswith("captures/")]:
        del store.objects[one]
    assert read(store, tmp_path) == before


def test_what_was_sent_of_a_column_is_kept_as_it_was_sent(tmp_path: Path) -> None:
    store = MemoryStore("data")
    sent = '{"a": 1e400, "b": 12345678901234567890123, "c": "1e5", "d": false, "e": {"f": [1]}, "g": null, "h": ""}'
    row = line(1, {}).replace(b'"instance": {}', f'"instance": {sent}'.encode())
    capture(store, NOON, "a", row, line(2, {"a": "(masked)", "h": "(masked)", "c": "(masked)"}, masked=["a", "h"]))
    compacted(store)
    first, second = (one["instance"] for one in read(store, tmp_path))
    assert first == {
        "a": ("1e400", float("inf"), 3), "b": ("12345678901234567890123", 12345678901234567890123.0, 3),
        "c": ("1e5", None, 2), "d": ("false", None, 4), "e": ('{"f":[1]}', None, 5), "g": (None, None, 1),
        "h": ("", None, 2),
    }  # fmt: skip
    assert second == {"a": (None, None, 6), "h": (None, None, 6), "c": ("(masked)", None, 2)}


@pytest.mark.parametrize("sorted_rows", [4_000_000, 2])
def test_a_line_that_arrives_twice_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sorted_rows: int
) -> None:
    monkeypatch.setattr(compacted_reading, "MAX_SORTED_ROWS", sorted_rows)
    store = MemoryStore("data")
    capture(store, NOON, "a", line(1, {"x": 1}), line(1, {"x": 1}), line(2, {"x": 2}))
    compacted(store)
    capture(store, NOON, "late", line(2, {"x": 2}), line(3, {"x": 3}))
    capture(store, NOON + HOUR, "b", line(1, {"x": 1}), line(3, {"x": 3}))
    for _ in range(2):
        assert [one["id"] for one in read(store, tmp_path)] == ["id-1", "id-2", "id-3"]
        assert compacted(store).unread == 0
    manifest, _ = read_manifest(store, MODEL, NOON)
    assert [part.rows for part in manifest.parts] == [2, 2]


def test_a_late_object_gives_one_further_file_and_nothing_is_written_again(tmp_path: Path) -> None:
    store = MemoryStore("data")
    capture(store, NOON, "a", line(1, {"x": 1}))
    compacted(store)
    before = dict(store.objects)
    assert compacted(store).objects == 0
    assert store.objects == before
    capture(store, NOON, "late", line(2, {"y": 1}))
    assert compacted(store).objects == 1
    assert len(parts(store)) == 2
    assert [list(one["instance"]) for one in read(store, tmp_path)] == [["x"], ["y"]]


def test_an_open_hour_is_not_compacted_and_is_read_all_the_same(tmp_path: Path) -> None:
    store = MemoryStore("data")
    for hour in hours(3):
        capture(store, hour, "a", line(hour.hour, {"x": 1}, hour))
    told = compacted(store, NOON + 2 * HOUR + timedelta(minutes=59))
    assert (told.hours, told.behind) == (2, 0)
    assert read_progress(store, MODEL)[0].through == NOON + 2 * HOUR
    assert [one["id"] for one in read(store, tmp_path)] == ["id-12", "id-13", "id-14"]


def test_a_window_of_weeks_reads_compacted_hours_of_all_its_months_and_lists_no_old_captures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = MemoryStore("data")
    days = (0, 20, 40, 44)
    for day in days:
        capture(store, NOON + timedelta(days=day), "a", line(10 + day, {"x": 1}, NOON + timedelta(days=day)))
    end = NOON + timedelta(days=45)
    assert compacted(store, end).hours == 4
    capture(store, end, "a", line(99, {"x": 1}, end))
    listed: list[str] = []

    def list_and_note(prefix: str) -> Iterator[Listed]:
        listed.append(prefix)
        return MemoryStore.list(store, prefix)

    monkeypatch.setattr(store, "list", list_and_note)
    assert [one["id"] for one in read(store, tmp_path, NOON, end + HOUR)] == [
        "id-10",
        "id-30",
        "id-50",
        "id-54",
        "id-99",
    ]
    assert len(listed) <= 12
    assert [one["id"] for one in read(store, tmp_path, NOON + timedelta(days=1), end)] == ["id-30", "id-50", "id-54"]


def test_a_window_ends_before_its_end(tmp_path: Path) -> None:
    store = MemoryStore("data")
    capture(store, NOON, "a", *(line(n, {}, NOON + timedelta(minutes=n)) for n in range(10, 60, 10)))
    compacted(store)
    minutes = [timedelta(minutes=n) for n in (10, 30)]
    assert [one["id"] for one in read(store, tmp_path, NOON + minutes[0], NOON + minutes[1])] == ["id-10", "id-20"]


def test_what_cannot_be_read_is_counted_once_and_stops_nothing(tmp_path: Path) -> None:
    store = MemoryStore("data")
    whole = gzip.compress(line(1, {"x": 1}) * 50)
    store.upload(key(NOON, "cut"), whole[:-20])
    store.upload(key(NOON, "empty"), b"")
    capture(store, NOON, "a", line(2, {"x": 1}), b"{nonsense\n", b"[]\n", line(3, {}, version=None), b"\n")
    told = compacted(store)
    assert (told.rows, told.objects, told.unread) == (1, 2, 1)
    assert compacted(store).unread == 0
    window = open_window(store, MODEL, NOON, LATER, tmp_path / "w")
    assert (window.unread, window.broken_lines) == (1, 2)
    assert window.notes == (
        "captured objects that could not be read: 1",
        "captured lines without an id, a time or a version, or no JSON: 2",
    )


def test_lines_that_are_too_long_or_no_utf_8_are_counted(tmp_path: Path) -> None:
    store = MemoryStore("data")
    noise, long = b"\xff\xfe noise\n", line(2, {"x": "y" * 2**21})
    capture(store, NOON, "a", line(1, {"x": "a"}), noise, long, line(3, {"x": "abc"}).replace(b"abc", b"a\xffc"))
    compacted(store)
    assert open_window(store, MODEL, NOON, LATER, tmp_path / "w").broken_lines == 3
    assert [one["id"] for one in read(store, tmp_path)] == ["id-1"]


def test_an_object_that_duckdb_cannot_read_is_left_out_and_the_others_are_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_answers = answer_rows.write_answers

    def fails(engine: Any, lines: Path, *rest: Any) -> Any:
        if b"poison" in lines.read_bytes():
            raise duckdb.InvalidInputException("the parser has reached an invalid state")
        return write_answers(engine, lines, *rest)

    monkeypatch.setattr(converting, "write_answers", fails)
    store = MemoryStore("data")
    for number in range(5):
        capture(store, NOON, f"{number}", line(number, {"x": "poison" if number == 3 else "x"}))
    assert [one["id"] for one in read(store, tmp_path)] == ["id-0", "id-1", "id-2", "id-4"]
    told = compacted(store)
    assert (told.rows, told.objects, told.unread) == (4, 4, 1)
    assert compacted(store).unread == 0
    assert [one["id"] for one in read(store, tmp_path)] == ["id-0", "id-1", "id-2", "id-4"]


def test_objects_that_do_not_fit_into_the_memory_together_are_compacted_one_by_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_answers = answer_rows.write_answers

    def fits_one(engine: Any, lines: Path, *rest: Any) -> Any:
        if lines.read_bytes().count(b"\n") > 1:
            raise BadData("the data do not fit into 512 MB of memory")
        return write_answers(engine, lines, *rest)

    monkeypatch.setattr(converting, "write_answers", fits_one)
    store = MemoryStore("data")
    for number in range(3):
        capture(store, NOON, f"{number}", line(number, {"x": 1}))
    assert compacted(store).rows == 3
    assert [one["id"] for one in read(store, tmp_path)] == ["id-0", "id-1", "id-2"]


def test_a_full_disk_is_no_fault_of_the_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise duckdb.IOException("no space left on device")

    store = MemoryStore("data")
    capture(store, NOON, "a", line(1, {"x": 1}))
    with monkeypatch.context() as patch, pytest.raises(duckdb.IOException):
        patch.setattr(converting, "write_answers", full)
        compacted(store)
    assert compacted(store).rows == 1


def test_hours_with_other_columns_and_classes_fit_together(tmp_path: Path) -> None:
    store = MemoryStore("data")
    capture(store, NOON, "a", line(1, {"x": 1}))
    capture(store, NOON + HOUR, "a", line(2, {"X": "x"}, NOON + HOUR, probabilities=None, prediction=7.5))
    capture(store, NOON + 2 * HOUR, "a", line(3, None, NOON + 2 * HOUR, probabilities={"new": 1.0}))
    compacted(store, NOON + 2 * HOUR)
    first, second, third = read(store, tmp_path)
    assert (first["instance"], second["instance"]) == ({"x": ("1", 1.0, 3)}, {"X": ("x", None, 2)})
    assert third["instance"] == {} and second["row"][-1] == "7.5"
    assert [one["shares"]["new"] for one in (first, second, third)] == [None, None, 1.0]


def test_too_many_columns_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(answer_rows, "MAX_COLUMNS", 3)
    store = MemoryStore("data")
    capture(store, NOON, "a", line(1, {f"c{n}": n for n in range(5)} | {"a\0b": 1}))
    compacted(store)
    assert list(read(store, tmp_path)[0]["instance"]) == ["c0", "c1", "c2"]
    assert read_manifest(store, MODEL, NOON)[0].left_out == 3


def test_of_too_much_the_newest_hours_are_read_and_the_rest_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = MemoryStore("data")
    for hour in hours(4):
        capture(store, hour, "a", line(hour.hour, {"x": 1}, hour))
    compacted(store)
    size = max(len(body) for one, body in store.objects.items() if one.endswith(".parquet"))
    monkeypatch.setattr(compacted_reading, "MAX_PARQUET_BYTES", 2 * size)
    window = open_window(store, MODEL, NOON, LATER, tmp_path / "w")
    assert window.left_out == 2
    assert window.notes == ("the oldest hours of the window were left out, because there is too much: 2",)
    assert [one["id"] for one in read(store, tmp_path)] == ["id-14", "id-15"]


def test_a_line_of_another_model_is_not_compacted_and_shadows_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    store = MemoryStore("data")
    capture(store, NOON, "a", line(1, {"x": 1}), line(2, {"other": 1}, model="apples"), model=None)
    capture(store, NOON, "a", line(3, {"x": 1}, shadow=True, beside="id-1"))
    capture(store, NOON, "b", line(4, {"x": 1}), model="plums-2")
    told = compacted(store)
    assert (told.rows, told.objects) == (2, 2)
    assert [one["id"] for one in read(store, tmp_path)] == ["id-1"]
    assert [one["id"] for one in read(store, tmp_path, shadows=True)] == ["id-1", "id-3"]
    assert all(list(one["instance"]) == ["x"] for one in read(store, tmp_path))


def test_without_traffic_a_window_is_empty(tmp_path: Path) -> None:
    store = MemoryStore("data")
    assert compacted(store).model_dump(exclude={"model", "schema_number"}) == {
        "hours": 0, "rows": 0, "objects": 0, "unread": 0, "behind": 0
    }  # fmt: skip
    assert read(store, tmp_path) == []
