"""Versions with other columns on one route: who answers, who is refused, and what is recorded."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from modelcycle.faults import BadRequest, Fault
from modelcycle.model.answer import LoadedVersion, answer, columns_of_request
from modelcycle.model.fields import Field
from modelcycle.model.plan import Input
from modelcycle.model.routing import entity_key, version_for
from modelcycle.model.scoring import Scorer
from modelcycle.predict.predict import Served
from modelcycle.predict.shadow import shadow_answer
from modelcycle.registry import Route
from tests.prediction_api import INFER, PREDICT, Api
from tests.trained import COLOUR, HOURS, ID, MODEL, body, cycle, train

AREA, DAY = "plz / Ärea", "since day"
OLD: dict[str, Any] = {HOURS: 47.5, COLOUR: "red"}
NEW: dict[str, Any] = {HOURS: 47.5, AREA: "north"}  # has a new column, and does not know an old one


def version(number: int, renamed: str = COLOUR, hours: Any = "number") -> LoadedVersion:
    """A version that reads its text column from `renamed`, and HOURS as another type."""
    trained = train("binary")
    fields = [Field(name=HOURS, type=hours), Field(name=renamed, type="text")]
    inputs = [trained.signature.inputs[0], Input(name="x1", column=renamed, kind="text")]
    signature = trained.signature.model_copy(update={"fields": fields, "inputs": inputs})
    return LoadedVersion(number, signature, Scorer(signature, trained.onnx))


class Broken:
    """A graph that raises, or gives NaN for rows whose number is above 50."""

    def __init__(self, scorer: Any, error: Exception | None = None) -> None:
        self.scorer = scorer
        self.error = error

    def scores(self, columns: Any) -> Any:
        if self.error:
            raise self.error
        scores = self.scorer.scores(columns)
        scores[np.asarray(columns.values[HOURS]) > 50] = np.nan
        return scores


def broken(one: LoadedVersion, error: Exception | None = None) -> LoadedVersion:
    return dataclasses.replace(one, scorer=Broken(one.scorer, error))  # type: ignore[arg-type]


def ask(rows: list[dict[str, Any]], weights: dict[int, int], *versions: LoadedVersion, **route: Any) -> Any:
    loaded = {one.version: one for one in versions}
    return answer({"instances": rows}, Route(weights=weights, **route), loaded, "key")


def pointers(fault: BadRequest) -> list[str]:
    return [error["pointer"] for error in fault.errors]


def test_the_weights_hold_for_the_old_and_the_new_format_and_each_entity_stays_on_its_version() -> None:
    old, new = version(1), version(2, AREA)
    entities = [f"c{number}" for number in range(400)]
    rows = [form | {ID: entity} for form in (OLD, NEW) for entity in entities]
    answered = ask(rows, {1: 70, 2: 30}, old, new, previous=1)
    assert answered.versions == answered.assigned and answered.failures == {}
    assert answered.versions[:400] == answered.versions[400:]
    assert answered.versions[:400] == [
        version_for(MODEL, {1: 70, 2: 30}, entity_key({ID: entity}, [ID])) for entity in entities
    ]
    assert 0.24 < answered.versions[:400].count(2) / 400 < 0.36
    assert set(answered.milliseconds) == {1, 2} and min(answered.milliseconds.values()) > 0


def test_a_column_that_a_row_does_not_have_is_missing_to_the_version_that_reads_it() -> None:
    old, new = version(1), version(2, AREA)
    for weights in ({1: 100}, {2: 100}):
        other = 3 - next(iter(weights))
        absent = ask([{HOURS: 47.5, ID: 7}], weights, old, new, previous=other)
        null = ask([{HOURS: 47.5, COLOUR: None, AREA: None, ID: 7}], weights, old, new, previous=other)
        assert absent.probabilities == null.probabilities
    given = ask([{HOURS: 47.5, COLOUR: "red", AREA: "red"}], {2: 100}, old, new, previous=1)
    assert given.probabilities == ask([OLD], {1: 100}, old).probabilities != absent.probabilities


def test_an_old_client_is_refused_when_the_version_before_is_neither_live_nor_previous() -> None:
    old, new = version(1), version(2, AREA)
    for route in (
        Route(weights={1: 100}), Route(weights={1: 100}, shadow=2), Route(weights={1: 90, 2: 10}, previous=1),
        Route(weights={2: 100}, previous=1),
    ):  # fmt: skip
        assert answer({"instances": [OLD]}, route, {1: old, 2: new}, "k").predictions == ["yes"]
    with pytest.raises(BadRequest) as refused:
        answer({"instances": [OLD]}, Route(weights={2: 100}), {2: new}, "k")
    escaped = [name.replace("/", "~1") for name in (COLOUR, AREA)]
    assert pointers(refused.value) == [f"/instances/0/{name}" for name in escaped]


def test_a_column_that_no_version_knows_and_one_that_all_read_are_refused_as_before() -> None:
    old, new = version(1), version(2, AREA)
    with pytest.raises(BadRequest) as refused:
        ask([OLD, {COLOUR: "red", "colr": 1}], {1: 90, 2: 10}, old, new, previous=1)
    assert pointers(refused.value) == ["/instances/1/colr", "/instances/1/hours ~1 week"]
    assert [error["detail"] for error in refused.value.errors] == [
        f"{MODEL} has no such column", "the column is missing; send null for a missing value",
    ]  # fmt: skip


def test_a_shadow_reads_its_columns_and_never_answers() -> None:
    live, shadow = version(1), version(2, AREA)
    assert ask([OLD | {AREA: "north"}], {1: 100}, live, shadow, shadow=2).versions == [1]
    columns = columns_of_request(Route(weights={1: 100}, shadow=2), {1: live, 2: shadow})
    assert ([field.name for field in columns.fields], columns.required) == ([HOURS, COLOUR, AREA], {HOURS})
    with pytest.raises(Fault, match="cannot score a row") as refused:
        ask([OLD], {1: 100}, broken(live, ValueError("x")), shadow, shadow=2)
    assert type(refused.value) is Fault


def test_only_the_rows_that_a_version_cannot_read_are_answered_by_another_one() -> None:
    """In the request of a thousand rows as in that of one: a row never changes who answers its neighbours."""
    numbers, booleans = version(1), version(2, hours="boolean")
    rows: list[dict[str, Any]] = [
        {HOURS: True if number % 3 else 40, COLOUR: "red", ID: f"c{number}"} for number in range(200)
    ]
    weights = {1: 60, 2: 40}
    answered = ask(rows, weights, numbers, booleans, previous=1)
    assert answered.assigned == [version_for(MODEL, weights, entity_key(row, [ID])) for row in rows]
    assert answered.versions == [2 if row[HOURS] is True else 1 for row in rows]
    assert answered.failures == {1: "BadRequest", 2: "BadRequest"}
    assert None not in answered.predictions
    alone = [ask([row], weights, numbers, booleans, previous=1) for row in rows]
    assert [one.versions[0] for one in alone] == answered.versions
    assert [one.probabilities[0] for one in alone] == answered.probabilities


def test_rows_that_no_version_can_read_are_refused_in_the_words_of_the_champion() -> None:
    numbers, booleans = version(1), version(2, hours="boolean")
    rows: list[dict[str, Any]] = [OLD | {HOURS: value} for value in (True, "forty", 40, "fifty")]
    for weights, sentence in (({1: 90, 2: 10}, "a number is expected"), ({1: 10, 2: 90}, "true or false is expected")):
        with pytest.raises(BadRequest) as refused:
            ask(rows, weights, numbers, booleans, previous=1)
        assert pointers(refused.value) == [f"/instances/{row}/hours ~1 week" for row in (1, 3)]
        assert all(sentence in error["detail"] for error in refused.value.errors)


def test_a_row_without_any_column_of_a_version_is_not_for_that_version() -> None:
    """Formats with nothing in common: no column is required, and yet an empty row is no row."""
    trained = train("binary")

    def only(number: int, column: str) -> LoadedVersion:
        fields = [Field(name=column, type="number")]
        inputs = [Input(name="x0", column=column, kind="number"), Input(name="x1", column=column, kind="number")]
        signature = trained.signature.model_copy(update={"fields": fields, "inputs": inputs})
        return LoadedVersion(number, signature, _Constant(signature))  # type: ignore[arg-type]

    one, other = only(1, HOURS), only(2, AREA)
    answered = ask([{HOURS: 1, ID: f"c{n}"} for n in range(60)], {1: 50, 2: 50}, one, other, previous=1)
    assert set(answered.assigned) == {1, 2} and set(answered.versions) == {1}
    with pytest.raises(BadRequest, match="none of the columns"):
        ask([{ID: "c1"}], {1: 50, 2: 50}, one, other, previous=1)


class _Constant:
    def __init__(self, signature: Any) -> None:
        self.signature = signature

    def scores(self, columns: Any) -> Any:
        return np.tile(np.float32([0.25, 0.75]), (columns.rows, 1))


@pytest.mark.parametrize("error", [RuntimeError("x"), MemoryError(), KeyError("a column"), IndexError()])
@pytest.mark.parametrize("harmed", [1, 2])
def test_a_version_that_raises_is_a_failure_of_that_version(error: Exception, harmed: int) -> None:
    versions = [version(1), version(2, AREA)]
    versions[harmed - 1] = broken(versions[harmed - 1], error)
    rows = [form | {ID: f"c{number}"} for form in (OLD, NEW) for number in range(40)]
    answered = ask(rows, {1: 60, 2: 40}, *versions, previous=1)
    assert set(answered.versions) == {3 - harmed} and set(answered.assigned) == {1, 2}
    assert answered.failures == {harmed: type(error).__name__} and list(answered.milliseconds) == [3 - harmed]


def test_rows_without_a_finite_score_are_answered_by_another_version() -> None:
    rows = [OLD | {HOURS: hours, ID: f"c{hours}"} for hours in (30, 55, 45, 60)]
    answered = ask(rows, {2: 100}, version(1), broken(version(2)), previous=1)
    assert (answered.versions, answered.failures) == ([2, 1, 2, 1], {2: "NotFinite"})
    json.dumps(answered.wire(), allow_nan=False)
    with pytest.raises(Fault, match="the model cannot score a row") as refused:
        ask(rows, {2: 100}, broken(version(2)))
    assert (refused.value.where, refused.value.remedy) == ("/instances/1", "version 2 fails with NotFinite")


def test_the_others_are_asked_in_the_order_champion_share_previous() -> None:
    good, weights = {number: version(number) for number in (1, 2, 3, 4)}, {2: 30, 3: 50, 4: 20}
    assert Route(weights=weights, previous=1).order == [3, 2, 4, 1]
    for harmed, answering in (([4], 3), ([3, 4], 2), ([2, 3], 4), ([2, 3, 4], 1)):
        versions = [broken(one, ValueError()) if number in harmed else one for number, one in good.items()]
        answered = ask([OLD | {ID: number} for number in range(99)], weights, *versions, previous=1)
        lost = [row for row, assigned in enumerate(answered.assigned) if assigned in harmed]
        assert lost and {answered.versions[row] for row in lost} == {answering}
        kept = set(range(99)) - set(lost)
        assert all(answered.versions[row] == answered.assigned[row] for row in kept)


def test_the_rows_of_a_version_that_is_not_loaded_keep_their_assignment() -> None:
    rows = [OLD | {ID: f"c{number}"} for number in range(60)]
    answered = ask(rows, {1: 50, 2: 50}, version(1), previous=1)
    assert set(answered.assigned) == {1, 2} and set(answered.versions) == {1}
    assert answered.failures == {2: "NotLoaded"}
    records = list(answered.records(datetime.now(UTC)))
    assert {(one["version"], one.get("assigned"), one.get("failure")) for one in records} == {
        (1, None, None), (1, 2, "NotLoaded"),
    }  # fmt: skip


def other_format(api: Api, weight: int) -> int:
    """Register a version with the columns of NEW, and give it a share."""
    trained = train("binary")
    fields = [trained.signature.fields[0], Field(name=AREA, type="text", example="north")]
    inputs = [trained.signature.inputs[0], Input(name="x1", column=AREA, kind="text")]
    signature = trained.signature.model_copy(update={"fields": fields, "inputs": inputs})
    newer = cycle(dataclasses.replace(trained, signature=signature), api.store, api.registry, "new format")
    return newer.go_live(weight, content="new format").version


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


def test_both_protocols_and_the_description_follow_the_columns_of_all_versions(api: Api) -> None:
    api.go_live()
    other_format(api, 100)
    described = api.call(f"/v2/models/{MODEL}", method="GET")[1]["inputs"]
    assert [(tensor["name"], "parameters" in tensor) for tensor in described] == [
        (HOURS, False), (AREA, True), (COLOUR, True),
    ]  # fmt: skip
    for row in (OLD, NEW, OLD | NEW):
        tensors = [
            {"name": name, "shape": [1], "datatype": "FP64" if name == HOURS else "BYTES", "data": [value]}
            for name, value in row.items()
        ]
        by_rows, by_tensors = api.call(PREDICT, body(row)), api.call(INFER, json.dumps({"inputs": tensors}))
        assert (by_rows[0], by_rows[1]["version"], by_tensors[0], by_tensors[1]["model_version"]) == (200, 2, 200, "2")
    api.go_live(seed=50)  # the format of the first version again; the other one is the previous version
    api.now += 2
    assert {api.call(PREDICT, body(row))[0] for row in (OLD, NEW)} == {200}
    api.go_live(seed=60)
    api.now += 2
    assert [api.call(PREDICT, body(row))[0] for row in (OLD, NEW)] == [200, 400]


def test_a_failure_of_a_version_is_logged_and_counted(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.go_live()
    api.go_live(seed=50)
    api.call(PREDICT, body(OLD))
    loaded = api.live_models._models[MODEL].loaded
    loaded[2] = broken(loaded[2], MemoryError())
    capsys.readouterr()
    status, response, _ = api.call(PREDICT, body(OLD))
    assert (status, response["version"]) == (200, 1)
    assert '"VersionFailed":[1.0]' in capsys.readouterr().out.replace(" ", "")
    assert '"failures":{"2":"MemoryError"}' in api.log.getvalue().replace(" ", "")


def test_a_live_model_that_cannot_score_is_a_problem_document(api: Api) -> None:
    api.go_live()
    api.call(PREDICT, body(OLD))
    loaded = api.live_models._models[MODEL].loaded
    loaded[1] = broken(loaded[1], RuntimeError("of 47.5"))
    status, response, headers = api.call(PREDICT, body(OLD))
    assert (status, headers["Content-Type"]) == (500, "application/problem+json")
    assert response["detail"] == "the model cannot score a row" and "47.5" not in json.dumps(response)


def test_a_shadow_is_loaded_and_dropped_when_it_ends(api: Api) -> None:
    api.go_live()
    trained = cycle(train("binary", seed=50), api.store, api.registry, "shadow")
    number = trained.register(content="shadow").version
    api.registry.standings.move(MODEL, number, "staged", "run r")
    api.registry.routes.shadow(MODEL, number, "run r")
    assert api.call(PREDICT, body(OLD))[1]["version"] == 1
    assert set(api.live_models.get(MODEL).loaded) == {1, number}
    api.registry.routes.roll_back(MODEL, "ann", version=1)
    api.now += 2
    assert set(api.live_models.get(MODEL).loaded) == {1}


def test_a_shadow_reads_requests_of_every_format_on_the_route() -> None:
    """The third format is that of the previous version; the shadow has one of its own."""
    live, shadow, previous = version(2, AREA), version(3, "shadow's"), version(1)
    route = Route(weights={2: 100}, previous=1, shadow=3)
    loaded = {1: previous, 2: live, 3: shadow}
    for row in (OLD, NEW, {HOURS: 1.0, "shadow's": "red"}):
        answered = answer({"instances": [row]}, route, loaded, "key")
        beside = shadow_answer(Served(**vars(answered), key="key", route=route, loaded=loaded))
        assert beside is not None
        assert (beside.versions, beside.assigned, beside.failures) == ([3], [3], {})


def test_ids_and_entities_are_those_of_the_instance_as_json_with_sorted_keys() -> None:
    """Captures, feedback and idempotency keys outlive this code; an entity stays on its version."""
    rows: list[dict[str, Any]] = [{"b/ü": 'q"\n', HOURS: 1, ID: None}, {HOURS: 0.1, COLOUR: "ünï"}, {HOURS: 2, ID: 7}]
    one, weights = version(1), {1: 50, 2: 50}
    one = dataclasses.replace(one, signature=one.signature.model_copy(update={"ignored": [ID, "b/ü", COLOUR]}))
    both = [one, dataclasses.replace(one, version=2)]
    answered = ask([row | {COLOUR: row.get(COLOUR)} for row in rows], weights, *both)
    for position, (row, number) in enumerate(zip(rows, answered.versions, strict=True)):
        sent = row | {COLOUR: row.get(COLOUR)}
        content = json.dumps([MODEL, number, "key", position, sent], sort_keys=True)
        assert answered.ids[position] == hashlib.sha256(content.encode()).hexdigest()[:32]
        entity = {ID: 7} if row.get(ID) else sent
        assert number == version_for(MODEL, weights, json.dumps(entity, sort_keys=True))
