"""Live requests whose outcome is known are learned from: each once, as the files write them."""

from __future__ import annotations

import json
import random
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.reproduction.folder_store import SourceFiles
from cli.reproduction.no_registry import NoLeases, NoResults
from modelcycle.claim.claim import _pulls
from modelcycle.collect import Pinned, collect
from modelcycle.collect.landed import TRAFFIC
from modelcycle.collect.pinned_inputs import pinned_inputs
from modelcycle.compact import compact
from modelcycle.contract import Contract
from modelcycle.messages import (
    Artifact,
    Broken,
    Collected,
    CollectRequest,
    CompactRequest,
    LearningWindow,
    PreprocessRequest,
    Signal,
)
from modelcycle.preprocess import preprocess
from tests.fakes import MemoryStore
from tests.unit.clinic import rows, text
from tests.unit.live_traffic import JANUARY, NOW, LiveModel
from tests.unit.test_pull import Killed, MortalStore, MortalTable

REQUEST = {"weight in kg": 81.5, "fever": 38, "town": "Gent, B", "visits": 2, "dose": None}


@pytest.fixture(scope="module")
def live_clinic() -> LiveModel:
    model = LiveModel(pipeline={"target": "state"})
    model.go_live(text(rows()))
    return model


@pytest.fixture
def clinic(live_clinic: LiveModel) -> LiveModel:
    return live_clinic.copy()


def test_a_labelled_request_becomes_a_row_and_one_without_an_outcome_does_not(clinic: LiveModel) -> None:
    first, _ = clinic.ask([REQUEST, REQUEST])
    clinic.tell([first], ["ill"])
    pulled = clinic.pull_live()
    assert [(file.source, file.rows) for file in pulled.files] == [(TRAFFIC, 1)]
    assert pulled.notes == ["requests have no visit: missing in their rows"]
    assert clinic.live_rows() == [
        {"visit": None, "weight in kg": "81.5", "fever": "38", "town": "Gent, B", "visits": "2", "dose": None,
         "state": "ill"},
    ]  # fmt: skip
    collected = clinic.snapshot("r2", **clinic.pipeline)
    assert "1 rows are live requests to version 1 whose outcome is known" in collected.notes
    entry = json.loads(clinic.artifacts.read(collected.manifest))["objects"][-1]
    assert entry["traffic"] and entry["key"].startswith("landed/m/_traffic/2026-03-09-")


def test_values_are_written_as_the_files_write_them() -> None:
    draw = random.Random(3)
    body = "price;member;since;hours;Age;age;sold\n" + "\n".join(
        f"{draw.randrange(1000, 9000) / 10:.2f}".replace(".", ",") + f" €;{draw.choice(['Yes', 'No'])};"
        f"{draw.randrange(1, 28):02}.0{draw.randrange(1, 9)}.2025;{draw.randrange(8, 19):02}:{draw.randrange(60):02};"
        f"{draw.randrange(20, 60)};{draw.choice('abc')};{draw.choice(['1', '0'])}"
        for _ in range(300)
    )
    model = LiveModel(pipeline={"target": "sold", "features": {"categorical": ["age"]}})
    model.go_live(body.encode())
    request = {"price": -1234.5, "member": True, "since": "24.12.2025", "hours": 50700, "Age": 44, "age": "b"}
    odd = {"price": "1234,50 €", "member": "NO", "since": "soon", "hours": "2:05 PM", "Age": "unknown", "age": ""}
    ids = model.ask([request, odd])
    model.tell(ids, [1.0, "0"])
    notes = model.pull_live().notes
    both = {(row["price"], row["member"], row["since"], row["hours"], row["Age"], row["age"], row["sold"])
            for row in model.live_rows()}  # fmt: skip
    assert both == {
        ("-1234,5", "true", "24.12.2025", "14:05:00", "44", "b", "1"),
        ("1234,50 €", "NO", None, "2:05 PM", None, None, "0"),
    }
    assert "values of requests that cannot be read as their column are missing: since (1)" in notes


def test_outcomes_are_read_as_the_files_write_their_numbers() -> None:
    body = "size;price\n" + "\n".join(f"{row};1.{row:03},5{row % 10}" for row in range(1, 301))
    model = LiveModel(pipeline={"target": "price"})
    model.go_live(body.encode())
    ids = model.ask([{"size": 1}, {"size": 2}, {"size": 3}])
    model.tell(ids, ["3.500", "2,5", 7.25])
    model.pull_live()
    assert sorted((row["size"], row["price"]) for row in model.live_rows()) == [
        ("1", "3500,0"), ("2", "2,5"), ("3", "7,25"),
    ]  # fmt: skip


def test_columns_with_any_name_are_kept_apart() -> None:
    names = ["a\"b'c", "x.y", "über/~", "Age", "age", "prediction_id", "version"]
    body = (
        ",".join(['"a""b\'c"', *names[1:], "y"])
        + "\n"
        + "\n".join(",".join(str((row * n) % 37) for n in range(1, 8)) + f",{row % 2}" for row in range(1, 301))
    )
    model = LiveModel(pipeline={"target": "y"})
    model.go_live(body.encode())
    request = dict(zip(names, range(100, 107), strict=True))
    model.tell(model.ask([request]), [1])
    model.pull_live()
    assert model.live_rows() == [{name: str(value) for name, value in request.items()} | {"y": "1"}]


def test_the_latest_outcome_counts_and_a_pull_without_news_lands_nothing(clinic: LiveModel) -> None:
    ids = clinic.ask([REQUEST] * 3)
    clinic.tell(ids, ["ill", "ill", "dead"], "1.jsonl")
    assert clinic.pull_live().files
    assert not clinic.pull_live().files
    clinic.tell(ids[:1], ["well"], "2.jsonl")
    assert len(clinic.pull_live().files) == 1
    assert [row["state"] for row in clinic.live_rows()] in (["well", "ill"], ["ill", "well"])


def test_an_outcome_may_name_the_id_of_a_row_instead_of_a_prediction(clinic: LiveModel) -> None:
    model = clinic
    model.pipeline["id_columns"] = ["visit"]
    model.go_live(text(rows()), "with ids")
    model.ask([REQUEST | {"visit": "v7"}, REQUEST | {"visit": "v8"}])
    model.data.upload("feedback/m/by-id.csv", b"visit,state\nv8,well\nv9,ill\n")
    notes = model.pull_live().notes
    assert [(row["visit"], row["state"]) for row in model.live_rows()] == [("v8", "well")]
    assert "outcomes that belong to no prediction of the time that is looked at: 1" in notes


def test_the_run_says_how_many_live_requests_are_about_an_entity_of_the_files(clinic: LiveModel) -> None:
    clinic.pipeline["id_columns"] = ["visit"]
    clinic.go_live(text(rows()), "with ids")
    clinic.tell(clinic.ask([REQUEST | {"visit": visit} for visit in ("v0-7", "v0-7", "v9", None)]), ["ill"] * 4)
    clinic.pull_live()
    collected = clinic.snapshot("r2", **clinic.pipeline)
    assert collected.traffic == 4
    assert any(note.startswith("2 of 4 live requests have the visit of a row of the files") for note in collected.notes)


def test_rows_whose_captures_are_gone_stay(clinic: LiveModel) -> None:
    ids = clinic.ask([REQUEST])
    clinic.tell(ids, ["ill"], "1.jsonl")
    clinic.pull_live()
    for key in [key for key in clinic.data.objects if key.startswith("captures/")]:
        del clinic.data.objects[key]
    more = clinic.ask([REQUEST | {"visits": 4}])
    clinic.tell(more, ["well"], "2.jsonl")
    clinic.pull_live()
    assert sorted(str(row["visits"]) for row in clinic.live_rows()) == ["2", "4"]


def test_a_row_in_which_a_column_that_the_model_reads_is_masked_is_left_out() -> None:
    model = LiveModel(pipeline={"target": "state"}, reads=["town", "fever"])
    model.go_live(text(rows()))
    hidden = REQUEST | {"town": "(masked)", "dose": "(masked)"}
    ids = [*model.ask([hidden] * 2, masked=["town", "dose"]), *model.ask([REQUEST | {"dose": 7}], masked=["dose"])]
    model.tell(ids, ["ill"] * 3)
    notes = model.pull_live().notes
    assert "2 of 3 answered requests are left out: capture.mask hides town, which the model reads" in notes
    assert "masked values of dose are missing" in notes
    assert [(row["town"], row["dose"]) for row in model.live_rows()] == [("Gent, B", None)]


def test_all_days_in_which_outcomes_are_waited_for_are_read_however_many_objects_they_have(clinic: LiveModel) -> None:
    ids = [one for days in (44, 20, 3) for one in clinic.ask([REQUEST], NOW - timedelta(days=days))]
    compact(CompactRequest(model="m", at=NOW), data=clinic.data)
    # what is compacted is not read from the objects of Firehose, one a minute
    for key in [key for key in clinic.data.objects if key.startswith("captures/")]:
        del clinic.data.objects[key]
    ids += clinic.ask([REQUEST])
    clinic.tell(ids, ["ill"] * 4)
    assert sorted(file.rows for file in clinic.pull_live().files) == [1] * 4
    assert sorted(clinic.landed_ids()) == sorted(ids)


def test_what_was_asked_while_values_were_wrong_is_never_learned_from(clinic: LiveModel) -> None:
    wrong = [Broken(column="fever", cause="other units", detail="9 times as large")]
    good, late = clinic.ask([REQUEST], NOW - timedelta(days=2)), clinic.ask([REQUEST], NOW - timedelta(minutes=5))
    bad = clinic.ask([REQUEST | {"fever": 380}] * 2, NOW - timedelta(hours=7))
    other = clinic.ask([REQUEST | {"fever": 380}], NOW - timedelta(hours=9))
    clinic.tell([*good, *late, *bad, *other], ["ill"] * 5)
    clinic.pull_live()

    def look(hours: float, broken: list[Broken], state: Any = "ok") -> None:
        signal = Signal(kind="input drift", subject="fever", state=state)
        end = NOW - timedelta(hours=hours)
        clinic.registry.incidents.update("m", 1, "hour", (end - timedelta(hours=1), end), [signal], broken, [1])

    look(6.5, wrong, "alarm")
    notes = clinic.pull_live().notes
    assert sorted(clinic.landed_ids()) == sorted([*good, *other]), "also the file of before"
    assert any("the values of that time were wrong: 3" in note for note in notes)
    for hours in (5, 4, 3):
        look(hours, [])
    assert not clinic.registry.incidents.open("m")
    clinic.pull_live()
    assert sorted(clinic.landed_ids()) == sorted([*good, *other, *late])
    for key in [key for key in clinic.data.objects if key.startswith("feedback/")]:
        del clinic.data.objects[key]
    look(2, wrong, "alarm")
    assert _pulls(json.dumps(clinic.pipeline | {"name": "m"}).encode(), clinic.data, "m")  # type: ignore[arg-type]
    clinic.pull_live()
    assert sorted(clinic.landed_ids()) == sorted([*good, *other]), "without any outcome, too"


def test_a_prediction_that_was_captured_twice_lands_once_even_when_the_first_capture_is_too_old(
    clinic: LiveModel,
) -> None:
    midnight = NOW.replace(hour=0)
    first = clinic.ask([REQUEST] * 2, midnight - timedelta(minutes=1))
    again = clinic.ask([REQUEST], midnight + timedelta(minutes=1), prediction_id=first[0])
    assert again != first[:1]
    clinic.tell(first, ["ill"] * 2, "1.jsonl")
    clinic.pull_live()
    clinic.tell(clinic.ask([REQUEST], midnight + timedelta(minutes=2)), ["ill"], "2.jsonl")
    clinic.pull_live(midnight + timedelta(days=45))
    assert sorted(set(clinic.landed_ids())) == sorted(clinic.landed_ids()) and len(clinic.landed_ids()) == 3


def test_days_of_live_requests_may_be_deleted(clinic: LiveModel) -> None:
    clinic.tell([*clinic.ask([REQUEST]), *clinic.ask([REQUEST], NOW - timedelta(days=2))], ["ill"] * 2, "1.jsonl")
    clinic.pull_live()
    for key in [key for key in clinic.data.objects if "_traffic/2026-03-09" in key or key.startswith("captures/")]:
        del clinic.data.objects[key]
    collected = clinic.snapshot("r2", **clinic.pipeline)
    assert collected.traffic == 1
    assert "days of live requests that are gone from landed/m/_traffic/: 1" in collected.notes
    more = clinic.ask([REQUEST])
    clinic.tell(more, ["well"], "2.jsonl")
    clinic.pull_live()
    assert clinic.snapshot("r3", **clinic.pipeline).traffic == 2


def test_masked_values_shadow_answers_other_models_and_repeated_lines_are_left_out(clinic: LiveModel) -> None:
    masked = clinic.ask([REQUEST | {"town": "(masked)"}], masked=["town"])
    shadow = clinic.ask([REQUEST], shadow=True)
    other = clinic.ask([REQUEST], model="n")
    key = next(key for key in clinic.data.objects if key.startswith("captures/"))
    clinic.data.upload(f"{key}-again", clinic.data.objects[key])
    clinic.data.upload(f"{key}-cut", clinic.data.objects[key][:-20])
    clinic.tell([*masked, *shadow, *other, "unknown"], ["ill"] * 4)
    notes = clinic.pull_live().notes
    assert "masked values of town are missing" in notes
    assert [row["town"] for row in clinic.live_rows()] == [None]


def test_rows_get_the_time_of_their_prediction_where_requests_have_none() -> None:
    body = "day,x,y\n" + "\n".join(
        f"2026-0{1 + row // 150}-{1 + row % 28:02},{row % 17},{row % 2}" for row in range(300)
    )
    model = LiveModel(pipeline={"target": "y", "time_column": "day"})
    model.go_live(body.encode())
    model.tell(model.ask([{"x": 5}], NOW - timedelta(hours=3)), [1])
    assert model.pull_live().notes == ["day: requests lack it; the time of the prediction stands there"]
    assert model.live_rows() == [{"day": "2026-03-10T09:00:00+00:00", "x": "5", "y": "1"}]


def test_outcomes_of_predictions_that_are_too_old_are_not_waited_for(clinic: LiveModel) -> None:
    ids = clinic.ask([REQUEST], NOW - timedelta(days=46))
    clinic.tell(ids, ["ill"])
    assert not clinic.pull_live().files


@pytest.mark.parametrize("left_out", ["pipeline", "no version", "other target"])
def test_nothing_is_landed_where_live_requests_cannot_or_shall_not_be_learned_from(
    left_out: str, clinic: LiveModel
) -> None:
    model = LiveModel(pipeline={"target": "state"}) if left_out == "no version" else clinic
    model.tell(model.ask([REQUEST]), ["ill"])
    if left_out == "pipeline":
        model.pipeline["retraining"] = {"traffic": False}
    elif left_out == "other target":
        model.pipeline["target"] = "town"
    pulled = model.pull_live()
    assert not pulled.files
    told = ["live traffic is not learned from: version 1 predicts 'state', the pipeline file 'town'"]
    assert pulled.notes == (told if left_out == "other target" else [])


def test_a_pull_that_is_killed_anywhere_leaves_every_prediction_once(live_clinic: LiveModel) -> None:
    died = 0
    for death in range(1, 9):
        lives = [10**9]
        model = live_clinic.copy(MortalStore(lives), MortalTable(lives))
        ids = model.ask([REQUEST] * 4) + model.ask([REQUEST] * 2, NOW - timedelta(days=3))
        model.tell(ids, ["ill", "well"] * 3)
        lives[0] = death
        try:
            model.pull_live()
        except Killed:
            died += 1
        lives[0] = 10**9
        model.ask([REQUEST])  # captured since
        model.pull_live()
        assert sorted(model.landed_ids()) == sorted(ids)
    assert died == 8


def test_pulls_at_the_same_time_land_every_prediction_once(clinic: LiveModel) -> None:
    ids = clinic.ask([REQUEST] * 20)
    clinic.tell(ids, ["ill", "well"] * 10)
    threads = [threading.Thread(target=clinic.pull_live) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(clinic.landed_ids()) == sorted(ids)


def test_live_requests_are_learned_from_and_asked_nothing_by_the_contract(clinic: LiveModel) -> None:
    draw = random.Random(5)
    asked: list[dict[str, Any]] = [
        {name: None if value == "" else value for name, value in row.items() if name not in ("visit", "state")}
        for row in rows(600, seed=9)
    ]
    clinic.tell(clinic.ask(asked), [draw.choice(["ill", "well"]) for _ in asked])
    clinic.pull_live()
    run = clinic.run("r2", **clinic.pipeline)
    collected: Collected = clinic.snapshot("r2", **clinic.pipeline)
    request = PreprocessRequest(run=run, collect=collected)
    result = preprocess(request, artifacts=clinic.artifacts, results=clinic.registry.results, code="1")
    assert (collected.rows, collected.traffic, result.kept) == (1800, 600, 1800)
    assert result.ask == [] and result.quarantined == 0
    # what no request holds would tell live rows from others by being missing
    assert "visit" not in [column.name for column in clinic.schema(result).columns]
    assert "no live request holds visit: left out; list it in features.allow to use it all the same" in result.notes
    run = clinic.run("r3", **clinic.pipeline, features={"allow": ["visit"]})
    request = PreprocessRequest(run=run, collect=collected)
    result = preprocess(request, artifacts=clinic.artifacts, results=clinic.registry.results, code="1")
    assert "visit" in [column.name for column in clinic.schema(result).columns]


def test_a_masked_column_is_held_by_requests(clinic: LiveModel) -> None:
    clinic.tell(clinic.ask([REQUEST | {"town": "(masked)"}], masked=["town"]), ["ill"])
    clinic.pull_live()
    manifest = json.loads(clinic.artifacts.read(clinic.snapshot("r2", **clinic.pipeline).manifest))
    assert manifest["unsent"] == ["visit", "state"]


@pytest.mark.parametrize("window", [None, LearningWindow(kind="sliding", days=9)])
def test_a_snapshot_with_live_requests_is_made_again_from_its_manifest(
    window: LearningWindow | None, clinic: LiveModel, tmp_path: Path
) -> None:
    clinic.tell(clinic.ask([REQUEST] * 5), ["ill"] * 5)
    clinic.pull_live()
    clinic.pipeline["features"] = {"categorical": ["visits"]}
    clinic.go_live(text(rows(seed=8)), "second")  # reads the visits as texts: those of live requests are missing now
    request = CollectRequest(run=clinic.run("r2", **clinic.pipeline).model_copy(update={"learns": window}))
    registry = clinic.registry
    first = collect(
        request, data=clinic.data, artifacts=clinic.artifacts, leases=registry.leases, results=registry.results,
        code="1", registry=registry,
    )  # fmt: skip
    assert {row["visits"] for row in clinic.table(first)[-5:]} == {None}
    manifest = json.loads(clinic.artifacts.read(first.manifest))
    assert ("at" in manifest["objects"][-1]) == (window is not None)
    for number, entry in enumerate(manifest["objects"]):
        (tmp_path / str(number)).write_bytes(clinic.data.objects[entry["key"]])
    held = Artifact.model_validate(manifest["traffic_contract"])
    contract = Contract.model_validate_json(clinic.artifacts.read(held))
    artifacts = MemoryStore()
    artifacts.objects |= {key: body for key, body in clinic.artifacts.objects.items() if "/claim/" in key}
    again = collect(
        request, data=SourceFiles(tmp_path, manifest["objects"]), artifacts=artifacts, leases=NoLeases(),
        results=NoResults(), code="1", spelled_by=Pinned(contract, held, None),
    )  # fmt: skip
    assert again.manifest.sha256 == first.manifest.sha256
    assert [shard.sha256 for shard in again.shards] == [shard.sha256 for shard in first.shards]


def test_the_release_before_reads_a_run_of_this_one_and_its_listing_is_read(clinic: LiveModel) -> None:
    run = clinic.run("r2", **clinic.pipeline)
    assert "learns" not in CollectRequest(run=run).wire()["run"] and "change" not in run.model_dump()["trigger"]
    clinic.artifacts.put(
        run.key("collect", "listing.json"),
        json.dumps({"sources": {"main": [[JANUARY, "e", 7]]}, "corrections": []}).encode(),
    )
    inputs = pinned_inputs(run, clinic.artifacts)
    assert inputs is not None and inputs.traffic == [] and inputs.bytes == 7
