"""Claims of uploads and of a model's lease: idempotent, and safe against races and kills."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelcycle.claim import Arrival, ClaimRequest, arrival_of, claim
from modelcycle.conclude import conclude, read_request
from modelcycle.faults import BadMessage, Unknown
from modelcycle.messages import Claimed, ConcludeRequest, RetrainRequest, Trigger
from modelcycle.registry import Registry
from modelcycle.store import AUTHOR, PRINCIPAL, SESSION, Listed, Written
from tests.fakes import MemoryStore, MemoryTable

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


class Flows:
    """State machines with some running executions."""

    def __init__(self) -> None:
        self.running: set[str] = set()

    def is_running(self, execution: str) -> bool:
        return execution in self.running

    def start(self, flow: str, name: str, message: dict[str, Any]) -> bool:
        raise AssertionError("a claim starts nothing")


class Data:
    bucket = "data"

    def __init__(self, pipeline: bytes | None = b"name: m\ntarget: t\n") -> None:
        self.pipeline = pipeline
        self.feedback: list[str] = []
        self.beside: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.modified = WHEN.timestamp()
        self.receipts: set[str] = set()

    def written(self, key: str, etag: str | None = None) -> Written | None:
        if etag not in (None, "one") or (etag is None and key not in self.receipts):
            return None
        return Written(self.beside, self.tags, self.modified)

    def latest(self, key: str) -> tuple[bytes, str | None]:
        if self.pipeline is None:
            raise Unknown("there is no object", key)
        return self.pipeline, None

    def list(self, prefix: str) -> Iterator[Listed]:
        return (Listed(key, "", 1) for key in self.feedback if key.startswith(prefix))


class Model:
    """One model, and the executions that its uploads start."""

    def __init__(self, data: Data | None = None) -> None:
        self.registry = Registry(MemoryTable())
        self.runs, self.leases = self.registry.runs, self.registry.leases
        self.flows = Flows()
        self.artifacts = MemoryStore()
        self.data = data or Data()

    def claim(self, execution: str, upload: str = "raw/m/a.csv#1", etag: str = "one") -> Claimed:
        self.flows.running.add(execution)
        arrival = arrival_of(
            {
                "detail-type": "Object Created",
                "detail": {
                    "object": {"key": upload.partition("#")[0], "etag": etag, "sequencer": upload.partition("#")[2]}
                },
            }
        )
        request = ClaimRequest(arrival, execution, WHEN)
        return claim(request, data=self.data, artifacts=self.artifacts, registry=self.registry, flows=self.flows)

    def end(self, claimed: Claimed, outcome: Any = "deployed") -> int:
        assert claimed.run
        self.flows.running.discard(claimed.run.execution)
        return conclude(ConcludeRequest(run=claimed.run, outcome=outcome), leases=self.leases).folded


@pytest.fixture
def model() -> Model:
    return Model()


def test_a_second_delivery_returns_the_first_result(model: Model) -> None:
    first = model.claim("one")
    assert first.outcome == "claimed"
    assert model.claim("one") == first
    model.end(first)
    assert model.claim("one") == first, "also after the run has ended"
    assert len(model.runs.latest("m")) == 1


def test_the_same_upload_by_another_execution_is_a_duplicate(model: Model) -> None:
    first = model.claim("one")
    assert model.claim("two").outcome == "duplicate"
    model.end(first)
    assert model.claim("three").outcome == "duplicate"


def test_another_upload_is_folded_and_starts_another_run(model: Model) -> None:
    first = model.claim("one")
    folded = model.claim("two", "raw/m/b.csv#2")
    assert (folded.outcome, folded.detail) == ("folded", first.detail)
    assert model.claim("three", "raw/m/b.csv#2").outcome == "duplicate", "another run reads a folded upload"
    assert model.end(first) == 1


def test_an_upload_that_the_run_has_listed_starts_no_other_run(model: Model) -> None:
    first = model.claim("one")
    assert first.run
    model.claim("two", "raw/m/b.csv#2", etag="seen")
    model.claim("three", "raw/m/c.csv#3", etag="late")
    model.leases.mark_as_read(first.run, [("raw/m/b.csv", "seen"), ("raw/m/c.csv", "an older one")])
    assert model.end(first) == 1


def test_a_run_whose_execution_died_loses_its_upload_and_lease(model: Model) -> None:
    dead = model.claim("one")
    model.claim("two", "raw/m/b.csv#2")
    model.flows.running.clear()
    again = model.claim("three")
    assert again.outcome == "claimed"
    newest = {record.run.execution: record.state for record in model.runs.latest("m")}
    assert newest == {"one": "failed", "three": "running"}
    assert model.end(dead) == 0, "its late end does not release the new run's lease"
    assert model.end(again) == 1, "it inherits what was folded into the dead run"


def test_of_twenty_uploads_at_once_one_starts_a_run_and_none_is_lost(model: Model) -> None:
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda n: model.claim(f"e{n}", f"raw/m/{n}.csv#{n}"), range(20)))
    outcomes = [claimed.outcome for claimed in claims]
    assert (outcomes.count("claimed"), outcomes.count("folded")) == (1, 19)
    holder = next(claimed for claimed in claims if claimed.outcome == "claimed")
    assert model.end(holder) == 19


def test_a_missing_pipeline_file_does_not_stop_the_claim() -> None:
    model = Model(Data(None))
    claimed = model.claim("one")
    assert claimed.outcome == "claimed"
    assert claimed.run
    assert model.artifacts.read(claimed.run.pipeline) == b""


def test_a_second_write_of_a_key_is_another_upload_where_only_the_version_tells() -> None:
    """LocalStack sends the same `sequencer` with each event."""

    def upload(**written: str) -> str | None:
        detail = {"object": {"key": "raw/m/a.csv", "etag": "e", "sequencer": "0062E99A88DC407460", **written}}
        return arrival_of({"detail-type": "Object Created", "detail": detail}).upload

    first, second = upload(**{"version-id": "v1"}), upload(**{"version-id": "v2"})
    assert first != second
    assert upload(**{"version-id": "v1"}) == first, "a redelivery is the same upload"
    assert upload() == "raw/m/a.csv#0062E99A88DC407460", "without versions, as in the local cloud"


@pytest.mark.parametrize("key", ["raw/m", "raw/m/", "raw//a.csv", "captures/m/a.csv"])
def test_an_object_outside_raw_is_not_an_arrival(key: str) -> None:
    detail = {"object": {"key": key, "etag": "e", "sequencer": "1"}}
    with pytest.raises(BadMessage):
        arrival_of({"detail-type": "Object Created", "detail": detail})


def test_an_object_key_may_contain_any_characters() -> None:
    key = "raw/m/a folder/=größe #1/it's.csv"
    detail = {"object": {"key": key, "etag": '"e"', "sequencer": "1"}}
    arrival = arrival_of({"detail-type": "Object Created", "detail": detail})
    assert arrival[1:] == Arrival("m", arrival.trigger, f"{key}#1", key, "e")[1:]


@pytest.mark.parametrize(
    ("status", "error", "sentence"),
    [
        ("ABORTED", None, "stopped by a person"),
        ("TIMED_OUT", None, "reached a time limit"),
        ("FAILED", "States.DataLimitExceeded", "States.DataLimitExceeded"),
    ],
)
def test_an_end_that_no_catch_handled_gets_a_reason(
    model: Model, status: str, error: str | None, sentence: str
) -> None:
    """The event is EventBridge's "Step Functions Execution Status Change", whose error and cause may be null."""
    claimed = model.claim("one")
    detail = {"executionArn": "one", "status": status, "error": error, "cause": None, "input": "{}", "output": None}
    event = {"detail-type": "Step Functions Execution Status Change", "source": "aws.states", "detail": detail}
    request = read_request(event, runs=model.runs)
    assert request.run == claimed.run
    assert sentence in conclude(request, leases=model.leases).reason
    unknown = read_request(event | {"detail": detail | {"executionArn": "unknown"}}, runs=model.runs)
    assert unknown.run is None
    assert conclude(unknown, leases=model.leases).outcome == "no run of ours"
    assert model.end(claimed) == 0
    (record,) = model.runs.latest("m")
    assert record.state == "failed", "it keeps its outcome"


@pytest.mark.parametrize(("written", "author"), [
    ({AUTHOR: "arn:aws:iam::1:user/ann"}, "arn:aws:iam::1:user/ann"), ({AUTHOR: "ann"}, None), ({}, None),
])  # fmt: skip
def test_a_run_names_who_has_uploaded_its_file_if_they_have_said_so(
    written: dict[str, str], author: str | None
) -> None:
    model = Model()
    model.data.beside = written
    claimed = model.claim("one")
    assert claimed.run is not None and claimed.run.author == author
    assert ("author" in claimed.wire()["run"]) == (author is not None)


ANN, BOB = "arn:aws:iam::1:user/ann", "arn:aws:iam::1:user/bob"
TAGS_OF_ANN = {PRINCIPAL: ANN, SESSION: "AIDAANN"}


def test_tags_that_the_bucket_has_taken_prove_who_has_uploaded(model: Model) -> None:
    model.data.beside, model.data.tags = {AUTHOR: ANN}, TAGS_OF_ANN
    run = model.claim("one").run
    assert run is not None and (run.author, run.author_proved, run.author_stated) == (ANN, True, None)


def test_whom_the_bucket_has_proved_counts_and_not_whom_the_file_names(model: Model) -> None:
    model.data.beside, model.data.tags = {AUTHOR: BOB}, TAGS_OF_ANN
    run = model.claim("one").run
    assert run is not None and (run.author, run.author_proved, run.author_stated) == (ANN, True, BOB)


@pytest.mark.parametrize(("tags", "age"), [
    (TAGS_OF_ANN, timedelta(minutes=16)),  # somebody starts a run by an old upload of hers
    ({PRINCIPAL: ANN}, timedelta()),
    (TAGS_OF_ANN | {"Modelcycle-Principal": BOB}, timedelta()),  # policies see one tag, objects have two
    (TAGS_OF_ANN | {PRINCIPAL: "ann"}, timedelta()),
    ({PRINCIPAL: "arn:aws:iam::1:role/Dev", SESSION: "AROA1"}, timedelta()),
], ids=["old", "half", "two spellings", "no ARN", "no session"])  # fmt: skip
def test_nothing_else_proves_anybody(model: Model, tags: dict[str, str], age: timedelta) -> None:
    model.data.beside, model.data.tags = {AUTHOR: BOB}, tags
    model.data.modified -= age.total_seconds()
    run = model.claim("one").run
    assert run is not None and (run.author, run.author_proved) == (BOB, False)


def test_where_policies_are_not_enforced_tags_prove_nobody(model: Model) -> None:
    model.data.tags = TAGS_OF_ANN
    arrival = Arrival("m", Trigger(kind="upload"), "raw/m/a.csv#1", "raw/m/a.csv", "one")
    claimed = claim(
        ClaimRequest(arrival, "one", WHEN), data=model.data, artifacts=model.artifacts, registry=model.registry,
        flows=model.flows, is_enforced=False,
    )  # fmt: skip
    assert claimed.run is not None and claimed.run.author is None


@pytest.mark.parametrize(("receipt", "proved"), [("requests/m/e1", True), ("requests/m/e2", False)])
def test_a_request_is_proved_by_an_object_of_its_executions_name(model: Model, receipt: str, proved: bool) -> None:
    model.data.receipts, model.data.tags = {receipt}, TAGS_OF_ANN
    event = {"detail-type": "RunRequested", "detail": {"model": "m", "by": "ann", "author": ANN}}
    request = ClaimRequest(arrival_of(event), "arn:aws:states:x:1:execution:lifecycle:e1", WHEN)
    run = claim(
        request, data=model.data, artifacts=model.artifacts, registry=model.registry, flows=model.flows
    ).run  # fmt: skip
    assert run is not None and (run.author, run.author_proved) == (ANN, proved)


@pytest.mark.parametrize("kind", ["RunRequested", "RetrainingRequested"])
def test_a_request_names_who_asked(kind: str) -> None:
    event = {"detail-type": kind, "detail": {"model": "m", "by": "ann", "author": "arn:aws:iam::1:user/ann"}}
    assert arrival_of(event).author == "arn:aws:iam::1:user/ann"
    kept = RetrainRequest.from_event(event | {"detail-type": "RetrainingRequested", "id": "e1"}).detail
    assert kept["author"] == "arn:aws:iam::1:user/ann", "the governor hands it on"


def test_a_file_that_an_erasure_has_written_starts_no_run_and_its_next_upload_does(model: Model) -> None:
    model.registry.erasures.rewrite("m", "data", "raw/m/a.csv", "before", "after", 9, etag="one")
    claimed = model.claim("one")
    assert claimed.outcome == "duplicate" and "erasure" in claimed.detail and model.runs.latest("m") == []
    assert model.claim("two", "raw/m/a.csv#2", etag="two").outcome == "claimed"
