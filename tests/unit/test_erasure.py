"""An erasure: nothing of the person is left, the rest is, and a kill anywhere changes nothing about the end."""

from __future__ import annotations

import gzip
import hashlib
import json
import secrets
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import duckdb
import pytest

from cli.screens.erasures import receipt_text
from modelcycle.captured.manifest import Manifest
from modelcycle.compact import compact
from modelcycle.erase.traces import Traces
from modelcycle.erase.work import Tombstone, Work
from modelcycle.faults import Tampered
from modelcycle.messages import Artifact, CompactRequest, Wanted
from modelcycle.model.columns import Columns
from modelcycle.model.npz import from_npz
from modelcycle.model.scoring import Scores
from modelcycle.pseudonyms import pseudonym, pseudonym_key
from modelcycle.registry import ErasureRecord, Write, keys
from modelcycle.signing import read_signed, sign_version
from modelcycle.store import Store
from tests.erased_model import (
    AT,
    CITY,
    ERASURE,
    EXECUTION,
    MODEL,
    PERSON,
    RUN,
    ErasedModel,
    is_of_erasures,
    parquet,
    rows,
    text,
)
from tests.erased_model import graph as graph_of
from tests.fakes import MemoryKeys
from tests.versioned_store import Killed

PLAN = sys.modules["modelcycle.erase.plan_erasure"]  # the package exports a function of this name


@pytest.fixture(autouse=True, scope="module")
def few_batches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PLAN, "MAX_BATCHES", 2)
        patch.setattr(secrets, "token_hex", lambda size: "ab" * size)
        yield


@pytest.fixture(scope="module")
def erased(few_batches: None) -> ErasedModel:
    model = ErasedModel()
    before = model.found()
    assert len(before) > 20  # the test would see it
    model.ask(why="request 7")
    assert model.run()["state"] == "done"
    return model


def test_no_byte_of_the_person_is_left_anywhere(erased: ErasedModel) -> None:
    assert erased.found() == []


def test_the_bytes_of_all_other_rows_stay_as_they_were(erased: ErasedModel) -> None:
    others = [row for number, row in enumerate(rows()) if number not in (3, 9)]
    assert erased.data.everything()[f"raw/{MODEL}/people.csv"] == [text(others)]
    assert erased.data.everything()[f"raw/{MODEL}/others.csv"] == [text(rows()[10:])]
    listed = json.loads(erased.data.latest(f"raw/{MODEL}/list.json")[0])
    assert [one["person"] for one in listed] == [row[0] for row in others]


def test_old_versions_and_delete_markers_of_the_person_are_gone(erased: ErasedModel) -> None:
    assert f"raw/{MODEL}/gone.csv" not in erased.data.everything()
    old = {key for key, bodies in erased.everything().items() if len(bodies) > 1}
    assert not {key for key in old if not key.startswith("data/compacted/")}  # manifests, which hold no values


def test_test_rows_labels_and_scores_lose_the_same_rows_and_are_read_by_their_old_address(erased: ErasedModel) -> None:
    reference = erased.registry.versions.get(MODEL, 1).reference
    assert reference is not None and reference.recent is not None
    features = Columns.from_bytes(erased.artifacts.read(reference.features))
    assert features.values["person"].strings().tolist() == ["P-000004", "P-000014", "P-000019"]  # type: ignore[union-attr]
    labels = from_npz(erased.artifacts.read(reference.labels))
    assert labels["target"].tolist() == [0, 0, 0] and labels["values0"].tolist() == [0, 2, 3]
    scores = Scores.from_bytes(erased.artifacts.read(reference.scores))
    assert scores.scores[:, 0].tolist() == [0, 2, 3] and len(scores.groups["city"]) == 3
    recent = from_npz(erased.artifacts.read(reference.recent))
    assert (recent["positions"].tolist(), recent["recent"].tolist()) == ([0, 2], [True, True])


def test_other_tables_of_the_run_are_deleted_and_documents_keep_their_shape(erased: ErasedModel) -> None:
    left = {key.rpartition("/")[2] for key in erased.artifacts.everything() if f"/{RUN}/" in key}
    assert not left & {"rows-0000.parquet", "train.npz", "folds.npz", "model.skops"}
    profile = json.loads(erased.artifacts.read(erased.version.profile))
    column = profile["columns"][0]
    assert column["counts"] == [["Basel", 18], ["(erased)", 2]] and column["quantiles"] == [50.5, 55.5, 990000.0]
    graph = erased.artifacts.read(erased.version.onnx)
    was = graph_of(b"Basel", CITY.encode(), b"end")
    assert len(graph) == len(was) and [at for at in (b"\x05Basel", b"\x03end") if graph.count(at) != 1] == []


def test_the_manifest_of_an_hour_names_the_rewritten_objects(erased: ErasedModel) -> None:
    found = [key for key in erased.data.everything() if key.startswith("compacted/") and key.endswith("manifest.json")]
    manifest = Manifest.model_validate_json(erased.data.latest(found[0])[0])
    part = manifest.parts[0]
    body = erased.data.latest(f"{found[0].rpartition('/')[0]}/{part.name}")[0]
    assert hashlib.sha256(body).hexdigest() == part.sha256 and part.rows == part.answers == 8
    for key, etag in manifest.objects.items():
        assert hashlib.md5(erased.data.latest(key)[0]).hexdigest() == etag


def test_outcomes_that_name_only_a_prediction_of_the_person_are_gone(erased: ErasedModel) -> None:
    told = [
        json.loads(line)["prediction_id"] for line in erased.data.latest(f"feedback/{MODEL}/told.jsonl")[0].splitlines()
    ]
    assert "id-4" in told and not {"id-3", "id-9"} & set(told)


def test_the_manifest_of_scored_rows_has_their_new_hash(erased: ErasedModel) -> None:
    folder = f"scored/{MODEL}/may.csv/j"
    (file,) = json.loads(erased.data.latest(f"{folder}/manifest.json")[0])["results"]
    body = erased.data.latest(f"{folder}/results-00000.csv")[0]
    assert (file["sha256"], file["bytes"]) == (hashlib.sha256(body).hexdigest(), len(body))


def test_the_receipt_counts_and_names_nobody(erased: ErasedModel) -> None:
    receipt = erased.receipt()
    assert (receipt["rows"], receipt["subjects"], receipt["why"]) == (10, 1, "request 7")
    assert receipt["versions_that_learned"] == [1] and receipt["held"] == {}
    assert erased.registry.erasures.learned(MODEL)[1].erasures == [ERASURE]
    entry = erased.registry.audit.all(MODEL)[0]
    assert (entry.decision, entry.by) == ("erased", "ann")
    assert entry.evidence["receipt"]["sha256"] == erased.registry.erasures.all(MODEL)[0].receipt.sha256  # type: ignore[union-attr]
    left = [key for key in erased.artifacts.everything() if is_of_erasures(f"artifacts/{key}")]
    assert sorted(key.rpartition("/")[2] for key in left) == ["receipt.json", "tombstones.json"]


def test_every_tombstone_says_what_is_there_now(erased: ErasedModel) -> None:
    stones = json.loads(erased.artifacts.latest(f"{MODEL}/erasures/{ERASURE}/tombstones.json")[0])["erased"]
    everything = erased.everything()
    assert {stone["bucket"] for stone in stones} == {"data", "artifacts"}
    for stone in stones:
        bodies = everything.get(f"{stone['bucket']}/{stone['key']}", [])
        hashes = [hashlib.sha256(body or b"").hexdigest() for body in bodies]
        assert stone["was"] not in hashes
        assert (stone["now"] in hashes) if stone["now"] else not hashes or stone["key"].endswith(".parquet")


def test_the_lease_is_free_and_the_files_that_were_rewritten_start_no_run(erased: ErasedModel) -> None:
    assert erased.registry.leases.holder(MODEL).execution == ""
    key = f"raw/{MODEL}/people.csv"
    rewritten = erased.registry.erasures.rewritten(MODEL, "data", key)
    assert rewritten is not None and rewritten.etag == hashlib.md5(erased.data.latest(key)[0]).hexdigest()


def test_a_look_changes_nothing_and_counts() -> None:
    model = ErasedModel()
    model.ask()
    before = {key: bodies for key, bodies in model.everything().items() if not is_of_erasures(key)}
    assert model.run("find")["state"] == "found"
    assert before == {key: bodies for key, bodies in model.everything().items() if not is_of_erasures(key)}
    preview = json.loads(model.artifacts.latest(f"{MODEL}/erasures/{ERASURE}/preview.json")[0])
    assert preview["classes"]["uploads"] == {"objects": 6, "rows": 10, "old": 2}
    assert preview["classes"]["test rows of a version"]["rows"] == 1
    assert PERSON not in json.dumps(preview)


@pytest.mark.parametrize("subject", [{"person": "p-000077"}, {"person": "77"}, {"nobody": "x"}])
def test_somebody_who_is_not_there_is_told_and_nothing_changes(subject: dict[str, str]) -> None:
    model = ErasedModel()
    model.ask(subject)
    before = {key: bodies for key, bodies in model.everything().items() if not is_of_erasures(key)}
    model.run("find")
    preview = json.loads(model.artifacts.latest(f"{MODEL}/erasures/{ERASURE}/preview.json")[0])
    assert preview["objects"] == 0
    assert (preview["missing_columns"] == ["nobody"]) == ("nobody" in subject)
    assert bool(preview["alike"]) == (subject.get("person") == "p-000077")
    assert model.run()["rows"] == 0
    assert before == {key: bodies for key, bodies in model.everything().items() if not is_of_erasures(key)}


def test_more_rows_than_were_confirmed_are_refused_and_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PLAN, "MAX_UNASKED_ROWS", 5)
    model = ErasedModel()
    model.ask(rows=9)
    before = {key: bodies for key, bodies in model.everything().items() if not is_of_erasures(key)}
    ended = model.run()
    assert ended["state"] == "refused" and "--rows 10" in ended["reason"]
    assert before == {key: bodies for key, bodies in model.everything().items() if not is_of_erasures(key)}
    assert model.registry.leases.holder(MODEL).execution == ""
    model.ask(rows=10)
    assert model.run()["state"] == "done"


def killed_at(write: int) -> ErasedModel:
    """Kill an erasure at a write, then start it again, until it ends."""
    model = ErasedModel()
    model.ask(why="request 7")
    model.kill.writes, model.kill.at = 0, write
    try:
        model.run()
        assert model.kill.writes < write
    except Killed:
        pass
    model.kill.at = 0
    assert model.run(execution=f"{EXECUTION}-again")["state"] == "done"
    return model


POINTS = [3, 23, 45, 62, 84, 106, 128, 150, 172, 189]


@pytest.mark.parametrize(
    "write", [point if point in (62, 128) else pytest.param(point, marks=pytest.mark.delivery) for point in POINTS]
)
def test_killed_anywhere_and_started_again_it_ends_the_same(erased: ErasedModel, write: int) -> None:
    model = killed_at(write)
    assert model.found() == []
    assert model.everything() == erased.everything()
    assert model.registry.erasures.learned(MODEL).keys() == {1}


def test_test_rows_without_the_column_are_found_by_their_snapshot() -> None:
    model = ErasedModel(drops_id=True)
    model.ask()
    assert model.run()["state"] == "done" and model.found() == []
    reference = model.version.reference
    assert reference is not None
    assert from_npz(model.artifacts.read(reference.labels))["values0"].tolist() == [0, 2, 3]
    assert model.receipt()["held"] == {}


class Keys:
    """Makes the same HMAC of the same message, as KMS does."""

    makes_macs, signs = True, False

    def mac(self, message: bytes) -> bytes:
        return hashlib.sha256(message).digest()


def test_rows_that_know_only_the_pseudonym_are_found() -> None:
    model = ErasedModel()
    model.keys = Keys()
    name = pseudonym(pseudonym_key(model.keys, MODEL), PERSON)
    body = f"person,age\n{name},39\nP-1,40\n".encode()
    model.data.upload(f"landed/{MODEL}/main/2026/03/04/12/a.csv", body)
    model.ask()
    assert model.run()["state"] == "done"
    assert model.data.latest(f"landed/{MODEL}/main/2026/03/04/12/a.csv")[0] == b"person,age\nP-1,40\n"


def test_a_signed_version_is_read_as_the_erasure_has_left_it_because_the_erasure_signs_that() -> None:
    model, signing = ErasedModel(), MemoryKeys()
    version, store = model.version, cast(Store, model.artifacts)
    version = version.model_copy(update={"bundle": sign_version(version, store, signing)})
    model.keys = signing
    model.ask()
    assert model.run()["state"] == "done"
    for artifact in (version.onnx, version.card):
        assert hashlib.sha256(read_signed(version, artifact, store, signing)).hexdigest() != artifact.sha256
        with pytest.raises(Tampered, match="no erasure has signed that"):
            read_signed(version, artifact, store, MemoryKeys())


def asked_before(model: ErasedModel, erasure: str, *subjects: dict[str, str]) -> None:
    """Leave a look that nobody confirmed, with the person's rows."""
    folder = f"_erasing/model={MODEL}/{erasure}/"
    wanted = Wanted(model=MODEL, subjects=list(subjects), asked_at=AT)
    model.artifacts.upload(f"{folder}request.json", wanted.model_dump_json(by_alias=True).encode())
    model.artifacts.upload(f"{folder}known.json", PERSON.encode())


def test_the_end_of_an_erasure_takes_earlier_looks_for_the_same_people_with_it() -> None:
    model = ErasedModel()
    asked_before(model, "e-0", {"person": PERSON})
    asked_before(model, "e-2", {"person": f" {PERSON}", "city": CITY})
    asked_before(model, "e-3", {"person": PERSON}, {"person": "P-000005"})
    stone = Tombstone(bucket="data", key="raw/m/x.jsonl", was="a" * 64, now=None)
    Work(model.artifacts, MODEL, "e-0").keep_tombstones([stone])  # type: ignore[arg-type]
    model.ask()
    assert model.run()["state"] == "done"
    left = {key.split("/")[2] for key in model.artifacts.everything() if key.startswith("_erasing/")}
    assert left == {"e-3"}  # it is about somebody else too
    stones = json.loads(model.artifacts.latest(f"{MODEL}/erasures/{ERASURE}/tombstones.json")[0])["erased"]
    assert stone.model_dump() in stones


def test_a_look_that_is_forgotten_leaves_nothing_that_names_the_person() -> None:
    model = ErasedModel()
    model.ask()
    model.run("find")
    assert any(key.startswith("_erasing/") for key in model.artifacts.everything())
    assert model.run("forget")["state"] == "forgotten"
    assert not any(key.startswith("_erasing/") for key in model.artifacts.everything())
    model.ask()
    model.registry.erasures.begin(MODEL, ErasureRecord(erasure=ERASURE, asked_at=AT))
    assert model.run("forget")["state"] == "failed"  # it may have changed something
    assert any(key.startswith("_erasing/") for key in model.artifacts.everything())


def test_compacted_files_that_no_manifest_names_are_looked_through() -> None:
    model = ErasedModel()
    folder = f"compacted/model={MODEL}/2026/03/04"
    manifest = Manifest.model_validate_json(model.data.latest(f"{folder}/12/manifest.json")[0])
    body, _ = model.data.latest(f"{folder}/12/{manifest.parts[0].name}")
    raced, killed, cut = (
        f"{folder}/12/part-raced.parquet",
        f"{folder}/09/part-killed.parquet",
        f"{folder}/12/cut.parquet",
    )
    model.data.upload(raced, body)
    model.data.upload(killed, body)
    model.data.upload(cut, body[: len(body) // 2])
    assert model.found_in(raced, killed) == [raced, killed]
    model.ask()
    assert model.run()["state"] == "done"
    assert model.found_in(raced, killed) == []
    assert cut in "".join(model.receipt()["unread"])
    # a compaction that was about to name a file finds it, and its readers the new hash
    was = Artifact(uri=f"s3://data/{raced}", sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))
    assert len(model.data.read(was)) > 0


def test_answers_in_which_the_column_is_masked_are_counted_and_what_is_on_its_way_is_named() -> None:
    model = ErasedModel()
    line = {
        "prediction_id": "id-90", "at": AT.isoformat(), "model": MODEL, "version": 1, "ms": 1.5, "of": 1,
        "prediction": "no", "masked": ["person"], "instance": {"person": "(masked)", "city": "Basel"},
    }  # fmt: skip
    other = line | {"prediction_id": "id-91", "masked": ["city"], "instance": {"person": "P-1", "city": "(masked)"}}
    shown = line | {"prediction_id": "id-92", "instance": {"person": "(masked)"}, "masked": []}
    body = "".join(json.dumps(one) + "\n" for one in (line, other, shown)).encode()
    model.data.upload(f"captures/model={MODEL}/2026/03/05/01/a.gz", gzip.compress(body, mtime=0))
    compact(CompactRequest(model=MODEL, at=AT + timedelta(days=1)), data=model.data)  # type: ignore[arg-type]
    model.data.upload(f"captures/model={MODEL}/2026/03/06/01/b.gz", gzip.compress(body * 2, mtime=0))  # not compacted
    model.ask()
    assert model.run()["state"] == "done"
    receipt = model.receipt()
    assert receipt["masked"] == 3
    assert "3 captured answers, in which the column is masked" in receipt_text(MODEL, receipt)
    told = "\n".join(receipt["kept_elsewhere"])
    assert all(words in told for words in ("shortly before the end", "in a stream", "scoring job", "Undelivered"))


def test_a_broken_upload_is_told_and_the_rest_is_erased() -> None:
    model = ErasedModel()
    whole, _ = model.data.latest(f"raw/{MODEL}/table.parquet")
    model.data.upload(f"raw/{MODEL}/cut.parquet", whole[: len(whole) // 2])
    model.data.upload(f"raw/{MODEL}/foot.parquet", whole[:40] + b"\0" * 40 + whole[80:])
    model.ask()
    assert model.run()["state"] == "done"
    told = {*model.receipt()["unread"], *model.receipt()["held"]}
    assert told == {f"data/raw/{MODEL}/cut.parquet", f"data/raw/{MODEL}/foot.parquet"}
    others = [row for number, row in enumerate(rows()) if number not in (3, 9)]
    assert model.data.latest(f"raw/{MODEL}/people.csv")[0] == text(others)


def test_an_object_that_is_named_after_the_person_is_told() -> None:
    model = ErasedModel()
    model.data.upload(f"raw/{MODEL}/{PERSON}.csv", b"person,left\nP-1,no\n")
    model.ask()
    assert model.run()["state"] == "done"
    (told,) = model.receipt()["held"]
    version = next(one.version for one in model.data.versions(f"raw/{MODEL}/{PERSON}.csv"))
    assert told.startswith(f"data/raw/{MODEL}/ (object 1, version {version}")
    assert model.found() == [f"data/raw/{MODEL}/{PERSON}.csv"]  # nor does the receipt name it


def test_a_number_in_the_name_of_an_object_is_noticed() -> None:
    model = ErasedModel()
    model.data.upload(f"raw/{MODEL}/of_4711.csv", b"person,left\n4711,no\nP-1,no\n")
    model.ask({"person": "4711"})
    assert model.run()["state"] == "done"
    (told,) = model.receipt()["held"]
    assert "4711" not in told and "its name holds a value" in told
    assert model.data.latest(f"raw/{MODEL}/of_4711.csv")[0] == b"person,left\nP-1,no\n"


def test_a_person_elsewhere_keeps_the_city_that_others_share() -> None:
    model = ErasedModel()
    model.ask({"person": "P-000005"})
    assert model.run()["state"] == "done"
    profile = json.loads(model.artifacts.read(model.version.profile))
    assert profile["columns"][0]["counts"] == [["Basel", 18], [CITY, 2]]


def test_on_a_quiet_model_only_what_was_sent_is_theirs() -> None:
    model = ErasedModel()
    for number in range(3):
        line = {
            "prediction_id": f"q-{number}", "model": MODEL, "at": "2026-03-04T13:00:00Z", "version": 1,
            "prediction": "staying", "instance": {"person": PERSON, "city": "Basel", "name": "leaving"},
        }  # fmt: skip
        model.data.upload(f"captures/model={MODEL}/2026/03/05/0{number}/a.gz", json.dumps(line).encode())
    model.ask()
    before = model.artifacts.read(model.version.onnx)
    assert model.run()["state"] == "done" and model.found() == []
    receipt = model.receipt()
    assert receipt["held"] == {} and receipt["classes"]["captured answers"]["rows"] == 5
    profile = json.loads(model.artifacts.read(model.version.profile))
    assert profile["columns"][0]["counts"][0] == ["Basel", 18]
    assert b"Basel" in model.artifacts.read(model.version.onnx) and model.artifacts.read(model.version.onnx) != before


def test_names_of_the_model_its_columns_and_classes_are_nobodys() -> None:
    found = Traces.of({"c": ["churn", "Cast", "leaving", "Zoe"]}, {}, (), [{"id": "churn"}], {"churn", "leaving"})
    assert found.texts == {"Cast", "Zoe"}


def test_an_object_with_a_telling_name_loses_its_rows() -> None:
    model = ErasedModel()
    key = f"raw/{MODEL}/{PERSON}.csv"
    model.data.upload(key, f"person,left\n{PERSON},no\nP-1,no\n".encode())
    model.ask()
    assert model.run()["state"] == "done"
    assert model.data.latest(key)[0] == b"person,left\nP-1,no\n"
    (told,) = model.receipt()["held"]
    assert told.startswith(f"data/raw/{MODEL}/ (object 1") and PERSON not in told


def test_of_kept_back_cells_only_those_of_the_id_go_and_doubtful_lines_are_told() -> None:
    model = ErasedModel()
    step = f"{MODEL}/runs/{RUN}"
    cells = [["1", "person", "x", "7.0"], ["2", "income", "x", "7"], ["3", "city", "x", "of Josephine"],
             ["4", "city", "x", "Jose\u0301, here"]]  # fmt: skip
    model.artifacts.put(f"{step}/collect/quarantine.parquet", parquet(["row", "text"], [["1", "7;x;y"], ["2", "77;x"]]))
    key = f"{step}/preprocess/more/quarantine.parquet"
    model.artifacts.put(key, parquet(["row", "column", "reason", "text"], cells))
    model.data.upload(f"raw/{MODEL}/seven.csv", "person,city\n7,Jos\u00e9\n8,Basel\n".encode())
    model.ask({"person": "7"})
    assert model.run()["state"] == "done"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        path.write_bytes(model.artifacts.latest(key)[0])
        assert [row for (row,) in duckdb.sql(f"SELECT row FROM '{path}'").fetchall()] == ["2", "3"]
    assert list(model.receipt()["held"]) == [f"artifacts/{step}/collect/quarantine.parquet"]


def test_an_erasure_waits_for_a_run_and_a_run_for_an_erasure() -> None:
    model = ErasedModel()
    model.ask()
    leases = model.registry.leases
    assert leases.hold(MODEL, "r9", "arn:run", lambda execution: False) is None
    event = {"model": MODEL, "erasure": ERASURE, "mode": "erase", "execution": EXECUTION}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.erased_model.Flows.is_running", lambda self, execution: execution == "arn:run")
        waits = model.task("${PlanErasure}", event)
    assert (waits["phase"], waits["why"]) == ("wait", "r9 has the model")
    assert model.registry.erasures.all(MODEL) == []
    assert model.task("${PlanErasure}", event)["phase"] == "find"  # the run has died
    assert leases.hold(MODEL, "r10", "arn:other", lambda execution: execution == EXECUTION) == ERASURE


def test_uploads_that_arrive_meanwhile_start_a_run_and_the_erasures_own_do_not() -> None:
    model = ErasedModel()
    leases, table = model.registry.leases, model.table
    leases.hold(MODEL, ERASURE, EXECUTION, lambda execution: False)
    record = table.get(*keys.lease(MODEL))
    assert record is not None
    folded = {"raw/m/people.csv": "mine", "raw/m/new.csv": "theirs"}
    table.write(Write(*record.key, record.body | {"folded": folded}, record.revision))
    assert leases.release(MODEL, EXECUTION, [("raw/m/people.csv", "mine")]) == 1
    assert leases.release(MODEL, EXECUTION, []) == 0 and leases.holder(MODEL).folded == {}
    events = [write.body["kind"] for write in table.written if write.kind == "event"]
    assert events.count("ArrivalsFolded") == 1
