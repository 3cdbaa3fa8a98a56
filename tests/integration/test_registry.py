"""The registry on DynamoDB (moto): races, redelivery and order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from modelcycle.faults import NotAllowed, Raced, Unknown
from modelcycle.messages import Artifact, Run, Trigger
from modelcycle.registry import DynamoTable, Entry, Registry, Version, Write

ARTIFACT = Artifact(uri="s3://artifacts/x", sha256="0" * 64, bytes=1)


class SteadyTable(DynamoTable):
    """One request at a time: moto copies its tables in a transaction, and other threads must not change them then."""

    lock = threading.Lock()

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        with self.lock:
            return super()._call(operation, **request)

    def write(self, *writes: Write) -> None:
        with self.lock:
            super().write(*writes)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="registry",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        yield Registry(SteadyTable(client, "registry"))


def run(name: str, model: str = "m") -> Run:
    return Run(
        model=model,
        run_id=name,
        execution=f"arn:{name}",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        trigger=Trigger(kind="upload", detail="raw/m/a.csv"),
        pipeline=ARTIFACT,
    )


def version(run_id: str = "r1") -> Version:
    names = ("onnx", "skops", "signature", "plan", "profile", "lineage", "card", "validation", "pipeline")
    return Version(
        model="m",
        version=0,
        run_id=run_id,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        task="binary",
        metric="accuracy",
        metrics={"accuracy": 0.9},
        interval=(0.8, 1.0),
        data="d",
        code="c",
        opset=21,
        **dict.fromkeys(names, ARTIFACT),
    )


def live(registry: Registry, content: str) -> int:
    number = registry.versions.register(version(), content)[0].version
    registry.standings.move("m", number, "staged", "test")
    registry.routes.promote("m", number, 100, "test")
    return number


def events(registry: Registry) -> list[str]:
    return [record.body["kind"] for record in registry.table.query("EVENT#m", "EVENT#")]


def running(*executions: str):
    return lambda execution: execution in executions


def test_all_writes_of_a_call_happen_or_none(registry: Registry) -> None:
    registry.table.write(Write("p", "a", {"n": 1}))
    with pytest.raises(Raced):
        registry.table.write(Write("p", "b", {"n": 1}), Write("p", "a", {"n": 2}))
    assert registry.table.get("p", "b") is None
    registry.table.write(Write("p", "a", {"n": 2}, revision=1))
    assert registry.table.get("p", "a").body == {"n": 2}


def test_an_upload_is_claimed_once(registry: Registry) -> None:
    claim = registry.leases.claim
    assert claim(run("r1"), "raw/m/a.csv#1", ("raw/m/a.csv", "e1"), running("arn:r1"))[0] == "claimed"
    assert claim(run("r2"), "raw/m/a.csv#1", ("raw/m/a.csv", "e1"), running("arn:r1"))[0] == "duplicate"
    registry.leases.conclude(run("r1"), "failed", "because")
    assert claim(run("r3"), "raw/m/a.csv#1", ("raw/m/a.csv", "e1"), running())[0] == "duplicate"


def test_a_claim_delivered_twice_returns_the_first_result(registry: Registry) -> None:
    first = registry.leases.claim(run("r1"), "u#1", ("u", "e"), running("arn:r1"))
    assert registry.leases.claim(run("r1"), "u#1", ("u", "e"), running("arn:r1")) == first
    assert events(registry) == ["RunStarted"]


def test_an_arrival_that_finds_the_model_leased_is_folded_and_starts_a_run_at_the_end(registry: Registry) -> None:
    registry.leases.claim(run("r1"), "a#1", ("a", "e1"), running("arn:r1"))
    assert registry.leases.claim(run("r2"), "b#1", ("b", "e2"), running("arn:r1")) == ("folded", "r1")
    _, folded = registry.leases.conclude(run("r1"), "deployed", "", 1)
    assert folded == 1
    assert events(registry) == ["RunStarted", "RunEnded", "ArrivalsFolded"] or sorted(events(registry)) == [
        "ArrivalsFolded", "RunEnded", "RunStarted",
    ]  # fmt: skip


def test_a_folded_arrival_that_the_run_has_read_starts_no_other_run(registry: Registry) -> None:
    registry.leases.claim(run("r1"), "a#1", ("a", "e1"), running("arn:r1"))
    registry.leases.claim(run("r2"), "b#1", ("b", "e2"), running("arn:r1"))
    registry.leases.mark_as_read(run("r1"), [("a", "e1"), ("b", "e2")])
    assert registry.leases.conclude(run("r1"), "deployed", "", 1)[1] == 0
    assert "ArrivalsFolded" not in events(registry)


def test_a_run_whose_execution_died_loses_its_lease_and_is_ended(registry: Registry) -> None:
    registry.leases.claim(run("r1"), "a#1", ("a", "e1"), running("arn:r1"))
    assert registry.leases.claim(run("r2"), "a#2", ("a", "e1"), running())[0] == "claimed"
    assert registry.runs.get("m", "r1").state == "failed"
    assert registry.runs.get("m", "r2").state == "running"
    ends = [record.body for record in registry.table.query("EVENT#m", "EVENT#") if record.body["kind"] == "RunEnded"]
    assert [event["detail"] for event in ends] == [{"run_id": "r1", "outcome": "failed", "version": None}]


def test_a_run_that_ended_keeps_its_outcome(registry: Registry) -> None:
    registry.leases.claim(run("r1"), "a#1", ("a", "e1"), running("arn:r1"))
    registry.leases.conclude(run("r1"), "refused", "not better")
    record, _ = registry.leases.conclude(run("r1"), "failed", "reported late by a rule")
    assert (record.state, record.reason) == ("refused", "not better")


def test_ten_arrivals_at_once_end_in_one_claim(registry: Registry) -> None:
    names = [f"r{n}" for n in range(10)]
    alive = running(*(f"arn:{name}" for name in names))

    def arrive(name: str) -> str:
        return registry.leases.claim(run(name), f"{name}#1", (name, "e"), alive)[0]

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(arrive, names))
    assert sorted(outcomes) == ["claimed"] + ["folded"] * 9
    holder = names[outcomes.index("claimed")]
    assert registry.leases.conclude(run(holder), "deployed", "", 1)[1] == 9


def test_the_same_content_is_one_version(registry: Registry) -> None:
    first, created = registry.versions.register(version("r1"), "same")
    again, created_again = registry.versions.register(version("r2"), "same")
    assert (first.version, created, again.version, created_again) == (1, True, 1, False)
    assert again.run_id == "r1"
    assert registry.versions.register(version("r3"), "other")[0].version == 2


def test_a_version_changes_state_only_along_the_transitions(registry: Registry) -> None:
    registry.versions.register(version(), "a")
    with pytest.raises(NotAllowed, match="registered and may not go live"):
        registry.routes.promote("m", 1, 100, "test")
    registry.standings.move("m", 1, "refused", "stage", final=True)
    with pytest.raises(NotAllowed):
        registry.standings.move("m", 1, "staged", "stage")
    with pytest.raises(Unknown):
        registry.standings.get("m", 9)


def test_a_rollback_is_one_write_and_is_recorded(registry: Registry) -> None:
    live(registry, "a")
    live(registry, "b")
    assert registry.routes.get("m").weights == {2: 100}
    assert registry.standings.get("m", 1).state == "retired"
    move, moved = registry.routes.roll_back("m", "ann", "too many refusals")
    assert moved and move.after == registry.routes.get("m").weights == {1: 100}
    assert registry.standings.get("m", 2).state == "rolled_back"
    assert registry.standings.get("m", 1).state == "live"
    last = registry.routes.moves("m")[0]
    assert (last.kind, last.by, last.why, last.before, last.after) == (
        "rolled_back", "ann", "too many refusals", {2: 100}, {1: 100},
    )  # fmt: skip
    with pytest.raises(NotAllowed, match="no earlier version"):
        registry.routes.roll_back("m", "ann")


def test_a_canary_rises_and_a_repeated_step_changes_nothing(registry: Registry) -> None:
    live(registry, "a")
    registry.versions.register(version(), "b")
    registry.standings.move("m", 2, "staged", "test")
    for weight in (10, 10, 50, 10, 100, 50):
        registry.routes.promote("m", 2, weight, "rollout")
    assert registry.routes.get("m").weights == {2: 100}
    assert [move.after for move in registry.routes.moves("m")][::-1] == [
        {1: 100}, {1: 90, 2: 10}, {1: 50, 2: 50}, {2: 100},
    ]  # fmt: skip
    registry.routes.roll_back("m", "ann")
    assert registry.routes.get("m").weights == {1: 100}


def test_four_rollbacks_at_once_take_away_one_version(registry: Registry) -> None:
    for content in "abcd":
        live(registry, content)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda by: registry.routes.roll_back("m", by), ["ann", "bob", "cem", "dee"]))
    assert registry.routes.get("m").weights == {3: 100}
    assert {move.number for move, _ in results} == {5} and sorted(moved for _, moved in results) == [False] * 3 + [True]
    assert [entry.decision for entry in registry.audit.all("m")].count("rollback") == 1


def test_a_decision_and_its_audit_entry_are_written_together_or_not_at_all(registry: Registry) -> None:
    live(registry, "a")
    entry = registry.audit.all("m")[0]
    unit = registry.unit_of_work("m")
    unit.put(Write("STATE#m", "STATE#00000001", {"state": "rejected"}, 99))
    unit.audit("STATE#00000001#99", entry)
    with pytest.raises(Raced):
        unit.commit()
    assert not registry.audit.has("m", "STATE#00000001#99")
    unit = registry.unit_of_work("m")
    unit.put(*(Write("p", f"{n}", {}) for n in range(101)))
    with pytest.raises(ValueError, match="100 writes, not 101"):
        unit.commit()


def test_a_write_that_lost_names_the_records_that_others_have_changed(registry: Registry) -> None:
    registry.table.write(Write("p", "a", {}), Write("p", "c", {}))
    with pytest.raises(Raced) as lost:
        registry.table.write(Write("p", "a", {}), Write("p", "b", {}), Write("p", "c", {}, revision=7))
    assert lost.value.records == {("p", "a"), ("p", "c")}


def test_decisions_at_once_are_one_chain(registry: Registry) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(
                lambda n: registry.audit.add("m", f"RUN#{n}#govern", Entry(subject="r", decision="passed", by="p")),
                range(8),
            )
        )
    numbers = sorted(entry.number or 0 for entry in registry.audit.all("m"))
    assert numbers == [1, 2, 3, 4, 5, 6, 7, 8] and registry.audit.head("m").number == 8
