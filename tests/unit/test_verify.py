"""`verify` names everything that was changed, removed, added or put elsewhere, and is silent about what was not."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends

from cli.screens.verified import verified_text
from cli.verification import captures, objects, records, seals, unnamed
from cli.verification.older import Bounds
from modelcycle.captured.manifest import Manifest, manifest_key
from modelcycle.faults import Unknown
from modelcycle.registry import Entry, Write, keys
from modelcycle.registry.audit import CHAINED
from modelcycle.registry.chain import ADOPTED, digest, entry_hash, name_of_record
from modelcycle.seal import read_seal, seal_key
from modelcycle.spec.serving import Capture
from modelcycle.store import put_json
from tests.fakes import MemoryKeys
from tests.kept_world import (
    BUCKETS,
    MODEL,
    RUNS,
    Item,
    World,
    as_json,
    flipped,
    flipped_item,
    made_world,
    rewrite,
    summed,
    where,
)

FLIPS = 200
AT_ONCE = 50
SECOND = keys.audit_entry(MODEL, keys.decision_in_run("20260302T000000000-aaaa", "govern"))


@pytest.fixture(scope="module")
def kept() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        # more threads only make moto slower
        for module in (objects, captures, seals, unnamed):
            patch.setattr(module, "MAX_READS", 1)
        patch.setattr(records, "MAX_QUERIES", 1)
        with mock_aws():
            yield made_world()


@pytest.fixture
def world(kept: World) -> Iterator[World]:
    """The world, with what a test changes in it put back afterwards."""
    table = dynamodb_backends["123456789012"]["us-east-1"].tables["registry"]
    items = {pk: dict(rows) for pk, rows in table.items.items()}
    bodies = {id(one): (one, one.value) for one in kept.stored()}
    yield kept
    table.items.clear()
    table.items.update(items)
    for one, body in bodies.values():
        rewrite(one, body)
    for bucket in BUCKETS.values():
        versions = kept.place.s3.list_object_versions(Bucket=bucket)
        known = {(one.name, one.version_id) for one, _ in bodies.values() if one.bucket_name == bucket}
        for made in [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]:
            if (made["Key"], made["VersionId"]) not in known:
                kept.place.s3.delete_object(Bucket=bucket, Key=made["Key"], VersionId=made["VersionId"])


def test_it_is_silent_about_what_is_as_it_was_written(world: World) -> None:
    found = world.verify()
    assert found.faults == [] and found.counts["entries"] == 9 * RUNS and found.counts["seals"] == 3
    assert verified_text(MODEL, None, found).startswith(f"m: verified: {9 * RUNS} entries, ")
    assert [count for count in ("older", "unread", "unsigned", "erased") if found.counts[count]] == []


def test_each_of_200_flipped_bytes_is_named(world: World) -> None:
    chance = random.Random(20260310)
    flips: list[Flip] = [ItemFlip(world, item) for item in world.items()]
    flips += [ObjectFlip(one) for one in world.stored()]
    chosen = [*chance.sample(flips, min(FLIPS, len(flips))), *chance.choices(flips, k=max(0, FLIPS - len(flips)))]
    for start in range(0, FLIPS, AT_ONCE):
        batch = {id(flip): flip for flip in chosen[start : start + AT_ONCE]}.values()
        for flip in batch:
            flip.make(chance)
        named = world.faults()
        for flip in batch:
            flip.undo()
        for flip in batch:  # a list of objects that is broken itself hides what it names
            if not flip.is_in(named):
                flip.make(chance)
                assert flip.is_in(world.faults()), flip.where
                flip.undo()
    assert world.faults() == {}


class Flip:
    """One byte or character that is changed, and changed back."""

    where: str

    def make(self, chance: random.Random) -> None: ...
    def undo(self) -> None: ...

    def is_in(self, faults: dict[str, str]) -> bool:
        return any(place.startswith(self.where) for place in faults)


class ItemFlip(Flip):
    def __init__(self, world: World, item: Item) -> None:
        self.world, self.item = world, item
        self.where = f"{item['pk']['S']}|{item['sk']['S']}"

    def make(self, chance: random.Random) -> None:
        self.world.put(flipped_item(self.item, chance))

    def undo(self) -> None:
        self.world.put(self.item)


class ObjectFlip(Flip):
    def __init__(self, stored: Any) -> None:
        self.stored, self.body, self.where = stored, stored.value, where(stored)

    def make(self, chance: random.Random) -> None:
        rewrite(self.stored, flipped(self.body, chance))

    def undo(self) -> None:
        rewrite(self.stored, self.body)


# records whose checksum was repaired


def test_a_changed_state_is_found_by_the_entry_that_wrote_it(world: World) -> None:
    world.forge(keys.state(MODEL, 1), state="live")
    ((place, what),) = world.faults().items()
    assert place == "STATE#m|STATE#00000001" and "was changed since entry" in what


def test_governed_records_that_are_gone_are_named(world: World) -> None:
    gone = [keys.version(MODEL, 2), keys.route(MODEL), keys.move(MODEL, 3), keys.run(MODEL, "20260301T000000000-aaaa")]
    for key in gone:
        world.delete(key)
    faults = world.faults()
    assert all("the record is gone" in faults[f"{key.pk}|{key.sk}"] for key in gone)


def test_a_governed_record_that_no_decision_wrote_is_named(world: World) -> None:
    world.registry.table.write(Write(*keys.state(MODEL, 99), {"state": "live"}))
    assert world.faults() == {"STATE#m|STATE#00000099": "no entry of the audit trail wrote the record"}


def test_a_governed_record_cannot_be_added_as_if_it_were_from_before_checksums(world: World) -> None:
    added = [
        keys.approval(MODEL, 1), keys.version(MODEL, RUNS + 1), keys.state(MODEL, RUNS + 1), keys.move(MODEL, 99),
        keys.judgement(MODEL, "r", 1, 99), keys.run(MODEL, "20990101T000000000-aaaa"), keys.run(MODEL, "x"),
        keys.retraining_decision(MODEL, datetime(2099, 1, 1, tzinfo=UTC), "q"),
    ]  # fmt: skip
    for key in added:
        world.put(_without_sum(key))
    assert {
        name for name, what in world.faults().items() if what == "no entry of the audit trail wrote the record"
    } == {f"{key.pk}|{key.sk}" for key in added}


def test_governed_records_from_before_checksums_are_no_fault(world: World) -> None:
    vouched = [keys.version("m", 3), keys.move("m", 5), keys.state("m", 9), keys.judgement("m", "r", 1, 9)]
    begun = Bounds([f"{key.pk}|{key.sk}" for key in vouched], datetime.now(UTC))
    older = [
        keys.version("m", 2), keys.state("m", 2), keys.move("m", 4), keys.judgement("m", "r", 1, 4),
        keys.latest_version("m"), keys.content("m", "c"), keys.run("m", "20250101T000000000-a"),
        keys.retraining_decision("m", datetime(2025, 1, 1, tzinfo=UTC), "q"), keys.retraining_request("m", "q"),
    ]  # fmt: skip
    names = {f"{key.pk}|{key.sk}" for key in older}
    assert begun.older(names, names) == names == Bounds([], None).older(names, names)
    assert begun.older({"ROUTE#m|MOVE#00000007", "VERSION#m|VERSION#00000004"}, names) == set()


DECIDED = datetime(2025, 1, 1, tzinfo=UTC)
ANSWER = {"request_id": "q", "at": DECIDED.isoformat(), "decision": "refused"}


def test_an_older_claim_is_no_fault_if_another_record_bears_it_out(world: World) -> None:
    version = as_json(world.item(keys.version(MODEL, 2)))
    hashes = " ".join(version[name]["sha256"] for name in ("onnx", "signature", "profile"))
    capture = Capture.model_validate(version["capture"]).model_dump_json()  # as `register` writes it
    for content in (hashes, f"{hashes} {capture}"):
        claim = keys.content(MODEL, hashlib.sha256(content.encode()).hexdigest())
        if world.registry.table.get(*claim) is None:
            world.put(_without_sum(claim, {"version": 2}))
    world.put(_without_sum(keys.retraining_decision(MODEL, DECIDED, "q"), ANSWER))
    world.put(_without_sum(keys.retraining_request(MODEL, "q"), ANSWER))
    assert world.faults() == {}


@pytest.mark.parametrize(("key", "body"), [
    (keys.content(MODEL, "c" * 64), {"version": 2}),  # another content as a version that exists
    (keys.content(MODEL, "c" * 64), {"version": RUNS + 1}),
    (keys.content(MODEL, "c" * 64), {"version": "two"}),
    (keys.content(MODEL, "c" * 64), {}),
    (keys.retraining_request(MODEL, "q"), ANSWER | {"decision": "started"}),
    (keys.retraining_request(MODEL, "r"), ANSWER),  # answers another request
    (keys.retraining_request(MODEL, "r"), ANSWER | {"request_id": "r"}),  # no such decision
    (keys.retraining_request(MODEL, "r"), ANSWER | {"at": "long ago"}),
])  # fmt: skip
def test_an_older_claim_that_no_other_record_bears_out_is_named(
    world: World, key: keys.Key, body: dict[str, Any]
) -> None:
    world.put(_without_sum(keys.retraining_decision(MODEL, DECIDED, "q"), ANSWER))
    world.put(_without_sum(key, body))
    assert world.faults() == {name_of_record(key): "no entry of the audit trail wrote the record"}


def test_a_record_that_names_an_object_elsewhere_is_named(world: World) -> None:
    foreign = {"uri": "s3://somewhere-else/x", "sha256": "0" * 64, "bytes": 1}
    world.registry.results.keep(MODEL, "collect", "foreign", {"manifest": foreign})
    assert "outside the stack's buckets" in world.faults()["RESULT#collect#m|foreign"]


def test_a_judgement_that_is_not_decided_yet_may_change(world: World) -> None:
    assert any(as_json(item).get("judged", {}).get("verdict") == "proceed" for item in world.items())
    record = world.registry.table.query("EVIDENCE#m")[0]
    key = keys.judgement(MODEL, "r", 9, 9)
    world.registry.table.write(Write(*key, record.body | {"judged": record.body["judged"] | {"verdict": "hold"}}))
    assert world.faults() == {}


def test_records_that_make_no_sense_any_more_are_named_and_stop_nothing(world: World) -> None:
    world.forge(keys.version(MODEL, 1), onnx={"uri": 7, "sha256": None, "bytes": "many"}, version="x")
    world.forge(SECOND, records=[1], until="never", number="two", evidence=[], hash=7)
    world.forge(keys.audit_head(MODEL), number=None)
    judgement = next(item for item in world.items() if item["pk"]["S"].startswith("EVIDENCE"))
    world.forge(keys.Key(judgement["pk"]["S"], judgement["sk"]["S"]), judged="yes")
    named = world.faults()
    for key in (keys.version(MODEL, 1), SECOND, keys.audit_head(MODEL)):
        assert f"{key.pk}|{key.sk}" in named


@pytest.mark.parametrize("artifact", [
    {"uri": "s3://artifacts/m/x", "sha256": "0" * 64, "bytes": 1.345},
    {"uri": "s3://artifacts/", "sha256": "0" * 64, "bytes": 1},
    {"uri": "s3://artifacts/m/" + "x" * 2000, "sha256": "0" * 64, "bytes": 1},
])  # fmt: skip
def test_an_address_that_is_none_is_named_with_its_record(world: World, artifact: dict[str, Any]) -> None:
    world.registry.results.keep(MODEL, "collect", "odd", {"manifest": artifact})
    world.forge(keys.version(MODEL, 1), bundle=artifact | {"sha256": "1" * 64})
    assert {"RESULT#collect#m|odd", "VERSION#m|VERSION#00000001"} <= world.faults().keys()


def test_records_of_other_types_than_the_registry_writes_are_named_and_stop_nothing(world: World) -> None:
    state, version = keys.state(MODEL, 1), keys.version(MODEL, 1)
    world.put(world.item(state) | {"body": {"B": b"{}"}, "sum": {"B": b""}})
    world.put(world.item(version) | {"body": {"S": "[" * 100_000}})
    assert {"STATE#m|STATE#00000001", "VERSION#m|VERSION#00000001"} <= world.faults().keys()


def test_an_erasure_that_makes_no_sense_is_named_and_stops_nothing(world: World) -> None:
    for number, content in enumerate(({"erased": [{"bucket": "artifacts"}]}, ["erased"], {"erased": 7})):
        stones = put_json(world.artifacts, f"m/erasures/{number}/tombstones.json", content)
        entry = Entry(subject="e", decision="erased", by="a", evidence={"tombstones": stones.model_dump()})
        world.registry.audit.add(MODEL, f"ERASE#{number}", entry)
    world.forge(keys.audit_entry(MODEL, "ERASE#0"), number="two", until={"STATE#m|STATE#00000001": "never"})
    world.delete(keys.state(MODEL, 1))
    faults = world.faults()
    assert {f"s3://artifacts/m/erasures/{number}/tombstones.json" for number in range(3)} <= faults.keys()
    assert {"AUDIT#m|AUDIT#ERASE#0", "STATE#m|STATE#00000001"} <= faults.keys()


# the chain


def test_an_entry_whose_own_hash_was_repaired_breaks_the_next_one(world: World) -> None:
    number = as_json(world.item(SECOND))["number"]
    _rewrite(world, SECOND, why="otherwise")
    faults = world.faults()
    assert [what for what in faults.values() if f"does not follow entry {number}" in what]


def test_an_entry_that_was_taken_out_is_named_by_its_number(world: World) -> None:
    number = as_json(world.item(SECOND))["number"]
    world.delete(SECOND)
    assert "the numbers have a gap" in world.faults()[f"AUDIT#m entry {number}"]


def test_entries_that_changed_places_are_named(world: World) -> None:
    third = keys.audit_entry(MODEL, keys.decision_in_run("20260303T000000000-aaaa", "govern"))
    one, other = world.item(SECOND), world.item(third)
    world.put(summed(one, as_json(other)))
    world.put(summed(other, as_json(one)))
    assert {f"{key.pk}|{key.sk}" for key in (SECOND, third)} <= world.faults().keys()


def test_an_end_that_was_cut_off_is_found_by_the_head(world: World) -> None:
    world.delete(_last(world))
    assert f"AUDIT#m entry {9 * RUNS}" in world.faults()


def test_an_end_that_was_cut_off_with_its_head_is_found_by_the_seals(world: World) -> None:
    last = as_json(world.item(_last(world)))
    world.delete(_last(world))
    world.forge(keys.audit_head(MODEL), number=last["number"] - 1, hash=last["previous"])
    assert "seals/2026/03/09.json knows it" in world.faults()[f"AUDIT#m entry {last['number']}"]


def test_a_whole_chain_that_was_written_anew_is_found_by_the_seals(world: World) -> None:
    entries = sorted(world.registry.table.query(*keys.audit_entries(MODEL)), key=lambda one: one.body["number"])
    previous = entries[0].body["previous"]
    for entry in entries:
        body = entry.body | {"previous": previous, "by": "somebody else"}
        previous = body["hash"] = entry_hash(body)
        world.put(summed(world.item(entry.key), body))
    world.forge(keys.audit_head(MODEL), hash=previous)
    assert set(world.faults()) == {f"AUDIT#m entry {9 * RUNS}"}


def test_entries_from_before_the_chain_cannot_be_changed_once_it_has_begun(world: World) -> None:
    old = Entry(subject="run r", decision="passed", by="p").model_dump(mode="json", include={"at", "subject", "by"})
    world.registry.table.write(Write("AUDIT#m", "AUDIT#RUN#older#govern", old))
    assert "AUDIT#m entries from before the chain" in world.faults()


def test_what_an_earlier_release_wrote_after_the_chain_began_is_a_fault_until_it_is_taken_in(world: World) -> None:
    old = Entry(subject="run r", decision="passed", by="p").model_dump(mode="json", exclude=CHAINED)
    key = keys.audit_entry(MODEL, "RUN#late#govern")
    world.registry.table.write(Write(*key, old))
    run = keys.run(MODEL, f"{datetime.now(UTC):%Y%m%dT%H%M%S}000-aaaa")
    world.put(_without_sum(run))
    assert {"AUDIT#m entries from before the chain", f"{run.pk}|{run.sk}"} == world.faults().keys()
    assert world.registry.audit.adopt(MODEL) == 0, "the model is younger than the chain: no earlier release has it"
    taken_in = Entry(
        subject="the audit trail",
        decision=ADOPTED,
        by="modelcycle",
        evidence={ADOPTED: {key.sk: digest(as_json(world.item(key)))}},
    )
    world.registry.audit.add(MODEL, keys.decision_to_adopt("x"), taken_in)
    found = world.verify()
    assert found.faults == [] and any("AUDIT#RUN#late#govern: make sure" in note for note in found.notes)
    world.forge(key, by="somebody else")
    assert "was changed since entry" in world.faults()[f"{key.pk}|{key.sk}"]
    world.delete(key)
    assert "is gone; entry" in world.faults()[f"{key.pk}|{key.sk}"]


@pytest.mark.parametrize("number", [0, -3, "two", None])
def test_an_entry_beside_the_chain_is_named_and_vouches_for_nothing(world: World, number: Any) -> None:
    body = as_json(world.item(SECOND)) | {"number": number, "name": "x", "records": {"STATE#m|STATE#00000099": "0"}}
    entry = Write(*keys.audit_entry(MODEL, "x"), body | {"hash": entry_hash(body)})
    world.registry.table.write(entry, Write(*keys.state(MODEL, 99), {"state": "live"}))
    assert {"AUDIT#m|AUDIT#x", "STATE#m|STATE#00000099"} == world.faults().keys()


# objects


def test_an_object_that_is_gone_is_named_with_what_names_it(world: World) -> None:
    key = "m/runs/20260301T000000000-aaaa/train/card"
    world.place.s3.delete_object(Bucket="artifacts", Key=key)
    assert "the object is gone" in world.faults()[f"s3://artifacts/{key}"]


def test_a_source_file_may_be_replaced_but_not_its_recorded_version(world: World) -> None:
    world.place.s3.put_object(Bucket="data", Key="raw/m/1.csv", Body=b"a,b\n7,7\n")
    assert world.faults() == {}
    stored = min((one for one in world.stored() if one.name == "raw/m/1.csv"), key=lambda one: one.last_modified)
    rewrite(stored, b"a,b\n9,9\n")
    assert [place.partition(" (version")[0] for place in world.faults()] == ["s3://data/raw/m/1.csv"]


def test_captures_that_the_bucket_has_deleted_by_itself_are_no_fault(world: World) -> None:
    part = next(one for one in world.stored() if one.name.endswith(".parquet"))
    world.place.s3.delete_object(Bucket="data", Key=part.name)
    found = world.verify()
    assert (found.faults, found.counts["expired"]) == ([], 1)


def test_bytes_that_s3_itself_finds_changed_are_named(world: World) -> None:
    for stored in (world.stored()[0], world.stored()[-1]):
        stored.value = flipped(stored.value, random.Random(1))
        assert where(stored) in " ".join(world.faults())


def test_objects_that_this_person_may_not_read_are_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    get_object = world.place.s3.get_object

    def denied(**request: Any) -> Any:
        if request["Key"].endswith("/skops"):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "GetObject")
        return get_object(**request)

    monkeypatch.setattr(world.place.s3, "get_object", denied)
    found = world.verify()
    assert (found.faults, found.counts["unread"]) == ([], RUNS)
    assert any("you may not read objects in m/runs/" in note for note in found.notes)


def test_one_version_is_verified_by_itself(world: World) -> None:
    (broken,) = (one for one in world.stored() if one.name == "m/runs/20260301T000000000-aaaa/train/onnx")
    rewrite(broken, b"other")
    assert world.verify(2).faults == [] and [fault.where for fault in world.verify(1).faults] == [where(broken)]
    assert world.verify(2).counts["objects"] < world.verify().counts["objects"] / 2
    with pytest.raises(Unknown, match="has no version 99"):
        world.verify(99)


def test_a_version_whose_signature_was_taken_away_or_is_another_ones_is_named(world: World) -> None:
    first, second = keys.version(MODEL, 1), keys.version(MODEL, 2)
    assert world.verify().counts["signed"] == RUNS
    world.forge(first, bundle=None)
    world.forge(second, bundle=as_json(world.item(keys.version(MODEL, 3)))["bundle"])
    told = [fault.where for fault in world.verify().faults if "is not loaded" in fault.what]
    assert told == [f"{key.pk}|{key.sk}" for key in (first, second)]


# erasures


def test_what_an_erasure_replaced_or_removed_is_checked_against_its_tombstones(world: World) -> None:
    onnx, card = (f"m/runs/20260301T000000000-aaaa/train/{name}" for name in ("onnx", "card"))
    bodies = {key: world.artifacts.latest(key)[0] for key in (onnx, card)}
    now = hashlib.sha256(b"without the person").hexdigest()
    erased = [
        {"bucket": "artifacts", "key": onnx, "was": hashlib.sha256(bodies[onnx]).hexdigest(), "now": now},
        {"bucket": "artifacts", "key": card, "was": hashlib.sha256(bodies[card]).hexdigest(), "now": None},
    ]
    tombstones = put_json(world.artifacts, "m/erasures/1/tombstones.json", {"schema": 1, "erased": erased})
    receipt = put_json(world.artifacts, "m/erasures/1/receipt.json", {"erased": {"rows": 1}})
    entry = Entry(
        subject="e",
        decision="erased",
        by="ann",
        evidence={"tombstones": tombstones.model_dump(), "receipt": receipt.model_dump()},
    )
    world.registry.audit.add(MODEL, "ERASURE#1", entry)
    before = world.faults()
    world.overwrite("artifacts", onnx, b"without the person")
    world.place.s3.delete_object(Bucket="artifacts", Key=card)
    was = hashlib.sha256(bodies[onnx]).hexdigest()
    world.registry.erasures.rewrite(MODEL, "artifacts", onnx, was, now, 18)
    after, counts = world.faults(), world.verify().counts
    other = hashlib.sha256(b"something else").hexdigest()
    world.overwrite("artifacts", onnx, b"something else")
    world.registry.erasures.rewrite(MODEL, "artifacts", onnx, was, other, 14)  # readers would believe it
    changed = world.faults()
    assert set(before) == {f"s3://artifacts/{onnx}", f"s3://artifacts/{card}"}
    assert (after, counts["erased"]) == ({}, 2)
    assert "after an erasure" in changed[f"s3://artifacts/{onnx}"]
    assert "no erasure of the audit trail has" in changed[f"ERASURE#{MODEL}|OBJECT#artifacts#{onnx}"]


def test_a_file_that_was_uploaded_again_as_it_was_before_an_erasure_is_named_with_the_remedy(world: World) -> None:
    key = next(one.key for one in world.data.list("raw/m/"))
    body, now = world.data.latest(key)[0], hashlib.sha256(b"without the person").hexdigest()
    erased = [{"bucket": "data", "key": key, "was": hashlib.sha256(body).hexdigest(), "now": now}]
    tombstones = put_json(world.artifacts, "m/erasures/2/tombstones.json", {"schema": 1, "erased": erased})
    entry = Entry(subject="e", decision="erased", by="ann", evidence={"tombstones": tombstones.model_dump()})
    world.registry.audit.add(MODEL, "ERASURE#2", entry)
    world.overwrite("data", key, b"without the person")
    assert world.faults() == {}
    world.overwrite("data", key, body)
    told = world.faults()[f"s3://data/{key}"]
    assert "uploaded the file again" in told and "modelcycle erase m --subject" in told
    assert len(world.faults()) == 1


# captures and seals


def test_a_manifest_that_was_written_anew_with_its_digest_is_found_by_the_seals(world: World) -> None:
    key = manifest_key(MODEL, datetime(2026, 3, 5, 7, tzinfo=UTC))
    manifest = Manifest.model_validate_json(world.data.latest(key)[0])
    world.overwrite("data", key, manifest.model_copy(update={"parts": []}).to_bytes())
    assert "since s3://seals/" in world.faults()[f"s3://data/{key}"]


def test_a_seal_that_was_written_again_is_named_and_its_first_version_counts(world: World) -> None:
    key = seal_key(date(2026, 3, 10))
    seal, _ = read_seal(world.seals, date(2026, 3, 10))
    world.overwrite("seals", key, seal.model_copy(update={"heads": {}}).to_bytes())
    assert world.faults() == {f"s3://seals/{key}": "the seal was written again or deleted; its first version counts"}


def test_a_seal_that_was_deleted_is_named(world: World) -> None:
    key = seal_key(date(2026, 3, 10))
    world.place.s3.delete_object(Bucket="seals", Key=key)
    assert "written again or deleted" in world.faults()[f"s3://seals/{key}"]


def test_a_signature_that_was_taken_from_a_seal_is_missed(world: World) -> None:
    seals = [one for one in world.stored() if one.bucket_name == "seals"]
    for stored in seals[1:]:
        seal, _ = read_seal(world.seals, _day(stored))
        rewrite(stored, seal.model_copy(update={"signature": ""}).to_bytes())
    faults = world.faults()
    assert all("earlier seals have one" in faults[where(stored)] for stored in seals[1:])
    seal, _ = read_seal(world.seals, _day(seals[0]))
    rewrite(seals[0], seal.model_copy(update={"signature": ""}).to_bytes())
    assert "has no signature" in world.faults()[where(seals[-1])]


def test_sealing_that_has_stopped_is_a_fault_where_the_stack_is_always_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = next(where(one) for one in world.stored() if one.name == seal_key(date(2026, 3, 11)))
    monkeypatch.setattr(
        world, "now", datetime(2026, 3, 14, 0, 45, tzinfo=UTC)
    )  # one seal is missing, one is being made
    assert world.faults() == {}
    monkeypatch.setattr(world, "now", datetime(2026, 3, 14, 2, tzinfo=UTC))
    assert "this is the newest seal" in world.faults()[newest]
    monkeypatch.setattr(world.place, "name", "local")
    assert world.faults() == {}


def test_a_seal_of_a_day_to_come_is_named_and_is_not_the_newest(world: World) -> None:
    seal, _ = read_seal(world.seals, date(2026, 3, 11))
    planted = seal.model_copy(update={"day": date(2099, 1, 1)})
    world.overwrite("seals", seal_key(date(2099, 1, 1)), planted.to_bytes())
    found = world.verify()
    assert any("has not ended" in what for where, what in found.faults if where.endswith("2099/01/01.json"))
    assert "the trail is sealed up to the end of 2026-03-11" in found.notes


def test_a_version_that_was_made_to_look_older_than_signatures_is_named(world: World) -> None:
    third = keys.version(MODEL, 3)
    world.forge(third, bundle=None, run_id="another")
    told = [fault.what for fault in world.verify().faults if fault.where == name_of_record(third)]
    assert any("versions of its number were signed" in what for what in told)


def test_so_is_the_removal_of_the_record_that_says_which_were_signed(world: World) -> None:
    world.delete(keys.signed_versions(MODEL))
    assert world.faults().keys() == {name_of_record(keys.signed_versions(MODEL))}


def test_a_seal_with_another_signature_is_named(world: World) -> None:
    stored = next(one for one in world.stored() if one.name == seal_key(date(2026, 3, 11)))
    seal, _ = read_seal(world.seals, date(2026, 3, 11))
    rewrite(stored, seal.signed(MemoryKeys().sign(seal.digest)).to_bytes())
    assert world.faults() == {where(stored): "the seal was changed: its signature is not genuine"}


def _day(stored: Any) -> date:
    return datetime.strptime(stored.name, "seals/%Y/%m/%d.json").date()


def _without_sum(key: keys.Key, body: dict[str, Any] | None = None) -> Item:
    item = {"pk": {"S": key.pk}, "sk": {"S": key.sk}, "kind": {"S": "record"}, "revision": {"N": "1"}}
    return item | {"body": {"S": json.dumps(body or {})}}


def _last(world: World) -> keys.Key:
    return max(world.registry.table.query(*keys.audit_entries(MODEL)), key=lambda one: one.body["number"]).key


def _rewrite(world: World, key: keys.Key, **fields: Any) -> None:
    """Change an entry, and repair its hash and its record's checksum."""
    body = as_json(world.item(key)) | fields
    world.put(summed(world.item(key), body | {"hash": entry_hash(body)}))
