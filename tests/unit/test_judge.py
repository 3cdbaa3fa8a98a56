"""The judge: a rollout goes on, waits, or is rolled back by what its version has answered."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.live_traffic import MODEL, ROLLOUT, Behaviour, LiveModel
from modelcycle.deploy import deploy, withdraw
from modelcycle.faults import Raced
from modelcycle.messages import DeployRequest, Judged, RolloutEnded
from modelcycle.policy import Shelf, deployed_shelf, parse_policy
from modelcycle.registry import Write
from modelcycle.store import Listed
from tests.fakes import MemoryTable

CANARY: dict[str, Any] = {"steps": [10, 100], "wait_minutes": 10}
SAME = Behaviour()


def live(challenger: Behaviour = SAME, rollout: dict[str, Any] | None = None, **more: Any) -> LiveModel:
    return LiveModel({1: SAME, 2: challenger}, CANARY if rollout is None else rollout, **more)


def weights(model: LiveModel) -> dict[int, int]:
    return model.registry.routes.get(MODEL).weights


def finding(judged: Judged, kind: str) -> Any:
    return next(one for one in judged.findings if one.kind == kind)


def begin(model: LiveModel, moves: int | None = 1, rollout: str = ROLLOUT) -> dict[str, Any]:
    """Make the first step; return the state of the execution."""
    message = DeployRequest(model=MODEL, version=2, actor="run r", moves=moves, rollout=rollout)
    state = deploy(message, registry=model.registry, artifacts=model.artifacts, policies=deployed_shelf()).wire()
    model._date_last_move(model.now)
    return state


@pytest.mark.parametrize(
    ("kind", "challenger", "more"),
    [
        ("errors", Behaviour(errors=0.1), {}),
        ("latency", Behaviour(milliseconds=6), {}),
        ("predictions", Behaviour(bias=2), {}),
        ("predictions", Behaviour(bias=15), {"task": "regression"}),
        ("quality", Behaviour(noise=3), {"label_share": 1.0, "label_delay": timedelta(minutes=1)}),
        ("quality", Behaviour(noise=9), {"label_share": 1.0, "task": "regression", "rollout": CANARY | {
            "evidence": {"shift": 1.0}}}),
    ],
)  # fmt: skip
def test_a_challenger_that_is_worse_is_rolled_back_by_itself(
    kind: str, challenger: Behaviour, more: dict[str, Any]
) -> None:
    model = live(challenger, **more)
    assert model.roll_out(30_000) == "RolledBack"
    last = model.judged[-1]
    assert finding(last, kind).verdict == "worse" and kind in last.reason
    assert weights(model) == {1: 100}
    standing = model.registry.standings.get(MODEL, 2)
    assert (standing.state, standing.by, standing.why) == ("rolled_back", "rollout", last.reason)
    assert standing.final == (kind != "latency"), "a slow hour says nothing about the model"
    move = model.registry.routes.moves(MODEL)[0]
    (entry,) = (one for one in model.registry.audit.all(MODEL) if one.decision == "withdraw")
    assert move.why == entry.why == last.reason and entry.evidence["findings"][0]["kind"] == "errors"
    assert any(write.kind == "event" and write.body["kind"] == "VersionRolledBack" for write in written(model))


def written(model: LiveModel) -> list[Write]:
    table = model.registry.table
    assert isinstance(table, MemoryTable)
    return table.written


@pytest.mark.parametrize("more", [{"task": "regression"}, {"rows": 7}, {"label_share": 1.0, "entities": 5_000}])
def test_an_equal_challenger_goes_live(more: dict[str, Any]) -> None:
    model = live(**more)
    assert model.roll_out() == "Finished" and weights(model) == {2: 100}
    assert model.judged[-1].verdict == "proceed" and model.answers[2] >= 200


@pytest.mark.parametrize("begins", ["before the judge has decided", "between its decision and the step"])
@pytest.mark.parametrize("shadow", [False, True])
def test_in_a_freeze_no_step_follows_and_a_version_that_turns_worse_is_still_rolled_back(
    begins: str, shadow: bool
) -> None:
    model = live(rollout=CANARY | {"shadow": shadow}, requests_per_minute=100 if shadow else 400)
    state = begin(model)
    if begins == "between its decision and the step":
        model.serve(timedelta(minutes=11))
        assert model.look(state).verdict == "proceed"
    days = f"from: {model.now:%Y-%m-%d}, until: {model.now + timedelta(days=3):%Y-%m-%d}"
    text = f"{{name: ab, version: 1, models: [m], freeze: [{{name: the sales, {days}}}]}}"
    model.policies = Shelf({"a.yaml": parse_policy(text)})
    if begins == "between its decision and the step":
        message = {name: state[name] for name in ("model", "version", "step", "actor", "why", "moves")}
        request = DeployRequest.from_event(message | {"rollout": ROLLOUT})
        held = deploy(
            request, registry=model.registry, artifacts=model.artifacts, policies=model.policies, now=model.now
        )
        assert (held.judged, held.look_seconds, held.moves, held.weight) == (True, 300, 2, 0 if shadow else 10)
        state = held.wire()
    model.serve(timedelta(minutes=11))
    judged = model.look(state)
    assert judged.verdict == "hold" and judged.reason.startswith("the sales: no version gets more traffic until")
    assert 0 < judged.wait_seconds <= 3600 and "nothing is worse" in judged.reason and not judged.overdue
    kept = model.policies
    model.policies = deployed_shelf()
    if begins == "between its decision and the step":
        assert model.look(state).verdict == "proceed", "after the freeze"
    model.policies = kept
    model.behaviours[2] = Behaviour(errors=1.0, bias=6)  # the simulation fails no shadow
    model.serve(timedelta(minutes=20))
    assert model.look(state).verdict == "roll_back" and weights(model) == {1: 100}
    assert model.look(state).verdict == "roll_back" and model.registry.routes.get(MODEL).moves == 3, "delivered twice"
    assert model.registry.standings.get(MODEL, 2).state == "rolled_back"


def test_a_freeze_does_not_prolong_the_watch_of_a_version_with_all_the_traffic() -> None:
    model = live(rollout={"steps": [100], "watch_minutes": 20})
    state = begin(model)
    model.policies = Shelf(
        {
            "a.yaml": parse_policy(
                "{name: ab, version: 1, models: [m], freeze: [{name: x, from: 2020-01-01, until: 2099-01-01}]}"
            )
        }
    )
    model.serve(timedelta(minutes=21))
    assert model.look(state).verdict == "proceed"


def test_all_at_once_asks_no_judge() -> None:
    model = live(Behaviour(errors=1.0), {"steps": [100]})
    assert model.roll_out() == "Finished"
    assert not model.judged and not model.requests


def test_the_first_version_has_nothing_to_be_compared_with() -> None:
    model = live(rollout={"steps": [10, 100], "watch_minutes": 5})
    empty = live()
    empty.registry.table.records.clear()  # type: ignore[attr-defined]
    empty._register(1)
    deployed = deploy(
        DeployRequest(model=MODEL, version=1, actor="run r", moves=0, rollout=ROLLOUT),
        registry=empty.registry, artifacts=empty.artifacts, policies=deployed_shelf(),
    )  # fmt: skip
    assert (deployed.weight, deployed.done, deployed.judged) == (100, True, False)
    assert model.roll_out() == "Finished" and model.judged[-1].done


def test_a_step_waits_for_its_answers_and_for_its_time() -> None:
    model = live(requests_per_minute=600)
    assert model.roll_out() == "Finished"
    early = [judged for judged in model.judged if judged.verdict == "hold"]
    assert early and "more; nothing is worse" in early[-1].reason, "the answers were there, the time was not over"
    assert model.now - model.registry.routes.move(MODEL, 2).at >= timedelta(minutes=10)  # type: ignore[union-attr]
    slow = live(requests_per_minute=20)
    assert slow.roll_out() == "Finished"
    assert any("of at least 200 answers" in judged.reason for judged in slow.judged)
    assert slow.answers[2] >= 200


@pytest.mark.parametrize(("unproven", "end"), [("proceed", "Finished"), ("hold", "Unfinished")])
def test_after_its_patience_the_pipeline_file_decides(unproven: str, end: str) -> None:
    rollout = CANARY | {"evidence": {"patience_hours": 2, "unproven": unproven}}
    model = live(rollout=rollout, requests_per_minute=2)
    assert model.roll_out(600) == end
    last = model.judged[-1]
    assert "unproven" in last.reason and last.overdue == (unproven == "hold")
    held = [write for write in written(model) if write.kind == "event" and write.body["kind"] == "VersionHeld"]
    assert len(held) == (unproven == "hold"), "announced once"


def test_without_captures_nothing_is_waited_for() -> None:
    model = live(capture={"sample": 0.0}, requests_per_minute=0)
    assert model.roll_out() == "Finished"
    assert "capture.sample is 0" in model.judged[-1].reason


def test_what_looks_worse_but_may_be_chance_is_waited_for() -> None:
    model = live(Behaviour(errors=0.03), requests_per_minute=300)
    assert model.roll_out(50_000) == "RolledBack"
    assert any("perhaps by chance" in judged.reason for judged in model.judged)


def test_a_shadow_is_judged_before_anybody_sees_it_and_on_the_same_rows() -> None:
    rollout = CANARY | {"shadow": True}
    model = live(Behaviour(noise=2.5), rollout, label_share=1.0, label_delay=timedelta(minutes=1))
    assert model.roll_out(20_000) == "RolledBack"
    quality = finding(model.judged[-1], "quality")
    assert quality.verdict == "worse" and "the same rows" in quality.detail
    assert quality.rows[0] == quality.rows[1]
    assert weights(model) == {1: 100} and model.registry.routes.get(MODEL).shadow is None
    assert all(2 not in move.after for move in model.registry.routes.moves(MODEL))
    assert model.registry.standings.get(MODEL, 2).state == "rolled_back"
    equal = live(rollout=rollout)
    assert equal.roll_out() == "Finished" and weights(equal) == {2: 100}
    kinds = [move.kind for move in reversed(equal.registry.routes.moves(MODEL))]
    assert kinds == ["promoted", "shadowed", "promoted", "promoted"]


def test_blue_green_goes_back_within_its_watch() -> None:
    rollout = {"steps": [100], "watch_minutes": 60}
    model = live(Behaviour(bias=2.5), rollout, requests_per_minute=25)
    model.serve(timedelta(hours=2))
    assert model.roll_out() == "RolledBack" and weights(model) == {1: 100}
    equal = live(rollout=rollout, requests_per_minute=25)
    equal.serve(timedelta(hours=2))
    assert equal.roll_out() == "Finished" and weights(equal) == {2: 100}
    assert "watched for 60 min" in equal.judged[-1].reason


def test_a_rollout_that_continues_from_the_share_of_a_dead_one_takes_it_back() -> None:
    model = live(Behaviour(errors=1.0))
    begin(model, rollout="dead")
    state = begin(model, moves=2)
    assert (state["weight"], state["moves"], state["judged"]) == (10, 2, True), "it had its first share already"
    model.serve(timedelta(minutes=5))
    assert model.look(state).verdict == "roll_back" and weights(model) == {1: 100}


def test_a_worse_version_without_one_to_go_back_to_waits_for_a_person() -> None:
    model = live(Behaviour(errors=1.0), {"steps": [100], "watch_minutes": 60})
    model.serve(timedelta(hours=1))
    state = begin(model)
    for rejected in ("awaiting_approval", "rejected"):  # a later run made version 1 again, and a person refused it
        model.registry.standings.move(MODEL, 1, rejected, "ann")  # type: ignore[arg-type]
    model.serve(timedelta(minutes=10))
    judged = model.look(state)
    assert (judged.verdict, judged.overdue, weights(model)) == ("hold", True, {2: 100})
    assert judged.wait_seconds > 0 and "a person has to replace this one: worse than version 1" in judged.reason
    assert model.look(state).verdict == "hold"
    held = [write for write in written(model) if write.kind == "event" and write.body["kind"] == "VersionHeld"]
    assert len(held) == 1, "announced once"


def test_the_usual_difference_of_two_versions_does_not_count() -> None:
    shifted = Behaviour(bias=2)
    assert live(shifted).roll_out(100_000) == "RolledBack"
    model = live(shifted, prediction_distance=0.4)
    assert model.roll_out(100_000) == "Finished"
    assert "on test rows" in finding(model.judged[-1], "predictions").detail


def test_one_customer_is_one_observation() -> None:
    """Five customers ask a thousand times: which of them the canary got is no evidence about its predictions."""
    model = live(entities=5, rollout=CANARY | {"steps": [50, 100]}, label_share=1.0)
    assert model.roll_out() == "Finished"
    assert sum(finding(model.judged[-1], "predictions").rows) <= 5


def test_a_judgement_that_is_delivered_twice_moves_once() -> None:
    model = live(Behaviour(errors=1.0))
    state = begin(model)
    model.serve(timedelta(minutes=5))
    first = model.look(state)
    assert first.verdict == "roll_back" and model.look(state) == first
    assert model.registry.routes.get(MODEL).moves == 3
    (record,) = model.registry.judgements.of_version(MODEL, 2)
    assert record.judged == first and record.looks == 1


def test_a_person_who_moves_the_traffic_meanwhile_has_decided() -> None:
    model = live(Behaviour(errors=1.0))
    state = begin(model)
    model.serve(timedelta(minutes=5))
    table = model.registry.table
    assert isinstance(table, MemoryTable)
    write = table.write

    def raced(*writes: Write) -> None:
        if any(one.sk == "ROUTE" for one in writes):
            table.write = write  # type: ignore[method-assign]
            model.registry.routes.promote(MODEL, 2, 100, "ann")
        write(*writes)

    table.write = raced  # type: ignore[method-assign]
    assert model.look(state).verdict == "overruled"
    assert weights(model) == {2: 100} and model.look(state).verdict == "overruled"


def test_a_judge_that_dies_before_its_write_has_moved_nothing() -> None:
    model = live(Behaviour(errors=1.0))
    state = begin(model)
    model.serve(timedelta(minutes=5))
    table = model.registry.table
    assert isinstance(table, MemoryTable)
    write = table.write

    def dies(*writes: Write) -> None:
        raise Raced("killed")

    table.write = dies  # type: ignore[method-assign]
    with pytest.raises(Raced):
        model.look(state)
    assert weights(model) == {1: 90, 2: 10} and not model.registry.judgements.of_version(MODEL, 2)
    table.write = write  # type: ignore[method-assign]
    assert model.look(state).verdict == "roll_back"
    ended = RolloutEnded(model=MODEL, version=2, rollout=ROLLOUT)
    assert not withdraw(ended, registry=model.registry).put_back


def test_the_steps_of_a_shadow_rollout_may_be_delivered_twice() -> None:
    model = live(rollout=CANARY | {"shadow": True})
    first = begin(model)
    assert begin(model) == first and (first["step"], first["weight"], first["moves"]) == (0, 0, 2)
    second = begin(model, moves=2)
    assert begin(model, moves=2) == second and (second["step"], second["weight"], second["moves"]) == (1, 10, 3)
    assert begin(model) == first, "a late delivery of the first step finds its own move"
    assert model.registry.routes.get(MODEL).moves == 3


def test_a_shadow_of_an_execution_that_knows_no_move_may_be_delivered_twice() -> None:
    model = live(rollout=CANARY | {"shadow": True})
    first = begin(model, moves=None)
    assert begin(model, moves=None) == first and (first["weight"], first["moves"]) == (0, 2)
    assert model.registry.routes.get(MODEL).shadow == 2


def test_objects_that_cannot_be_read_are_counted_and_the_others_are_read() -> None:
    model = live(requests_per_minute=2_000)
    state = begin(model)
    model.serve(timedelta(minutes=1))
    folder = f"captures/model={MODEL}/{model.now:%Y/%m/%d/%H}/"
    (key,) = (key for key in model.data.objects if key.startswith(folder))
    model.data.upload(f"{key}.gz", gzip.compress(model.data.objects[key]) + b"broken")
    model.data.upload(f"{key}-again.gz", gzip.compress(model.data.objects[key] + b'\n{"half": '))
    model.data.upload(f"feedback/{MODEL}/1.csv", b"id,truth\n1,2\n")
    model.data.upload(f"feedback/{MODEL}/2.json", b'[{"prediction_id": "a", "outcome": "yes"}]')
    model.data.upload(f"feedback/{MODEL}/3.jsonl", b'{"Prediction_Id": "a", "Outcome": "yes"}')
    model.data.upload(f"feedback/{MODEL}/4.tsv", b"prediction_id\toutcome\na\tyes\n")
    once = model.answers[2]
    judged = model.look(state)
    assert finding(judged, "errors").rows[1] == once, "each answer counts once"
    assert "objects with captured answers that could not be read: 1" in judged.reason
    assert "objects with outcomes that have no row with a prediction_id and an outcome: 2" in judged.reason


def test_an_object_that_is_deleted_while_it_is_read_fails_no_rollout(monkeypatch: pytest.MonkeyPatch) -> None:
    model = live(requests_per_minute=300)
    state = begin(model)
    model.serve(timedelta(minutes=1))
    once = model.answers[2]
    model.serve(timedelta(minutes=1))
    newest = max(key for key in model.data.objects if key.startswith("captures/"))
    download = model.data.download

    def deleting(listed: Listed, path: Path) -> str | None:
        model.data.objects.pop(newest, None)
        return download(listed, path)

    monkeypatch.setattr(model.data, "download", deleting)
    judged = model.look(state)
    assert judged.verdict == "hold" and finding(judged, "errors").rows[1] == once
    assert "objects with captured answers that could not be read: 1" in judged.reason


def test_outcomes_are_read_as_systems_write_them_and_the_latest_counts() -> None:
    model = live(requests_per_minute=3_000, rollout=CANARY | {"steps": [50, 100]})
    state = begin(model)
    model.serve(timedelta(minutes=1))
    lines = [
        json.loads(line)
        for key, body in model.data.objects.items()
        if key.startswith("captures/")
        for line in body.splitlines()
    ]

    def entity(line: dict[str, Any]) -> tuple[int, float]:
        return line["version"], line["instance"]["x"]

    ids = [line["prediction_id"] for line in lines]
    model.data.upload(f"feedback/{MODEL}/1.jsonl", b"".join(
        json.dumps({"prediction_id": one, "outcome": "maybe"}).encode() + b"\n" for one in ids
    ))  # fmt: skip
    judged = model.look(state)
    assert (
        finding(judged, "quality").verdict == "not known" and "outcomes are not a class of the model" in judged.reason
    )
    model.data.upload(
        f"feedback/{MODEL}/2.csv", ("prediction_id,outcome\n" + "".join(f"{one}, YES\n" for one in ids)).encode()
    )
    judged = model.look(state)
    assert sum(finding(judged, "quality").rows) == len(set(map(entity, lines))) and "not a class" not in judged.reason


def test_outcomes_are_read_as_the_files_write_their_numbers() -> None:
    model = live(task="regression", number_format="1.234,56", rollout=CANARY | {"steps": [50, 100]})
    state = begin(model)
    model.serve(timedelta(minutes=10))
    lines = [
        json.loads(line)
        for key, body in model.data.objects.items()
        if key.startswith("captures/")
        for line in body.splitlines()
    ]
    ids = [line["prediction_id"] for line in lines]
    model.data.upload(f"feedback/{MODEL}/1.jsonl", b"".join(
        json.dumps({"prediction_id": one, "outcome": "1.003,5"}).encode() + b"\n" for one in ids
    ))  # fmt: skip
    judged = model.look(state)
    assert finding(judged, "quality").champion > 900_000 and "are not a number" not in judged.reason


def test_a_model_with_a_name_that_another_begins_with_has_its_own_captures() -> None:
    model = live(requests_per_minute=1_000)
    state = begin(model)
    model.serve(timedelta(minutes=1))
    for key, body in list(model.data.objects.items()):
        model.data.upload(key.replace("model=m/", "model=m-2/"), body.replace(b'"model": "m"', b'"model": "m-2"'))
    assert finding(model.look(state), "errors").rows[1] == model.answers[2]


def test_a_shadow_that_answers_nothing_while_others_do_is_taken_back() -> None:
    model = live(rollout=CANARY | {"shadow": True})
    state = begin(model)
    model.serve(timedelta(minutes=11))
    for key, body in list(model.data.objects.items()):
        lines = [line for line in body.splitlines(keepends=True) if b'"shadow": true' not in line]
        model.data.upload(key, b"".join(lines))
    judged = model.look(state)
    assert judged.verdict == "roll_back" and "could it not be loaded" in judged.reason
    assert not model.registry.standings.get(MODEL, 2).final


def test_a_failed_line_of_a_shadow_has_the_id_of_the_answered_row_and_still_counts() -> None:
    model = live(rollout=CANARY | {"shadow": True})
    state = begin(model)
    model.serve(timedelta(minutes=5))
    for key, body in list(model.data.objects.items()):
        lines = [json.loads(line) for line in body.splitlines()]
        for line in lines:
            if line.get("shadow"):
                line |= {"version": 1, "assigned": 2, "failure": "KeyError", "prediction_id": line["beside"]}
        model.data.upload(key, b"\n".join(json.dumps(line).encode() for line in lines))
    judged = model.look(state)
    assert judged.verdict == "roll_back" and "100.0% of its requests failed (KeyError)" in judged.reason
    assert finding(judged, "errors").champion == 0


def test_masked_columns_do_not_turn_different_rows_into_one_entity() -> None:
    model = live(capture={"mask": ["x"]}, requests_per_minute=1_000)
    state = begin(model)
    model.serve(timedelta(minutes=1))
    for key, body in list(model.data.objects.items()):
        lines = [json.loads(line) | {"instance": {"x": "(masked)"}} for line in body.splitlines()]
        model.data.upload(key, b"\n".join(json.dumps(line).encode() for line in lines))
    judged = model.look(state)
    assert finding(judged, "predictions").rows == (model.answers[1], model.answers[2])
    assert "capture.mask or privacy hides what an entity is" in judged.reason
