"""A scoring job: nothing is done twice, a kill changes nothing, and what ends it is on record."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelcycle.faults import BadInput, BadMessage, Fault
from modelcycle.messages import (
    FailedShard,
    FinishScoringRequest,
    PlanScoringRequest,
    ScoringFailure,
)
from modelcycle.model.scoring import Scorer
from modelcycle.score_batch import plan_scoring as planning
from modelcycle.score_batch import typed_shards
from modelcycle.score_batch.finish_scoring import finish_scoring, record_failure
from tests.fakes import MemoryStore
from tests.trained import MODEL, train
from tests.unit.killable import KillableStore, KillableTable, Killed
from tests.unit.scoring_job import FILE, Job


@pytest.fixture
def job() -> Job:
    return Job()


def test_many_classes_make_shards_of_fewer_rows() -> None:
    source: Any = SimpleNamespace(table=SimpleNamespace(names=[], rows=10**6))
    signature = train("multiclass").signature
    many = signature.model_copy(update={"classes": [f"c{number}" for number in range(200)]})
    assert typed_shards.shard_rows(source, signature, []) == typed_shards.MAX_SHARD_ROWS
    assert typed_shards.shard_rows(source, many, []) * 200 == typed_shards.MAX_SHARD_CELLS


def test_a_second_upload_of_the_same_file_does_nothing_twice(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    first = job.score("rows.csv", FILE)
    before = dict(job.data.objects), dict(job.artifacts.objects), dict(job.table.records)
    monkeypatch.setattr(planning, "read_file", None)
    monkeypatch.setattr(Scorer, "scores", None)
    assert job.score("rows.csv", FILE) == first
    assert (job.data.objects, job.artifacts.objects, job.table.records) == before


def test_results_that_were_deleted_are_made_again(job: Job) -> None:
    first = job.score("rows.csv", FILE)
    for key in [key for key in job.artifacts.objects if key.startswith("_scoring/")]:
        del job.artifacts.objects[key]
    body = job.data.objects.pop(first.results)
    again = job.again("rows.csv")
    assert again.results == first.results
    assert job.data.objects[first.results] == body


def test_another_file_version_or_code_is_another_job(job: Job) -> None:
    first = job.score("rows.csv", FILE)
    other_rows = job.score("rows.csv", FILE + '7,red,Male,"c7"\n')
    job.code = "d"
    other_code = job.again("rows.csv")
    job.cycle.go_live(content="other")
    other_version = job.again("rows.csv")
    assert len({first.job, other_rows.job, other_code.job, other_version.job}) == 4
    assert (other_code.version, other_version.version) == (1, 2)
    assert job.lines(other_version)[0]["version"] == "2"
    assert job.lines(first)  # each job has its own results


@pytest.mark.parametrize("kill_at", range(0, 40))
def test_a_job_that_is_killed_at_any_write_ends_with_the_same_results(
    kill_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typed_shards, "MAX_SHARD_ROWS", 4)
    text = FILE + "no row\n"
    expected = Job()
    finished = expected.score("rows.csv", text)

    store = KillableStore()
    job = Job(data=store, artifacts=_SharedCount(store), table=KillableTable(store))
    job.data.upload(f"score/{MODEL}/rows.csv", text.encode())
    store.until_kill = kill_at
    was_killed = False
    for attempt in range(2):
        try:
            again = job.again("rows.csv")
            break
        except Killed:
            was_killed = True
            assert attempt == 0
    assert was_killed == (kill_at < WRITES)
    assert _bytes(job, again) == _bytes(expected, finished)
    assert again.job == finished.job


WRITES = 2 * (2 * 2 + 1 + 1 + 2 * 2 + 2 + 1)  # before and after: shards, broken lines, plan, scores, results


class _SharedCount(MemoryStore):
    """A second bucket that shares the count of a killable one."""

    def __init__(self, other: KillableStore) -> None:
        super().__init__()
        self.other = other

    def put(self, key: str, body: bytes | Path) -> Any:
        self.other._count()
        artifact = super().put(key, body)
        self.other._count()
        return artifact


def _bytes(job: Job, finished: Any) -> dict[str, bytes]:
    results = {key: body for key, body in job.data.objects.items() if key.endswith(".csv")}
    shards = {key: body for key, body in job.artifacts.objects.items() if key.startswith("_scoring/")}
    return results | shards


def test_shards_that_are_not_those_of_the_plan_give_no_results(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed_shards, "MAX_SHARD_ROWS", 2)
    job.data.upload(f"score/{MODEL}/rows.csv", FILE.encode())
    plan = job.plan("rows.csv")
    shards = job.shards(plan)
    for wrong in (shards[:2], shards[::-1], [*shards, shards[0]]):
        with pytest.raises(BadMessage):
            job.finish(plan, wrong)
    assert not [key for key in job.data.objects if key.startswith("scored/")]


def test_the_reason_of_a_shard_that_failed_is_the_reason_of_the_job(job: Job) -> None:
    job.data.upload(f"score/{MODEL}/rows.csv", FILE.encode())
    plan = job.plan("rows.csv")
    cause = json.dumps({"errorType": "Tampered", "errorMessage": "the object was changed\ns3://a/b\nrestore it"})
    failed = FailedShard(number=0, error={"Error": "Tampered", "Cause": cause})
    with pytest.raises(Fault, match="the object was changed"):
        finish_scoring(
            FinishScoringRequest(plan=plan, shards=[failed]), data=job.data, artifacts=job.artifacts,
            registry=job.registry, code="c",
        )  # fmt: skip


def test_the_reason_of_a_failure_is_kept_beside_the_object() -> None:
    data = MemoryStore("data")
    execution = "arn:aws:states:us-east-1:1:execution:modelcycle-dev-batch-scoring:e1"
    caught = {"Error": "NoData", "Cause": json.dumps({"errorType": "NoData", "errorMessage": "empty\nx.csv\nadd rows"})}
    failure = ScoringFailure.from_event({"key": "score/churn/may/x.csv", "execution": execution, "error": caught})
    failed = record_failure(failure, data=data)
    assert failed.record == "scored/churn/may/x.csv/e1/failed.json"
    kept = json.loads(data.objects[failed.record])
    assert (kept["error"], kept["where"], kept["remedy"]) == ("empty", "x.csv", "add rows")
    assert record_failure(failure, data=data) == failed


@pytest.mark.parametrize(
    ("status", "words"), [("ABORTED", "stopped by a person"), ("TIMED_OUT", "time limit"), ("FAILED", "FAILED")]
)
def test_an_execution_that_no_catch_handles_is_recorded_too(status: str, words: str) -> None:
    started_by = json.dumps({"detail": {"object": {"key": "score/churn/x.csv", "etag": "e"}}})
    event = {"detail-type": "Step Functions Execution Status Change",
             "detail": {"executionArn": "arn:e1", "status": status, "input": started_by, "error": None}}  # fmt: skip
    failure = ScoringFailure.from_event(event)
    assert (failure.model, failure.key) == ("churn", "score/churn/x.csv")
    data = MemoryStore("data")
    failed = record_failure(failure, data=data)
    assert words in failed.reason
    assert ("upload the file again" in json.loads(data.objects[failed.record])["remedy"]) == (status == "ABORTED")


def test_a_message_about_one_model_and_a_file_of_another_is_refused(job: Job) -> None:
    job.data.upload(f"score/{MODEL}/rows.csv", FILE.encode())
    plan = job.plan("rows.csv").wire()
    with pytest.raises(BadMessage):
        PlanScoringRequest.from_event({"model": MODEL, "key": "score/other/rows.csv"})
    with pytest.raises(BadMessage):
        FinishScoringRequest.from_event({"plan": plan | {"key": "score/other/rows.csv"}, "shards": []})
    with pytest.raises(BadMessage):
        ScoringFailure.from_event({"model": MODEL, "key": "score/other/x.csv", "execution": "e", "error": {}})


def test_a_file_that_needs_too_many_shards_is_refused(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed_shards, "MAX_SHARD_ROWS", 1)
    monkeypatch.setattr(planning, "MAX_SHARDS", 3)
    with pytest.raises(BadInput, match="more than 3 shards"):
        job.score("rows.csv", FILE)


def test_plan_and_scores_of_the_largest_file_fit_into_a_state(job: Job) -> None:
    job.data.upload(f"score/{MODEL}/rows.csv", FILE.encode())
    plan = job.plan("rows.csv")
    (scored,) = job.shards(plan)
    state = json.dumps({
        "plan": plan.wire() | {"shards": [_with_long_names(plan.shards[0].model_dump())] * planning.MAX_SHARDS},
        "shards": [_with_long_names(scored.wire())] * planning.MAX_SHARDS,
    })  # fmt: skip
    assert len(state) < 262_144 - 32_768  # what Step Functions holds; without S3's event and the notes


def _with_long_names(shard: dict[str, Any]) -> dict[str, Any]:
    """A bucket's name may have 63 characters, a model's 48."""
    text = json.dumps(shard).replace("s3://artifacts/", f"s3://{'b' * 63}/").replace(MODEL, "m" * 48)
    named: dict[str, Any] = json.loads(text)
    return named | {name: 10**8 for name in ("first", "rows", "number") if name in named}
