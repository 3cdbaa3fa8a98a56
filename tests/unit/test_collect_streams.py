"""`collect` on the objects that `land` has written."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelcycle.collect import stream_objects
from modelcycle.faults import BadPipeline, NoData, TargetMissing
from modelcycle.land.land import Lander
from modelcycle.land.stream_records import Arrival, Delivery, read_record
from modelcycle.messages import Collected
from modelcycle.spec import StreamSource
from tests.unit.data_steps import Workspace

AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
KINESIS = Delivery("records", ordered=True)


class Streamed:
    """A workspace whose model `m` reads the stream."""

    def __init__(self, **source: Any) -> None:
        self.workspace = Workspace()
        self.source = StreamSource(type="stream", **source)
        self.lander = Lander(self.workspace.data, self.workspace.registry.streams)
        self.sent = 0

    def send(self, *rows: dict[str, Any]) -> None:
        """Deliver rows in one batch."""
        arrivals = []
        for row in rows:
            self.sent += 1
            data = json.dumps({"model": "m", **row}).encode()
            arrivals.append(Arrival("shard-0", str(self.sent), AT + timedelta(seconds=self.sent), data))
        self.lander.land(KINESIS, [read_record(arrival, lambda _: self.source) for arrival in arrivals])

    def collect(self, target: str = "y", run_id: str = "r1") -> Collected:
        run = self.workspace.run(run_id, target=target, source=self.source.model_dump())
        return self.workspace.collect(run)

    def rows(self, **options: Any) -> list[tuple[Any, ...]]:
        return self.workspace.rows(self.collect(**options))


def test_an_id_that_is_added_to_the_pipeline_file_counts_at_once() -> None:
    streamed = Streamed()
    streamed.send({"id": 1, "y": 1})
    streamed.send({"id": 1, "y": 2}, {"id": 2, "y": 3})
    assert streamed.collect().rows == 3
    streamed.source = StreamSource(type="stream", id="id")
    assert streamed.collect(run_id="r2").rows == 2


def test_batches_with_equal_rows_are_different_rows() -> None:
    streamed = Streamed()
    for _ in range(3):
        streamed.send({"x": 1, "y": 2})
    assert streamed.rows() == [("1", "2")] * 3


def test_a_key_that_comes_first_in_a_later_batch_is_a_column() -> None:
    streamed = Streamed()
    streamed.send({"x": 1})
    streamed.send({"x": 2, "y": 3, "z": "late"})
    streamed.send({"y": 4})
    assert streamed.rows() == [("1", None, None), ("2", "3", "late"), (None, "4", None)]


def test_a_target_that_no_batch_has_is_named() -> None:
    streamed = Streamed()
    streamed.send({"x": 1})
    with pytest.raises(TargetMissing, match="'y'"):
        streamed.collect()


def test_a_row_whose_id_came_before_is_left_out_and_said() -> None:
    streamed = Streamed(id="order")
    streamed.send({"y": 1, "order": "a"}, {"y": 2, "order": "b"})
    streamed.send({"y": 3, "order": "a"}, {"y": 4})
    streamed.send({"order": "b", "y": 5}, {"order": None, "y": 6}, {"order": "c", "y": 7})
    collected = streamed.collect()
    assert streamed.workspace.rows(collected) == [("1", "a"), ("2", "b"), ("4", None), ("6", None), ("7", "c")]
    assert collected.rows == 5
    assert collected.notes == ["2 rows left out: an earlier one has the same order"]


def test_a_misspelt_id_is_named_with_the_likeliest_column() -> None:
    streamed = Streamed(id="ordr")
    streamed.send({"y": 1, "order": "a"})
    with pytest.raises(BadPipeline) as caught:
        streamed.collect()
    assert "source.id" in caught.value.where
    assert "order" in caught.value.remedy


def test_what_was_pulled_before_the_source_became_the_stream_is_not_read() -> None:
    streamed = Streamed()
    streamed.workspace.data.upload("landed/m/main/0123-4567.jsonl", b'{"x": 9, "y": 9}\n')
    streamed.workspace.data.upload("landed/m/main/_manifests/ab.json", b"[]")
    with pytest.raises(NoData) as caught:
        streamed.collect()
    assert "modelcycle status" in caught.value.remedy
    streamed.send({"x": 1, "y": 2})
    assert streamed.rows(run_id="r2") == [("1", "2")]


def test_many_objects_are_read_as_few_tables_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_objects, "MAX_MERGED_BYTES", 1000)
    monkeypatch.setattr(stream_objects, "MAX_DOWNLOADED", 7)
    streamed = Streamed(id="n")
    for number in range(300):
        streamed.send({"n": number, "y": 1}, *([{"n": number - 5, "y": 2}] if number % 10 == 9 else []))
    collected = streamed.collect()
    assert streamed.workspace.rows(collected) == [(str(number), "1") for number in range(300)]
    manifest = json.loads(streamed.workspace.artifacts.read(collected.manifest))
    assert len(manifest["objects"]) == collected.objects == 300
    assert sum(entry["rows"] for entry in manifest["objects"]) == 330
    assert collected.notes == ["30 rows left out: an earlier one has the same n"]


def test_rows_name_the_object_that_brought_them() -> None:
    streamed = Streamed(id="n")
    streamed.send({"n": 1, "y": 1}, {"n": 2, "y": 1})
    streamed.send({"n": 2, "y": 2}, {"n": 3, "y": 1})
    (shard,) = streamed.collect().shards
    assert [row[:3] for row in streamed.workspace.parquet(shard)] == [(0, 1, "1"), (0, 2, "2"), (1, 2, "3")]


def test_a_corrected_cell_of_a_record_takes_its_place() -> None:
    streamed = Streamed()
    streamed.send({"x": "one", "y": 2}, {"x": "two", "y": 3})
    streamed.send({"x": "two", "y": 4})
    before = streamed.collect()
    workspace = streamed.workspace
    entries = json.loads(workspace.artifacts.read(before.manifest))["objects"]
    correction = {"content": entries[0]["sha256"], "scope": "cell", "at": 2, "column": "x", "text": "2"}
    workspace.data.upload("raw/m/_corrections-20260101T000000-a.jsonl", json.dumps(correction).encode())
    after = streamed.collect(run_id="r2")
    assert after.corrected == 1
    assert workspace.rows(after) == [("one", "2"), ("2", "3"), ("two", "4")]
