"""A version is registered with what its columns change for clients, and the events of its life say so."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from modelcycle.messages import Artifact, Registered
from modelcycle.register import register
from modelcycle.registry import Registry, keys
from tests.fakes import MemoryKeys, MemoryStore, MemoryTable
from tests.memory_place import ARTIFACT, AT

PIPELINE = "m/runs/r/claim/pipeline.json"


class Runs:
    """Runs whose candidates have the columns that a test says."""

    def __init__(self) -> None:
        self.table, self.store = MemoryTable(), MemoryStore()
        self.registry = Registry(self.table)
        self.keys = MemoryKeys()
        self.pipeline = self.store.put(PIPELINE, b"name: m\ntarget: t\n")

    def register(
        self, run_id: str, champion: int | None, *columns: str, trigger: str = "upload", traffic: int = 0,
        recent: int = 0, trained: str = "",
    ) -> Registered:  # fmt: skip
        signature = {"fields": [{"name": name, "type": "number"} for name in columns], "ignored": []}
        run = SimpleNamespace(
            model="m", run_id=run_id, started_at=AT, pipeline=self.pipeline, author=None, author_proved=False,
            trigger=SimpleNamespace(kind=trigger),
        )  # fmt: skip
        made = self.store.put(f"m/runs/{run_id}/model", (trained or run_id).encode())
        written = self.store.put(f"m/runs/{run_id}/signature.json", json.dumps(signature).encode())
        request: Any = SimpleNamespace(
            run=run,
            select_model=SimpleNamespace(onnx=made, skops=made, signature=written, opset=21),
            engineer_features=SimpleNamespace(plan=made),
            refit=SimpleNamespace(onnx=None, skops=None, done=False, rows=0),
            preprocess=SimpleNamespace(
                task="binary", profile=made, split=(6, 2, 2), contract=None, test_features=made, test_labels=made
            ),
            collect=SimpleNamespace(manifest=ARTIFACT, traffic=traffic),
            govern=SimpleNamespace(lineage=made, card=made, figures=None),
            validate_=SimpleNamespace(report=made, metric="accuracy", metrics={}, interval=(0, 1), chain=None),
            find_unseen=SimpleNamespace(champion=champion, cases=None, recent=recent, positions=made),
            score_candidate=SimpleNamespace(scores=made),
        )
        return register(request, artifacts=self.store, versions=self.registry.versions, keys=self.keys, code="c")

    def go_live(self, version: int) -> None:
        self.registry.standings.move("m", version, "staged", "run r")
        self.registry.routes.promote("m", version, 10, "run r")
        self.registry.routes.promote("m", version, 100, "run r")

    def details(self, kind: str) -> list[dict[str, Any]]:
        events = [write.body for write in self.table.written if write.kind == "event" and write.body["kind"] == kind]
        return [event["detail"] for event in events]


def test_the_champions_columns_are_compared_and_the_events_say_what_changed() -> None:
    runs = Runs()
    assert runs.register("r1", None, "age", "plz").contract_change is None
    runs.go_live(1)
    registered = runs.register("r2", 1, "age", "income")
    change = registered.contract_change
    assert change is not None and (change.against, change.new, change.gone) == (1, ["income"], ["plz"])
    assert runs.registry.versions.get("m", 2).contract_change == change
    runs.go_live(2)
    assert [detail.get("contract_change") for detail in runs.details("VersionRegistered")] == [
        None, change.model_dump(mode="json"),
    ]  # fmt: skip
    promoted = [(detail["version"], "contract_change" in detail) for detail in runs.details("VersionPromoted")]
    assert promoted == [(1, False), (2, True), (2, False)], "at its first traffic, not at each step"


def test_equal_columns_and_a_champion_without_files_are_no_change() -> None:
    runs = Runs()
    runs.register("r1", None, "age")
    assert runs.register("r2", 1, "age").contract_change is None
    champion: Artifact = runs.registry.versions.get("m", 1).signature
    for harm in (b"other", None):
        key = champion.uri.removeprefix("s3://artifacts/")
        del runs.store.objects[key]
        if harm:
            runs.store.objects[key] = harm
        assert runs.register(f"r3{harm!r}", 1, "income").contract_change is None


def test_the_same_model_is_a_new_version_if_it_is_captured_in_another_way() -> None:
    runs = Runs()
    first = runs.register("r1", None, "age", "plz")
    runs.pipeline = runs.store.put("m/runs/r2/claim/pipeline.json", b"name: m\ntarget: t\ncapture: {mask: [plz]}\n")
    masked, again = (runs.register(run, None, "age", "plz", trained="r1") for run in ("r2", "r3"))
    assert [(made.version, made.created) for made in (first, masked, again)] == [(1, True), (2, True), (2, False)]
    versions = runs.registry.versions
    assert [versions.get("m", number).capture.mask for number in (1, 2)] == [[], ["plz"]]


@pytest.mark.parametrize(
    ("trigger", "traffic", "recent", "alone"),
    [
        ("degraded", 900, 100, True),
        ("degraded", 900, 99, False),
        ("degraded", 0, 500, False),
        ("upload", 9, 500, False),
    ],
)
def test_a_version_made_for_new_traffic_is_watched_against_the_rows_that_came_with_it(
    trigger: str, traffic: int, recent: int, *, alone: bool
) -> None:
    runs = Runs()
    version = runs.register("r1", None, "age", trigger=trigger, traffic=traffic, recent=recent).version
    reference = runs.registry.versions.get("m", version).reference
    assert reference is not None and (reference.recent is not None) is alone


def test_a_model_whose_version_has_lost_its_signature_gets_a_new_number() -> None:
    runs = Runs()
    assert runs.register("r1", None, "a", trained="same").created
    assert runs.registry.versions.get("m", 1).bundle
    runs.table.records[keys.version("m", 1)].body.update(bundle=None, run_id="another")
    again = runs.register("r2", None, "a", trained="same")
    assert (again.version, again.created, again.replaces) == (2, True, 1)
    assert runs.registry.versions.get("m", 2).bundle
