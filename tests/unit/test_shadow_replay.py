"""Captured requests, answered by candidate and champion."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from modelcycle.model.answer import LoadedVersion, load_version
from modelcycle.model.fields import Field
from modelcycle.registry import Registry
from modelcycle.score_candidate import score_candidate
from modelcycle.spec import Task
from modelcycle.stage import Places, stage
from modelcycle.stage.captured_requests import CapturedRequest
from modelcycle.stage.shadow_replay import replay, wilson
from tests.fakes import UNSIGNED, MemoryStore, MemoryTable
from tests.serving_function import ServingFunction
from tests.trained import COLOUR, HOURS, ID, MODEL, Trained, cycle, train


def loaded(task: Task, seed: int, number: int) -> LoadedVersion:
    store, registry = MemoryStore(), Registry(MemoryTable())
    version = cycle(train(task, seed=seed), store, registry).register()
    return dataclasses.replace(load_version(version, store, UNSIGNED), version=number)


def requests_of(trained: Trained, count: int) -> list[CapturedRequest]:
    instances = trained.signature.instances(trained.test)[:count]
    return [CapturedRequest(f"p{n}", instance | {ID: f"c{n}"}) for n, instance in enumerate(instances)]


def with_fields(version: LoadedVersion, *fields: Field, without: str = "") -> LoadedVersion:
    """The same graph, whose signature has other columns that it does not read."""
    kept = [field for field in version.signature.fields if field.name != without]
    return dataclasses.replace(version, signature=version.signature.model_copy(update={"fields": [*kept, *fields]}))


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_same_model_agrees_on_all_rows(task: Task) -> None:
    version = loaded(task, 0, 1)
    result = replay(requests_of(train(task), 50), version, dataclasses.replace(version, version=2))
    assert (len(result.rows), result.disagreements, result.old_format, result.unread) == (50, 0, 0, 0)
    assert all(row.distance == 0 for row in result.rows) and result.champion == 1


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_another_model_disagrees_on_the_rows_that_differ_and_those_come_first(task: Task) -> None:
    champion, candidate = loaded(task, 0, 1), loaded(task, 40, 2)
    result = replay(requests_of(train(task), 300), champion, candidate)
    one = champion.scorer.scores(champion.signature.read([r.instance for r in requests_of(train(task), 300)]))
    other = candidate.scorer.scores(candidate.signature.read([r.instance for r in requests_of(train(task), 300)]))
    if task == "regression":
        distance = np.abs(one - other)[:, 0]
        differ = distance > 0.2 * one.std()
    else:
        distance = np.abs(one - other).sum(axis=1) / 2
        differ = (one[:, 1] >= 0.5) != (other[:, 1] >= 0.5) if task == "binary" else one.argmax(1) != other.argmax(1)
    assert result.disagreements == differ.sum() > 0
    assert [row.differs for row in result.rows] == sorted((row.differs for row in result.rows), reverse=True)
    for row in result.rows:
        assert row.distance == pytest.approx(distance[int(row.prediction_id[1:])], abs=1e-5)
    first = [row.distance for row in result.rows if row.differs]
    assert first == sorted(first, reverse=True)  # type: ignore[type-var]


def test_a_row_has_both_answers_and_their_scores_and_no_value_of_the_request() -> None:
    champion, candidate = loaded("binary", 0, 1), loaded("binary", 40, 2)
    row = replay(requests_of(train("binary"), 300), champion, candidate).rows[0]
    assert {row.champion, row.candidate} == {"no", "yes"}
    assert set(row.champion_scores) == set(row.candidate_scores) == {"no", "yes"}
    instance = next(r for r in requests_of(train("binary"), 300) if r.prediction_id == row.prediction_id).instance
    told = json.dumps(dataclasses.asdict(row))
    assert f'"{instance[COLOUR]}"' not in told and instance[ID] not in told


def test_a_request_in_the_old_format_is_read_as_a_rollout_would_read_it_and_its_columns_are_named() -> None:
    champion = loaded("binary", 0, 1)
    asked = requests_of(train("binary"), 10)
    result = replay(asked, champion, with_fields(champion, Field(name="new/col~umn", type="number", example=1.0)))
    assert result.old_format == 10 and len(result.rows) == 10 and result.disagreements == 0
    assert result.columns == {"new/col~umn: not in the request, read as missing": 10}
    fewer = dataclasses.replace(champion, signature=champion.signature.model_copy(update={"ignored": []}), version=3)
    result = replay(asked, champion, fewer)
    assert result.columns == {f"{ID}: not read by version 3": 10} and len(result.rows) == 10


def test_a_request_with_a_value_that_the_candidate_cannot_read_is_counted_and_its_column_named() -> None:
    champion = loaded("binary", 0, 1)
    strict = with_fields(champion, Field(name=COLOUR, type="number", example=1.0), without=COLOUR)
    asked = [request for request in requests_of(train("binary"), 40) if request.instance[COLOUR]]
    result = replay(asked, champion, dataclasses.replace(strict, version=2))
    assert result.unread == len(asked) and not result.rows
    assert result.columns == {f"{COLOUR}: its value cannot be read": len(asked)}
    assert "red" not in json.dumps(result.columns)
    other_way = replay(asked, strict, champion)
    assert other_way.unread_by_champion == len(asked) and other_way.unread == 0


def scorer_that_fails(version: LoadedVersion, hours: float, *, raises: bool) -> LoadedVersion:
    """The same version, which raises an error, or gives no number, for rows with these hours."""
    real = version.scorer

    class Failing:
        def scores(self, columns: Any) -> Any:
            broken = columns.values[HOURS] == hours
            if raises and broken.any():
                raise RuntimeError("the graph fails")
            return np.where(broken[:, None], np.float32(np.nan), real.scores(columns))

    return dataclasses.replace(version, scorer=Failing())  # type: ignore[arg-type]


@pytest.mark.parametrize("raises", [True, False])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_row_that_only_the_candidate_cannot_score_differs_and_one_that_the_champion_cannot_is_left_out(
    task: Task, raises: bool
) -> None:
    sound = loaded(task, 0, 1)
    asked = [
        CapturedRequest(f"p{n}", request.instance | {HOURS: 77.0 if n in (2, 5) else 1.0 + n})
        for n, request in enumerate(requests_of(train(task), 9))
    ]
    broken = scorer_that_fails(dataclasses.replace(sound, version=2), 77.0, raises=raises)
    result = replay(asked, sound, broken)
    assert {row.prediction_id for row in result.rows if row.differs} == {"p2", "p5"} and len(result.rows) == 9
    assert all((row.candidate is None) == (row.distance is None) == row.differs for row in result.rows)
    json.dumps([dataclasses.asdict(row) for row in result.rows], allow_nan=False)
    result = replay(asked, broken, sound)
    assert (len(result.rows), result.disagreements, result.unread_by_champion) == (7, 0, 2)


def test_classes_of_only_one_of_the_versions_have_no_probability_in_the_other() -> None:
    binary = loaded("binary", 0, 1)
    renamed = dataclasses.replace(
        binary, version=2, signature=binary.signature.model_copy(update={"classes": ["no", "sure"]})
    )
    renamed.scorer.signature = renamed.signature
    row = replay(requests_of(train("binary"), 50), binary, renamed).rows[0]
    assert row.differs and (row.champion, row.candidate) == ("yes", "sure")
    assert row.distance == pytest.approx(row.champion_scores["yes"], abs=1e-6)


@pytest.mark.parametrize(
    ("count", "of", "low", "high"), [(0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (1, 1, 0.2065, 1)]
)
def test_wilsons_interval(count: int, of: int, low: float, high: float) -> None:
    assert wilson(count, of) == pytest.approx((low, high), abs=1e-3)


class Replayed:
    """A champion and a candidate, with captured requests of the champion."""

    def __init__(self, captured: int, seed: int = 40, old: bytes = b"", **pipeline: Any) -> None:
        self.store, self.registry, self.data = MemoryStore(), Registry(MemoryTable()), MemoryStore("data")
        cycle(train("binary"), self.store, self.registry, "r1").go_live(content="first")
        staging = {"rows": 20, "p99_ms": 10_000, "concurrency": [], **pipeline.pop("staging", {})}
        self.cycle = cycle(train("binary", seed=seed), self.store, self.registry, "r2", staging=staging, **pipeline)
        lines = [
            json.dumps({"prediction_id": r.prediction_id, "instance": r.instance, "model": MODEL, "version": 1})
            for r in requests_of(train("binary"), captured)
        ]
        self.data.upload(f"captures/model={MODEL}/{datetime.now(UTC):%Y/%m/%d/%H}/a", "\n".join(lines).encode())
        self.version = self.cycle.register("second").version

    def stage(self) -> Any:
        scored = score_candidate(self.cycle.score_candidate, artifacts=self.store, registry=self.registry, code="c")
        function = ServingFunction(self.registry, self.store)
        places = Places(self.store, self.data, self.registry, function, UNSIGNED, "c")
        return stage(self.cycle.stage(scored, self.version), places)


def test_the_result_of_staging_has_the_share_and_its_interval_and_all_rows_are_kept_with_the_version() -> None:
    run = Replayed(300)
    staged = run.stage()
    assert staged.verdict == "passed" and staged.replayed == 200 and staged.champion == 1
    low, high = staged.disagreement
    assert 0 < low < staged.disagreements / 200 < high < 1
    report = json.loads(run.store.read(staged.report))["replay"]
    assert len(report["most_different"]) == 20 and report["most_different"][0]["differs"]
    assert run.store.objects[f"{MODEL}/staging/00000002/r2/report.json"]
    rows = json.loads(run.store.objects[f"{MODEL}/staging/00000002/r2/replay.json"])
    assert len(rows) == 200 and rows[:20] == report["most_different"]


def test_more_disagreement_than_the_limit_is_final_and_a_share_that_may_be_chance_is_not() -> None:
    many = Replayed(300, staging={"disagreement": 0.0})
    staged = many.stage()
    assert staged.verdict == "refused" and "answered otherwise than by version 1" in staged.reasons[0]
    assert many.registry.standings.get(MODEL, 2).final
    share = staged.disagreements / staged.replayed
    close = Replayed(300, staging={"disagreement": share * 0.9})
    assert close.stage().verdict == "refused" and not close.registry.standings.get(MODEL, 2).final
    assert Replayed(300, staging={"disagreement": share * 1.01}).stage().verdict == "passed"


@pytest.mark.parametrize(
    ("captured", "staging", "note"),
    [
        (0, {}, "no captured requests to replay in the last 30 days"),
        (10, {"replay": 0}, "no captured requests replayed: staging.replay is 0"),
    ],
)
def test_what_was_not_replayed_is_told(captured: int, staging: dict[str, Any], note: str) -> None:
    staged = Replayed(captured, staging=staging).stage()
    assert staged.verdict == "passed" and note in staged.notes and staged.disagreement is None


def test_a_champion_that_is_gone_is_told_and_the_candidate_is_staged() -> None:
    run = Replayed(10)
    del run.store.objects[run.registry.versions.get(MODEL, 1).onnx.uri.removeprefix("s3://artifacts/")]
    staged = run.stage()
    assert staged.verdict == "passed" and any("version 1 cannot be loaded" in note for note in staged.notes)


def test_masked_values_are_missing_to_both_versions_and_their_columns_are_named() -> None:
    run, bare = Replayed(0), Replayed(0)
    for number, request in enumerate(requests_of(train("binary"), 20)):
        key = f"captures/model={MODEL}/{datetime.now(UTC):%Y/%m/%d/%H}/m{number}"
        record: dict[str, Any] = {"prediction_id": request.prediction_id, "instance": request.instance}
        bare.data.upload(key, json.dumps(record | {"instance": request.instance | {COLOUR: None}}).encode())
        masked = {"instance": request.instance | {COLOUR: "(masked)"}, "masked": [COLOUR]}
        run.data.upload(key, json.dumps(record | masked).encode())
    staged = run.stage()
    assert f"replayed as missing, since not captured: {COLOUR}" in staged.notes
    assert (staged.replayed, staged.disagreement) == (20, bare.stage().disagreement)


def test_requests_with_other_columns_are_told_with_the_columns() -> None:
    run = Replayed(5)
    old = [{"prediction_id": f"o{n}", "instance": {HOURS: 3.0, "gone": "secret"}} for n in range(3)]
    run.data.upload(
        f"captures/model={MODEL}/{datetime.now(UTC):%Y/%m/%d/%H}/b", "\n".join(map(json.dumps, old)).encode()
    )
    staged = run.stage()
    note = next(note for note in staged.notes if "other columns" in note)
    assert note.startswith("3 of 8 captured rows have other columns") and "gone: not read by version 2" in note
    assert "secret" not in json.dumps(staged.model_dump(mode="json"))
