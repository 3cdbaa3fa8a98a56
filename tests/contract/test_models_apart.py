"""No function reads an object of another model than the one that it was told: the message itself is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from modelcycle.aws import adapters
from modelcycle.faults import BadMessage, Tampered, Unknown
from modelcycle.messages import Artifact, RunTrialRequest
from modelcycle.registry import Landing, Registry, Write
from tests.contract.conftest import World
from tests.contract.functions import functions
from tests.contract.test_check_step import STEPS
from tests.fakes import MemoryTable

WITH_OBJECTS = [name for name in STEPS if name not in ("Claim", "Deploy", "PlanScoring")]  # their messages name objects
OURS, THEIRS = "sour-plums", "sour-plums-2"  # the second begins with the first


def objects_in(event: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each address of an object in an event."""
    if isinstance(event, dict):
        if "uri" in event and "sha256" in event:
            yield (*path, "uri")
        for key, value in event.items():
            yield from objects_in(value, (*path, key))
    elif isinstance(event, list):
        for number, value in enumerate(event):
            yield from objects_in(value, (*path, number))


def changed(event: Any, path: tuple[Any, ...], old: str, new: str) -> Any:
    """Return a copy of an event in which one text says something else."""
    event = copy.deepcopy(event)
    holder = event
    for key in path[:-1]:
        holder = holder[key]
    assert old in holder[path[-1]], path
    holder[path[-1]] = holder[path[-1]].replace(old, new)
    return event


def path_of_model(event: Any) -> tuple[str, ...]:
    """Return where an event names its model."""
    return next(path for path in (("run", "model"), ("plan", "model"), ("model",)) if path[0] in event)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any request to AWS fails the test."""

    def call(client: BaseClient, operation: str, arguments: Any) -> Any:
        raise AssertionError(f"{operation} was sent")

    monkeypatch.setattr(BaseClient, "_make_api_call", call)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", WITH_OBJECTS)
def test_a_message_that_names_an_object_of_another_model_is_refused(lived: World, name: str) -> None:
    """Every object of every event, one at a time; nothing is read before."""
    for event in lived.given[name]:
        paths = list(objects_in(event))
        assert paths
        for path in paths:
            with pytest.raises(BadMessage, match=f"about {OURS}, but names another model") as caught:
                functions()[name](changed(event, path, f"{OURS}/", f"{THEIRS}/"))
            assert path[0] in caught.value.what and THEIRS not in str(caught.value)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", WITH_OBJECTS)
def test_a_message_about_another_model_than_its_objects_is_refused(lived: World, name: str) -> None:
    with pytest.raises(BadMessage):
        functions()[name](changed(lived.given[name][0], path_of_model(lived.given[name][0]), OURS, THEIRS))


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("model", ["holdout/labels", "a/runs/b", "..", "A", "a#b", "a\n", "-a", "*"])
def test_a_message_about_a_model_that_cannot_exist_is_refused(lived: World, model: str) -> None:
    for name in ("Collect", "Register", "Conclude"):
        with pytest.raises(BadMessage):
            functions()[name](changed(lived.given[name][0], ("run", "model"), OURS, model))
    for name in ("Deploy", "Monitor"):
        with pytest.raises(BadMessage):
            functions()[name]({"model": model, "version": 1} if name == "Deploy" else {"model": model})


@pytest.mark.parametrize(
    ("key", "model", "foreign"),
    [
        ("a/runs/r/train/x", "a", False), ("a/runs/r/train/x", "a-b", True), ("a-b/runs/r/train/x", "a", True),
        ("holdout/labels/a/r.npz", "a", False), ("holdout/labels/a-b/r.npz", "a", True),
        ("holdout/labels/a/r.npz", "holdout", True), ("holdout/features/a/r.npz", "holdout", True),
        ("holdout/runs/r/train/x", "holdout", False), ("holdout/runs/r/train/x", "runs", True),
        ("holdout/features/holdout/r.npz", "holdout", False), ("holdout/features/features/r.npz", "features", False),
        ("features/runs/r/claim/x", "features", False), ("labels/monitoring/1/x", "labels", False),
        ("_scoring/model=a/job/x", "a", False), ("_scoring/model=a/job/x", "a-b", True), ("scored/a/x", "a", False),
        ("_monitoring/model=a/1/x", "a", False), ("_monitoring/model=a/1/x", "a-b", True),
        ("landed/a/main/x", "a", False), ("landed/a/main/x", "main", True), ("raw/a/x", "a-b", True),
        ("score/a/x", "a", False), ("captures/model=a/2026/x", "a", False), ("captures/model=a/2026/x", "a-b", True),
        ("landed/runs/r/x", "landed", False),
    ],
)  # fmt: skip
def test_to_which_model_an_object_belongs(key: str, model: str, foreign: bool) -> None:
    assert Artifact(uri=f"s3://bucket/{key}", sha256="0", bytes=1).is_foreign_to(model) == foreign


@pytest.mark.parametrize("field", ["onnx", "signature", "cases", "contract"])
def test_a_version_whose_record_names_an_object_of_another_model_is_not_served(lived: World, field: str) -> None:
    (key,) = [key for key in lived.registry() if key[0] == f"VERSION#{OURS}" and key[1].startswith("VERSION#")]
    record = json.loads(lived.registry()[key])
    table = MemoryTable()
    table.write(Write(f"VERSION#{OURS}", "VERSION#00000001", record))
    assert Registry(table).versions.get(OURS, 1).onnx
    table.write(Write(f"VERSION#{OURS}", "VERSION#00000001", record | {field: _moved(record[field])}, 1))
    with pytest.raises(Tampered, match=f"names another model or its objects: {field}"):
        Registry(table).versions.get(OURS, 1)


def test_the_rows_of_a_source_are_those_of_its_model() -> None:
    table = MemoryTable()
    manifest = Artifact(uri=f"s3://data/landed/{OURS}/main/m.json", sha256="0", bytes=1)
    landing = Landing(definition="d", manifest=manifest)
    for model in (OURS, THEIRS):
        table.write(Write(f"LANDING#{model}", "LANDING#main", landing.model_dump(mode="json")))
    assert Registry(table).landings.get(OURS, "main").landing == landing
    with pytest.raises(Tampered):
        Registry(table).landings.get(THEIRS, "main")


def test_a_model_with_another_ones_name_at_its_start_has_its_own_messages(lived: World) -> None:
    """The check refuses no message of a model whose name begins with that of another one."""
    event = json.loads(json.dumps(lived.given["RunTrial"][0]).replace(f"/{OURS}/", f"/{THEIRS}/"))
    event["run"]["model"] = THEIRS
    assert RunTrialRequest.from_event(event).model == THEIRS


def _moved(artifact: Any) -> Any:
    return artifact | {"uri": artifact["uri"].replace(f"/{OURS}/", f"/{THEIRS}/")}


def test_an_object_of_another_bucket_is_not_read(lived: World, tmp_path: Path) -> None:
    """A message of the right model may still name a bucket that the role can read for other purposes."""
    stored = adapters().data.put(f"{OURS}/runs/r/train/x", b"rows")
    store = adapters().artifacts
    for read in (lambda: store.read(stored), lambda: store.fetch(stored, tmp_path)):
        with pytest.raises(Unknown, match="this function has the bucket"):
            read()
    assert store.missing([stored]) == [stored]
    assert adapters().data.read(stored) == b"rows"
