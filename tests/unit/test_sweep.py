"""The sweep: what is older than the pipeline file says goes with all versions; what a live version needs stays."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelcycle.erasing_store import ObjectVersion
from modelcycle.faults import BadPipeline
from modelcycle.messages import Run, SweepRequest, Swept, Trigger
from modelcycle.registry import Entry, Registry, Write, keys
from modelcycle.registry.landings import Landing
from modelcycle.spec import parse
from modelcycle.store import put_json
from modelcycle.sweep import sweep
from modelcycle.sweep.sweep import BATCH_VERSIONS
from tests.fakes import MemoryStore, MemoryTable
from tests.unit.test_learning_window import draft_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Bucket(MemoryStore):
    """A bucket whose objects have an age, and older versions."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.old: list[tuple[ObjectVersion, bytes]] = []
        self.survives = False  # whether S3 refuses to delete

    def add(self, key: str, days: float, body: bytes = b"row") -> None:
        number = sum(one.key == key for one, _ in self.old)
        at = (NOW - days * DAY).timestamp()
        self.old.append((ObjectVersion(key, f"v{number}", True, False, bytes=len(body), modified=at), body))
        self.upload(key, body)

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        found = [one for one, _ in self.old if one.key.startswith(prefix)]
        yield from sorted(found, key=lambda one: (one.key, -one.modified))

    def digest(self, one: ObjectVersion) -> str | None:
        return next((f"sha of {body.decode()}" for other, body in self.old if other == one), None)

    def delete(self, versions: Sequence[ObjectVersion]) -> int:
        if self.survives:
            return len(versions)
        self.old = [(one, body) for one, body in self.old if one not in versions]
        for key in {one.key for one in versions} - {one.key for one, _ in self.old}:
            self.objects.pop(key, None)
        return 0

    @property
    def keys(self) -> set[str]:
        return {one.key for one, _ in self.old}


@dataclass
class World:
    retention: dict[str, str]
    data: Bucket = field(default_factory=lambda: Bucket("data"))
    artifacts: Bucket = field(default_factory=lambda: Bucket("artifacts"))
    registry: Registry = field(default_factory=lambda: Registry(MemoryTable()))
    source: str = ""

    def __post_init__(self) -> None:
        lines = "".join(f"  {name}: {age}\n" for name, age in self.retention.items())
        text = f"name: m\ntarget: y\n{self.source}" + (f"retention:\n{lines}" if lines else "")
        self.data.upload("pipelines/m.yaml", text.encode())
        parse(text)
        unit = self.registry.unit_of_work("m")
        self.registry.runs.put_model(unit)
        unit.commit()

    def version(self, run_id: str, live: bool = False, names: str = "") -> None:
        lineage = self.artifacts.put(f"m/runs/{run_id}/govern/lineage.json", json.dumps({"steps": names}).encode())
        draft = draft_of(run_id).model_copy(update={"lineage": lineage})
        number = self.registry.versions.register(draft, run_id)[0].version
        if live:
            self.registry.standings.move("m", number, "staged", "test")
            self.registry.routes.promote("m", number, 100, "test")

    def sweep(self, **arguments: Any) -> Swept:
        return sweep(
            SweepRequest(models="all", at=NOW), buckets={"data": self.data, "artifacts": self.artifacts},
            data=self.data, artifacts=self.artifacts, registry=self.registry, **arguments,
        )  # fmt: skip

    def erased(self) -> list[dict[str, Any]]:
        """All tombstones that the audit trail names."""
        entries = [entry for entry in self.registry.audit.all("m") if entry.decision == "erased"]
        keys = [entry.evidence["tombstones"]["uri"].partition("artifacts/")[2] for entry in entries]
        return [one for key in keys for one in json.loads(self.artifacts.objects[key])["erased"]]


def test_what_is_older_goes_with_all_its_versions_and_is_written_down() -> None:
    world = World({"raw": "30 days", "captures": "7 days"})
    world.data.add("raw/m/old.csv", 90, b"first")
    world.data.add("raw/m/old.csv", 40, b"second")
    world.data.add("raw/m/half.csv", 90, b"before")
    world.data.add("raw/m/half.csv", 2, b"now")
    world.data.add("raw/m-2/old.csv", 90)
    world.data.add("captures/model=m/2026/01/01/00/a.gz", 8)
    world.data.add("captures/model=m/2026/05/31/00/b.gz", 6)
    world.data.add("feedback/m/a.jsonl", 900)
    swept = world.sweep()
    assert (swept.models, swept.deleted, swept.failed) == (1, {"raw": 3, "captures": 1}, 0)
    assert [(one.key, one.version) for one, _ in world.data.old] == [
        ("raw/m/half.csv", "v1"), ("raw/m-2/old.csv", "v0"), ("captures/model=m/2026/05/31/00/b.gz", "v0"),
        ("feedback/m/a.jsonl", "v0"),
    ]  # fmt: skip
    assert {(one["bucket"], one["key"], one["was"], one["now"]) for one in world.erased()} == {
        ("data", "raw/m/old.csv", "sha of first", None), ("data", "raw/m/old.csv", "sha of second", None),
        ("data", "raw/m/half.csv", "sha of before", None),
        ("data", "captures/model=m/2026/01/01/00/a.gz", "sha of row", None),
    }  # fmt: skip
    assert world.sweep().deleted == {}


def test_without_a_retention_or_with_a_faulty_file_nothing_is_deleted() -> None:
    world = World({})
    world.data.add("raw/m/old.csv", 9000)
    assert world.sweep() == Swept(models=0)
    world.data.upload("pipelines/m.yaml", b"name: m\ntarget: y\nretention: {raw: soon}\n")
    assert world.sweep().left == ["m"]
    assert world.data.keys == {"raw/m/old.csv"}


@pytest.mark.parametrize(
    ("age", "words"),
    [
        ("soon", "an age is expected, such as 30 days or 1 week"), ("20 minutes", "between 1 and 36,500 days"),
        ("23 hours", "between 1 and 36,500 days"), ("36 hours", ""), ("1 week", ""),
    ],
)  # fmt: skip
def test_ages_are_days_or_weeks_and_an_error_proposes_none_that_is_refused(age: str, words: str) -> None:
    text = f"name: m\ntarget: y\nretention: {{raw: {age}}}\n"
    if not words:
        assert parse(text).retention.raw == age
        return
    with pytest.raises(BadPipeline) as caught:
        parse(text)
    assert words in str(caught.value.errors) and "36 hours" not in str(caught.value.errors)


def test_entries_of_an_earlier_release_that_ran_again_are_taken_into_the_chain_of_any_model() -> None:
    world = World({})
    world.registry.table.write(Write(*keys.audit_entry("m", "RUN#0#govern"), {"at": "2020-01-01T00:00:00Z"}))
    world.registry.audit.add("m", "RUN#a#govern", Entry(subject="", decision="passed", by=""))
    world.registry.table.write(Write(*keys.audit_entry("m", "RUN#b#govern"), {"at": "2099-01-01T00:00:00Z"}))
    world.sweep(has_time=lambda: False)
    assert world.registry.audit.head("m").number == 1
    world.sweep()
    assert world.registry.audit.head("m").number == 2


def test_a_live_version_keeps_its_rows_and_those_of_the_runs_whose_results_it_uses() -> None:
    world = World({"snapshots": "30 days", "holdout": "30 days"})
    for run in ("r1", "r2", "r3", "r4"):
        world.artifacts.add(f"m/runs/{run}/collect/rows-0000.parquet", 90)
        world.artifacts.add(f"m/runs/{run}/select_model/model.onnx", 90)
        world.artifacts.add(f"holdout/labels/m/{run}.npz", 90)
    world.version("r1")
    world.version("r3", live=True, names="s3://artifacts/m/runs/r2/collect/rows-0000.parquet")
    assert world.sweep().deleted == {"snapshots": 2, "holdout": 2}
    rows = {key for key in world.artifacts.keys if not key.endswith(".onnx")}
    assert rows == {f"m/runs/{run}/collect/rows-0000.parquet" for run in ("r2", "r3")} | {
        f"holdout/labels/m/{run}.npz" for run in ("r2", "r3")
    }
    assert sum(key.endswith(".onnx") for key in world.artifacts.keys) == 4


def test_a_run_that_goes_on_keeps_its_rows() -> None:
    world = World({"snapshots": "1 day"})
    world.artifacts.add("m/runs/r9/collect/rows-0000.parquet", 3)
    pipeline = world.artifacts.put("m/runs/r9/claim/pipeline.json", b"{}")
    run = Run(
        model="m", run_id="r9", execution="arn:r9", started_at=NOW, trigger=Trigger(kind="request"), pipeline=pipeline
    )
    unit = world.registry.unit_of_work("m")
    world.registry.runs.put_start(unit, run)
    unit.commit()
    assert world.sweep().deleted == {}


@pytest.mark.parametrize("watermark", [True, False])
def test_landed_rows_leave_the_record_first_and_a_table_that_is_pulled_as_a_whole_stays(watermark: bool) -> None:
    mark = "  watermark: id\n" if watermark else ""
    world = World({"landed": "30 days"}, source=f"source:\n  type: sql\n  secret: s\n  table: t\n{mark}")
    files = []
    for name, days in (("a", 90), ("b", 3)):
        key = f"landed/m/main/{name}.csv"
        world.data.add(key, days)
        artifact = {"uri": f"s3://data/{key}", "sha256": "0", "bytes": 3}
        files.append({"key": key, "artifact": artifact, "rows": 1, "origin": ""})
    manifest = put_json(world.data, "landed/m/main/_manifest-1.json", files)
    world.data.add("landed/m/main/_manifest-1.json", 90, world.data.objects["landed/m/main/_manifest-1.json"])
    world.data.add("landed/m/main/unlisted.csv", 90)
    world.registry.landings.replace("m", "main", Landing(definition="d", manifest=manifest, watermark="7"), 0)
    world.sweep()
    landing = world.registry.landings.get("m", "main").landing
    assert landing is not None
    assert landing.watermark == "7"
    listed = [entry["key"] for entry in json.loads(world.data.read(landing.manifest))]
    expected = ["landed/m/main/b.csv"] if watermark else ["landed/m/main/a.csv", "landed/m/main/b.csv"]
    assert listed == expected
    assert {key for key in world.data.keys if not Path(key).name.startswith("_")} == {*expected}


def test_what_could_not_be_deleted_is_deleted_the_next_time_and_time_has_an_end() -> None:
    world = World({"raw": "30 days"})
    for number in range(BATCH_VERSIONS + 5):
        world.data.add(f"raw/m/{number:05d}.csv", 90)
    world.data.survives = True
    assert world.sweep().failed == BATCH_VERSIONS + 5
    world.data.survives = False
    turns = iter([True] * (1 + BATCH_VERSIONS) + [False])  # the trail is looked at first
    swept = world.sweep(has_time=lambda: next(turns))
    assert (swept.deleted, swept.left) == ({"raw": BATCH_VERSIONS}, ["m"])
    assert world.sweep().deleted == {"raw": 5}
    assert len(world.erased()) == BATCH_VERSIONS + 5


def test_what_was_hashed_in_time_is_written_down_and_deleted_and_the_next_day_goes_on() -> None:
    world = World({"raw": "30 days"})
    for number in range(10):
        world.data.add(f"raw/m/{number}.csv", 90)
    days = []
    while world.data.old:
        turns = iter([True] * 5 + [False])  # the trail is looked at first
        swept = world.sweep(has_time=lambda turns=turns: next(turns))
        days.append((swept.deleted, swept.left))
    assert days == [({"raw": 4}, ["m"]), ({"raw": 4}, ["m"]), ({"raw": 2}, [])]
    assert sorted(one["key"] for one in world.erased()) == [f"raw/m/{number}.csv" for number in range(10)]


def test_a_fault_costs_the_hashes_of_some_bytes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World({"raw": "30 days"})
    for number in range(6):
        world.data.add(f"raw/m/{number}.csv", 90, b"x" * 500)
    monkeypatch.setattr(sys.modules["modelcycle.sweep.sweep"], "MAX_BATCH_BYTES", 1000)
    turns = iter([True] * 6)
    with pytest.raises(StopIteration):
        world.sweep(has_time=lambda: next(turns))
    assert len(world.erased()) == 4
    assert len(world.data.old) == 2


def test_what_staging_keeps_of_the_live_version_stays() -> None:
    world = World({"reports": "30 days"})
    for run in ("r1", "r2", "r3", "r4"):
        world.version(run, live=run == "r3")
    for number in (1, 2, 3, 4):
        world.artifacts.add(f"m/staging/{number:08d}/5f0c/answers.json", 90)
    world.artifacts.add("m/monitoring/2026/a.json", 90)
    assert world.sweep().deleted == {"reports": 3}
    assert world.artifacts.keys == {"m/staging/00000003/5f0c/answers.json", "m/staging/00000004/5f0c/answers.json"}


def test_a_model_whose_registry_was_changed_by_hand_is_left_alone() -> None:
    world = World({"raw": "1 day"})
    world.data.add("raw/m/old.csv", 90)
    world.version("r1", live=True)
    key, record = next(item for item in world.registry.table.records.items() if item[0][1] == "VERSION#00000001")  # type: ignore[attr-defined]
    foreign = {"uri": "s3://artifacts/other/runs/r1/x.onnx", "sha256": "0", "bytes": 0}
    world.registry.table.records[key] = record._replace(body=record.body | {"onnx": foreign})  # type: ignore[attr-defined]
    swept = world.sweep()
    assert (swept.left, swept.deleted) == (["m"], {})
