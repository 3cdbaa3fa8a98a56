"""Artifacts that are gone or were overwritten: the next run makes them again, and no run fails because of them."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.response import StreamingBody

from modelcycle.faults import Tampered, Unknown
from modelcycle.messages import Artifact, Collected, Run, RunRequest, Trigger, artifacts_in
from modelcycle.registry import Registry
from modelcycle.score_candidate import score_candidate
from modelcycle.steps import reuse_or_run
from modelcycle.store import S3Store
from modelcycle.validate import validate
from tests.contract.functions import ROOT, _Loader
from tests.fakes import MemoryStore, MemoryTable
from tests.trained import MODEL, cycle, train
from tests.unit.data_steps import AT


class Step:
    """A step that writes two artifacts, as `collect` does, and counts how often it ran."""

    def __init__(self) -> None:
        self.store, self.registry, self.worked = MemoryStore(), Registry(MemoryTable()), 0

    def __call__(self, run_id: str, while_working: Any = lambda: None) -> Collected:
        pipeline = self.store.put("pipeline", b"")
        run = Run(model="m", run_id=run_id, execution=f"arn:{run_id}", started_at=AT,
                  trigger=Trigger(kind="request"), pipeline=pipeline)  # fmt: skip

        def work() -> Collected:
            self.worked += 1
            while_working()
            return Collected(
                manifest=self.store.put(run.key("collect", "manifest.json"), b"{}"),
                shards=[self.store.put(run.key("collect", "0.parquet"), b"rows")],
                quarantine=None, columns=1, objects=1, bytes=1, rows=1, quarantined=0,
            )  # fmt: skip

        return reuse_or_run(
            work, Collected, step="collect", request=RunRequest(run=run), parameters=None, code="code",
            results=self.registry.results, artifacts=self.store,
        )  # fmt: skip

    def lose(self, artifact: Artifact) -> None:
        del self.store.objects[artifact.uri.removeprefix("s3://artifacts/")]

    def overwrite(self, artifact: Artifact) -> None:
        self.store.objects[artifact.uri.removeprefix("s3://artifacts/")] = b"other bytes"


@pytest.mark.parametrize("harm", ["lose", "overwrite"])
def test_a_result_whose_artifact_is_gone_is_made_again_and_replaces_it(harm: str) -> None:
    step = Step()
    first = step("r1")
    assert step("r2").cached
    getattr(step, harm)(first.shards[0])
    again = step("r3")
    assert not again.cached and again.shards[0].uri.endswith("/r3/collect/0.parquet")
    assert step.store.read(again.shards[0]) == b"rows"
    last = step("r4")
    assert last.cached and last.shards == again.shards and step.worked == 2


def test_an_artifact_that_is_lost_before_a_redelivery_is_written_again() -> None:
    step = Step()
    first = step("r1")
    step.lose(first.shards[0])
    again = step("r1")
    assert again == first and step.store.read(first.shards[0]) == b"rows" and step.worked == 2


def test_of_two_deliveries_that_make_it_again_the_first_result_is_kept() -> None:
    step = Step()
    step.lose(step("r1").shards[0])
    raced: list[Collected] = []
    second = step("r3", while_working=lambda: raced or raced.append(step("r2")))
    assert second.shards == raced[0].shards and "/r2/" in second.shards[0].uri
    assert step("r4").shards == raced[0].shards


def test_every_artifact_of_a_message_is_found() -> None:
    first = Step()("r1")
    assert list(artifacts_in(first)) == [first.manifest, *first.shards]
    assert list(artifacts_in({"a": [first], "b": 1})) == [first.manifest, *first.shards]


class Answers:
    """A client of S3 with one answer for each key."""

    class exceptions:  # noqa: N801
        class ClientError(Exception):
            def __init__(self, code: str, message: str = "") -> None:
                self.response = {"Error": {"Code": code, "Message": message}}

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def head_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803
        return self._answer(Key)

    def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803
        return self._answer(Key)

    def put_object(self, *, Key: str, **rest: Any) -> None:  # noqa: N803
        raise self.exceptions.ClientError("PreconditionFailed")

    def _answer(self, key: str) -> Any:
        if isinstance(self.answers[key], Exception):
            raise self.answers[key]
        return self.answers[key]


def artifact(key: str) -> Artifact:
    return Artifact(uri=f"s3://b/{key}", sha256="a" * 64, bytes=4)


def test_an_artifact_is_missing_if_its_size_or_recorded_hash_differs() -> None:
    intact = {"ContentLength": 4, "Metadata": {"sha256": "a" * 64}}
    store = S3Store(Answers(
        kept=intact, gone=Answers.exceptions.ClientError("404"), hidden=Answers.exceptions.ClientError("403"),
        longer=intact | {"ContentLength": 5}, foreign=intact | {"Metadata": {}},
        other=intact | {"Metadata": {"sha256": "b" * 64}},
    ), "b")  # fmt: skip
    requested = [artifact(key) for key in ("kept", "gone", "hidden", "longer", "foreign", "other", "kept")]
    assert store.missing(requested) == requested[1:-1]
    assert store.missing([]) == []


def test_a_missing_key_without_permission_to_list_is_reported_as_missing() -> None:
    """AWS then answers with 403 and names the permission to list."""
    denied = "User: arn is not authorized to perform: {} on resource: x because no identity-based policy allows it"
    store = S3Store(Answers(
        gone=Answers.exceptions.ClientError("AccessDenied", denied.format("s3:ListBucket")),
        denied=Answers.exceptions.ClientError("AccessDenied", denied.format("s3:GetObject")),
    ), "b")  # fmt: skip
    with pytest.raises(Unknown, match="no object gone"):
        store.read(artifact("gone"))
    with pytest.raises(Answers.exceptions.ClientError):
        store.read(artifact("denied"))


def test_no_step_reads_an_artifact_whose_bytes_were_changed(tmp_path: Path) -> None:
    """Whatever its metadata say: the bytes are hashed."""
    recorded = Artifact(uri="s3://b/key", sha256=hashlib.sha256(b"rows").hexdigest(), bytes=4)

    def store(body: bytes) -> S3Store:
        answer = {"Body": StreamingBody(BytesIO(body), len(body)), "Metadata": {"sha256": recorded.sha256}}
        return S3Store(Answers(key=answer), "b")

    assert store(b"rows").read(recorded) == b"rows"
    assert store(b"rows").fetch(recorded, tmp_path).read_bytes() == b"rows"
    for read in (lambda: store(b"rowS").read(recorded), lambda: store(b"rowS").fetch(recorded, tmp_path)):
        with pytest.raises(Tampered, match="was changed after it was written"):
            read()
    assert not list(tmp_path.iterdir())


def test_a_foreign_object_under_the_key_of_an_artifact_is_named() -> None:
    store = S3Store(Answers(key={"ContentLength": 9, "Metadata": {}}), "b")
    with pytest.raises(Tampered) as caught:
        store.put("key", b"mine")
    assert caught.value.where == "s3://b/key" and "delete the object and run again" in caught.value.remedy


@pytest.mark.parametrize("better", [False, True])
def test_a_run_does_not_fail_if_the_champions_files_are_gone(better: bool) -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    live = cycle(train("binary"), store, registry, "r1").go_live()
    challenger = cycle(train("binary", seed=50), store, registry, "r2", gates={"better": better})
    kept = dict(store.objects)
    store.objects = {key: body for key, body in kept.items() if not live.onnx.uri.endswith(key)}
    request = challenger.score_candidate
    assert request.find_unseen.champion_lost
    scored = score_candidate(request, artifacts=store, registry=registry, code="c")
    assert (scored.champion, scored.champion_scores, scored.uncompared) == (1, None, [])
    judged = validate(challenger.validate(scored), artifacts=store, registry=registry, code="c")
    assert judged.verdict == "passed"
    assert "version 1 is live, but its artifacts are gone: not compared with it" in judged.reasons
    store.objects |= kept  # restored: compared again
    again = score_candidate(challenger.score_candidate, artifacts=store, registry=registry, code="c")
    assert again.champion_scores is not None


def test_the_live_model_made_again_gets_a_new_number_once_its_files_are_gone() -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    live = cycle(train("binary"), store, registry, "r1").go_live()
    challenger = cycle(train("binary"), store, registry, "r2")

    def judged(code: str) -> str:
        scored = score_candidate(challenger.score_candidate, artifacts=store, registry=registry, code=code)
        return validate(challenger.validate(scored), artifacts=store, registry=registry, code=code).verdict

    assert judged("c") == "unchanged"
    del store.objects[live.onnx.uri.removeprefix("s3://artifacts/")]
    assert judged("c") == "passed"

    def is_intact(version: Any) -> bool:
        return not store.missing(version.essentials)

    draft = live.model_copy(update={"onnx": challenger.select_model.onnx, "run_id": "r2"})
    for created in (True, False):
        made = registry.versions.register(draft, "content", is_intact)
        assert (made[0].version, made[0].run_id, made[1]) == (2, "r2", created)
    assert registry.versions.get(MODEL, 1) == live


@pytest.mark.parametrize("verdict", ["refused", "rejected", "rolled_back"])
def test_a_final_verdict_outlives_the_files_of_its_version(verdict: Any) -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    version = cycle(train("binary"), store, registry, "r1").register()
    path = {"refused": [], "rejected": ["staged", "awaiting_approval"], "rolled_back": ["staged", "live"]}[verdict]
    for state in (*path, verdict):
        registry.standings.move(MODEL, 1, state, "ada", final=state == verdict)
    assert registry.versions.register(version, "content", lambda version: False) == (version, False)


CHECKED = {  # the folders whose artifacts a function checks before it takes a result, or a version, for intact
    "Collect": ["collect"], "Preprocess": ["preprocess", "holdout/features", "holdout/labels"],
    "EngineerFeatures": ["engineer_features"], "RunTrial": ["train"], "SelectModel": ["select_model"],
    "FindUnseen": ["find_unseen", "holdout/features", "claim", "preprocess", "engineer_features", "select_model",
                   "refit"],
    "ScoreCandidate": ["score_candidate"], "Validate": ["validate"], "Refit": ["refit"],
    "CheckRefit": ["check_refit", "refit"], "Govern": ["govern"],
    "Register": ["claim", "preprocess", "select_model", "refit"],
    "Decide": ["claim", "preprocess", "select_model", "refit"],
}  # fmt: skip


@pytest.mark.parametrize("function", CHECKED)
def test_a_function_may_check_what_it_checks(function: str) -> None:
    """Denied, a check would answer as for an object that is gone: the work would be done again each time, unnoticed."""
    resources = yaml.load((ROOT / "infra" / "identity.yaml").read_text(), Loader=_Loader)["Resources"]
    statements = resources[f"{function}Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    readable = [
        arn.removeprefix("${ArtifactBucketArn}/").removeprefix("*/runs/*/").removesuffix("/*")
        for statement in statements
        if isinstance(statement, dict) and "s3:GetObject" in statement["Action"]  # a list: what an `!If` chooses
        for arn in statement["Resource"]
    ]
    assert set(CHECKED[function]) <= set(readable)
