"""`Candidate` explains an answer of any version and finds what alters it; `explain` says what speaks for a look."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.captured_prediction import Captured
from cli.explain import _wanted, values_to_try
from cli.review_reasons import is_same, reasons_for_review
from cli.screens.explained import explained_text
from modelcycle.faults import BadInput
from modelcycle.messages.group_thresholds import GroupThresholds
from modelcycle.model.loaded_version import LoadedVersion
from modelcycle.model.profile import ColumnProfile
from modelcycle.model.scoring import Scorer, predictions
from modelcycle.predict.changed_answer import changed_answer
from modelcycle.proxy_requests import proxy_request
from tests.trained import CLASSES, COLOUR, HOURS, MODEL, SEX, cycle, train
from tests.unit.test_candidate import ROW, Function

VALUES = {HOURS: [0, 10, 20, 30, 40, 60, 80], COLOUR: ["red", "blue", "green"], SEX: ["f", "m"]}
AGE = ColumnProfile(
    name="age", type="number", rows=9, missing=0, distinct=5, edges=[30.0, 40.0], counts=[3, 3, 3], minimum=20.0,
    maximum=60.0, percentile_1=21.0, percentile_99=59.0,
)  # fmt: skip
JOB = ColumnProfile(name="job", type="text", rows=9, missing=0, distinct=2, levels=["cook", "nurse"], counts=[5, 4])


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Function:
    return Function(monkeypatch)


def ask(function: Function, body: Any, version: int, status: int = 200) -> Any:
    path = f"/models/{MODEL}/versions/{version}/explain"
    names = {"name": MODEL, "version": str(version)}
    event = proxy_request("POST", path, "/models/{name}/versions/{version}/explain", names, "r1", body, stage="check")
    response = function.call(json.loads(event))
    assert response["statusCode"] == status, response["body"]
    return json.loads(response["body"])


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_the_changed_row_gets_the_answer_that_it_is_said_to_get(function: Function, task: Any) -> None:
    version = cycle(train(task), function.store, function.registry, "r1").register("c1").version
    told = ask(function, {"instance": ROW, "values": VALUES}, version)
    nearest = told["nearest"]
    assert told["version"] == version and told["prediction"] == nearest["answer"] != nearest["becomes"]
    changed = ROW | {name: change["to"] for name, change in nearest["changes"].items()}
    assert json.loads(function.ask(version, changed)["body"])["predictions"] == [nearest["becomes"]]
    assert all(change["from"] == ROW.get(name) for name, change in nearest["changes"].items())
    wanted = next(name for name in CLASSES[task] if name != told["prediction"])
    aimed = ask(function, {"instance": ROW, "values": VALUES, "to": wanted}, version)["nearest"]
    assert aimed["becomes"] == wanted or aimed["note"]


def test_a_number_needs_a_value_to_be_reached(function: Function) -> None:
    version = cycle(train("regression"), function.store, function.registry, "r1").register("c1").version
    told = ask(function, {"instance": ROW, "values": VALUES}, version)
    assert told["nearest"]["changes"] is None and "name the value to be reached" in told["nearest"]["note"]
    answer = told["nearest"]["answer"]
    for to in (answer - 0.5, answer + 0.5):
        nearest = ask(function, {"instance": ROW, "values": VALUES, "to": to}, version)["nearest"]
        assert nearest["note"] or (nearest["becomes"] - to) * (to - answer) >= -1e-6


@pytest.mark.parametrize(("body", "words"), [
    ([], "a row is expected"), ({"instance": ROW, "values": []}, "lists of values by column"),
    ({"instance": ROW, "to": "perhaps"}, "one of the other classes"),
    ({"instance": ROW, "values": {HOURS: ["many"]}}, "a value does not fit the column"),
    ({"instance": {"unheard": 1}}, "unheard"),
])  # fmt: skip
def test_a_wrong_question_is_refused_in_a_sentence(function: Function, body: Any, words: str) -> None:
    assert words in json.dumps(ask(function, body, function.register(), status=400), ensure_ascii=False)


def test_without_values_nothing_changes_and_that_is_said(function: Function) -> None:
    nearest = ask(function, {"instance": ROW}, function.register())["nearest"]
    assert nearest["changes"] is None and nearest["note"].startswith("no change of up to three columns")


def test_values_to_try_are_those_of_training_rows() -> None:
    assert values_to_try(AGE) == [21.0, 30.0, 40.0, 59.0] and values_to_try(JOB) == ["cook", "nurse"]


def answer(**changes: Any) -> dict[str, Any]:
    return {"prediction": "no", "explanation": None, "nearest": {"changes": changes or None, "note": ""}}


@pytest.mark.parametrize(("instance", "given", "state", "words"), [
    ({"age": 30, "job": "cook"}, answer(age={"from": 30, "to": 31}), "live", ["a small change of age"]),
    ({"age": 30, "job": "cook"}, answer(age={"from": 30, "to": 58}), "live", []),
    ({"age": 30, "job": "cook"}, answer(age={"from": None, "to": 58}), "live", []),
    ({"age": 99, "job": "pilot"}, answer(), "live", ["age has a value outside", "job has a value outside"]),
    ({"age": None}, answer(), "rolled_back", ["the version was rolled back since"]),
    ({"age": 30}, answer() | {"prediction": "yes"}, "live", ["does not give the recorded answer any more"]),
])  # fmt: skip
def test_what_speaks_for_a_humans_look_is_said(
    instance: dict[str, Any], given: dict[str, Any], state: str, words: list[str]
) -> None:
    captured = Captured({"prediction": "no"}, instance, [], "0" * 64)
    found = reasons_for_review(captured, given, {"age": AGE, "job": JOB}, ["age", "job"], state)
    assert len(found) == len(words) and all(word in told for word, told in zip(words, found, strict=True))


def test_answers_are_the_same_up_to_float32() -> None:
    assert is_same(0.1, 0.10000000149) and not is_same(0.1, 0.2) and not is_same(None, "no")


def test_the_screen_shows_each_part() -> None:
    told = {
        "prediction_id": "p1", "at": "2026-01-01", "model": "m", "version": 3, "state": "rolled_back",
        "model_sha256": "a" * 64, "inputs_sha256": "b" * 64, "prediction": "no", "notes": ["masked"],
        "explanation": {"of": "no", "score": 0.9, "reference": 0.5, "columns": {"age": 0.4, "job": 0.0}},
        "nearest": {"changes": {"age": {"from": 30.5, "to": None}}, "becomes": "yes", "note": ""}, "review": ["look"],
    }  # fmt: skip
    shown = explained_text(told)
    for part in ("m:3   rolled back", "age   +0.400", "age: 30.5 -> (missing)", "note: masked", "A human should look"):
        assert part in shown
    assert "job" not in shown
    assert "probability of no 0.900; the row of medians and most frequent texts has 0.500" in shown


def test_a_number_to_be_reached_is_written_as_the_data_or_the_screens_write_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    signature = train("regression").signature
    assert _wanted("1,500", signature, "") == 1500 and "--to 1,500 is read as 1,500" in capsys.readouterr().err
    assert _wanted("1.500,5", signature, "1.234,56") == 1500.5
    capsys.readouterr()
    assert _wanted("1500", signature, "1.234,56") == 1500 and not capsys.readouterr().err
    for text, told in (("many", "'many' is no number, as in 1.234,56"), ("inf", "is no number")):
        with pytest.raises(BadInput, match=told):
            _wanted(text, signature, "1.234,56")
    assert _wanted("blue", train("binary").signature, "") == "blue"


def test_thresholds_of_groups_decide_here_as_they_do_when_serving() -> None:
    trained = train("binary")
    groups = GroupThresholds.model_validate({
        "columns": [COLOUR],
        "groups": [{"values": ["blue"], "threshold": 0.02}, {"values": ["red"], "threshold": 0.98}],
    })  # fmt: skip
    signature = trained.signature.model_copy(update={"groups": groups})
    version = LoadedVersion(1, signature, Scorer(signature, trained.onnx))
    for colour in ("blue", "red"):
        row = {HOURS: 42.0, COLOUR: colour}
        told = changed_answer(version, row, VALUES, None)
        columns, _ = version.reader.read([row])
        assert [told["answer"]] == predictions(version.scorer.scores(columns), signature, columns)
        assert told["threshold"]["group"] == {COLOUR: colour} and told["becomes"] != told["answer"]
        changed, _ = version.reader.read([row | {name: one["to"] for name, one in told["changes"].items()}])
        assert [told["becomes"]] == predictions(version.scorer.scores(changed), signature, changed)
