"""Explanations: contributions of columns that add up, and that the API and the screen show."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.screens.explanations import explanations_text
from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.explain import explain, rows_scored
from modelcycle.model.fields import Field
from modelcycle.model.plan import Input
from modelcycle.model.signature import Signature
from modelcycle.predict.explanations import MAX_EXPLAINED_ROWS, max_explained_rows, reference_row
from tests.prediction_api import PREDICT, ROW, Api
from tests.trained import COLOUR, HOURS, train

EXPLAINED = {"queryStringParameters": {"explain": "true"}}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


def number(value: float) -> Values:
    return np.array([value], dtype=np.float32)


def text(value: str | None) -> Values:
    return Texts.of([value])


class Game:
    """A random function of the columns: any interaction of them; 0.0 and -0.0 are equal. Counts the rows it scores."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.known: dict[Any, float] = {}
        self.rows = self.calls = 0

    def __call__(self, columns: Columns) -> np.ndarray:
        rows = zip(
            *(
                values.strings().tolist()
                if isinstance(values, Texts)
                else [str(value + 0.0) for value in values.tolist()]
                for values in columns.values.values()
            ),
            strict=True,
        )
        scores = [self.known.setdefault(row, float(self.random.normal())) for row in rows]
        self.rows, self.calls = self.rows + len(scores), self.calls + 1
        return np.array(scores)


values = st.one_of(
    st.floats(-10, 10, width=32).map(number), st.just(number(np.nan)), st.sampled_from(["a", "b", None]).map(text)
)
rows = st.integers(1, 24).flatmap(
    lambda count: st.lists(
        st.one_of(
            st.tuples(st.floats(-9, 9, width=32).map(number), st.floats(-9, 9, width=32).map(number)),
            st.tuples(st.just(number(np.nan)), st.floats(-9, 9, width=32).map(number)),
            st.tuples(st.sampled_from(["a", None]).map(text), st.sampled_from(["a", "b", None]).map(text)),
        ),
        min_size=count, max_size=count,
    )
)  # fmt: skip


@given(rows, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_contributions_add_up_to_the_score_minus_that_of_the_reference(pairs: list[Any], seed: int) -> None:
    row = {f"c{position}": pair[0] for position, pair in enumerate(pairs)}
    reference = {f"c{position}": pair[1] for position, pair in enumerate(pairs)}
    game = Game(seed)
    explained = explain(row, reference, game)
    assert sum(explained.contributions.values()) == pytest.approx(explained.score - explained.reference, abs=1e-9)
    assert explained.score == game(Columns(row))[0]
    assert explained.reference == game(Columns(reference))[0]
    assert explained == explain(row, reference, game)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6])
def test_few_columns_get_the_average_over_all_orders(count: int) -> None:
    """Against the definition: every order of the columns, one by one."""
    game = Game(count)
    row = {f"c{position}": number(1) for position in range(count)}
    reference = {name: number(0) for name in row}
    expected = dict.fromkeys(row, 0.0)
    orders = list(itertools.permutations(row))
    for order in orders:
        taken = dict(reference)
        before = game(Columns(taken))[0]
        for name in order:
            taken[name] = row[name]
            after = game(Columns(taken))[0]
            expected[name] += (after - before) / len(orders)
            before = after
    explained = explain(row, reference, game)
    assert explained.exact
    assert explained.contributions == pytest.approx(expected)


def test_many_columns_get_what_a_sum_of_pairs_has_exactly() -> None:
    """An order and its reverse give the exact contributions of pairwise interactions (Mitchell et al. 2022)."""
    columns = 30
    random = np.random.default_rng(0)
    pairs, own = np.triu(random.normal(size=(columns, columns)), 1), random.normal(size=columns)

    def score(table: Columns) -> np.ndarray:
        matrix = np.stack([np.asarray(values, float) for values in table.values.values()], axis=1)
        result: np.ndarray = matrix @ own + np.einsum("ni,ij,nj->n", matrix, pairs, matrix)
        return result

    row = {f"c{position}": number(1) for position in range(columns)}
    explained = explain(row, {name: number(0) for name in row}, score)
    assert not explained.exact
    exact = own + (pairs.sum(axis=0) + pairs.sum(axis=1)) / 2
    assert explained.contributions == pytest.approx({f"c{position}": exact[position] for position in range(columns)})


def test_a_column_that_the_model_does_not_use_gets_nothing() -> None:
    row = {"a": number(3), "b": text("x"), "same": number(7)}
    explained = explain(
        row, {"a": number(1), "b": text(None), "same": number(7)}, lambda table: np.asarray(table.values["a"], float)
    )
    assert explained.contributions == {"a": 2.0, "b": 0.0, "same": 0.0}


def test_the_reference_row_itself_has_no_contributions() -> None:
    row = {"a": number(np.nan), "b": text("x")}
    explained = explain(row, row, lambda table: np.ones(table.rows))
    assert explained.contributions == {"a": 0.0, "b": 0.0}
    assert explained.score == explained.reference == 1


@pytest.mark.parametrize("columns", [1, 6, 7, 40])
def test_the_graph_scores_as_many_rows_as_told_in_few_calls(columns: int) -> None:
    game = Game(0)
    row = {f"c{position}": number(1) for position in range(columns)}
    explain(row, {name: number(0) for name in row}, game)
    assert game.rows == rows_scored(columns)
    assert game.calls == 1


def test_a_row_of_very_many_columns_is_scored_in_parts() -> None:
    largest = 0

    def score(table: Columns) -> np.ndarray:
        nonlocal largest
        largest = max(largest, table.rows)
        return np.asarray(table.values["c0"], float)

    row = {f"c{position}": number(1) for position in range(300)}
    explained = explain(row, {name: number(0) for name in row}, score)
    assert largest * 300 <= 200_000
    assert explained.contributions["c0"] == pytest.approx(1)


def test_all_inputs_that_are_made_of_a_column_count_for_that_column() -> None:
    """Dates, parts of dates, and features of two columns: the request's columns get the contributions."""
    day = 86_400.0
    names = ["began / x", "end", "price", "note"]
    inputs = [
        Input(name="x0", column="began / x", kind="number", part="days"),
        Input(name="x1", column="began / x", kind="number", part="month"),
        Input(name="x2", column="end", kind="number", operation="days_between", other="began / x"),
        Input(name="x3", column="price", kind="number"),
        Input(name="x4", column="note", kind="text"),
    ]
    types: list[Any] = ["datetime", "datetime", "number", "text"]
    fields = [Field(name=name, type=kind) for name, kind in zip(names, types, strict=True)]
    signature = Signature(
        model="m", task="regression", target="y", classes=[], fields=fields, ignored=[], inputs=inputs
    )  # fmt: skip

    def score(columns: Columns) -> np.ndarray:
        made = signature.encode(columns)
        long = np.array([len(value) for value in made["x4"].ravel()])
        between: np.ndarray = made["x2"].ravel().astype(float) * 2 + made["x3"].ravel() + 5 * long
        return between

    row = {"began / x": np.array([10 * day]), "end": np.array([13 * day]), "price": number(7), "note": text("abc")}
    reference = {"began / x": np.array([8 * day]), "end": np.array([8 * day]), "price": number(7), "note": text(None)}
    explained = explain(row, reference, score)
    assert explained.contributions == pytest.approx({"note": 15.0, "end": 10.0, "began / x": -4.0, "price": 0.0})


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_api_explains_the_answer_of_each_row(api: Api, task: str) -> None:
    api.go_live(task=task)
    rows = [ROW, {HOURS: None, COLOUR: None}, {HOURS: 12.5, COLOUR: "never seen"}]
    status, plain, _ = api.call(PREDICT, json.dumps({"instances": rows}))
    status, answer, _ = api.call(PREDICT, json.dumps({"instances": rows}), **EXPLAINED)
    assert status == 200
    assert "explanations" not in plain
    assert {name: value for name, value in answer.items() if name != "explanations"} == plain
    assert len(answer["explanations"]) == 3
    for row, told in enumerate(answer["explanations"]):
        prediction = answer["predictions"][row]
        if task == "regression":
            assert told["of"] is None
            assert told["score"] == prediction
        else:
            assert told["of"] == prediction
            assert told["score"] == answer["probabilities"][row][prediction]
        assert set(told["columns"]) == {HOURS, COLOUR}
        assert sum(told["columns"].values()) == pytest.approx(told["score"] - told["reference"], abs=1e-5)
        sizes = [abs(value) for value in told["columns"].values()]
        assert sizes == sorted(sizes, reverse=True)


def test_a_row_gets_the_same_explanation_whatever_rows_are_beside_it(api: Api) -> None:
    api.go_live()
    rows = [ROW, {HOURS: 20.0, COLOUR: "blue"}]
    together = api.call(PREDICT, json.dumps({"instances": rows}), **EXPLAINED)[1]["explanations"]
    alone = [
        api.call(PREDICT, json.dumps({"instances": [row]}), **EXPLAINED)[1]["explanations"][0] for row in reversed(rows)
    ]
    assert together == alone[::-1]


def test_in_a_canary_each_row_is_explained_by_the_version_that_answered_it(api: Api) -> None:
    api.go_live(seed=0)
    api.go_live(seed=5, weight=50)
    rows = [{HOURS: float(hours), COLOUR: "red"} for hours in range(30)]
    answer = api.call(PREDICT, json.dumps({"instances": rows}), **EXPLAINED)[1]
    assert set(answer["versions"]) == {1, 2}
    references = {
        version: {told["reference"] for told, by in zip(answer["explanations"], answer["versions"], strict=True)
                  if by == version and told["of"] == answer["predictions"][0]}
        for version in (1, 2)
    }  # fmt: skip
    assert all(len(found) == 1 for found in references.values())
    assert references[1] != references[2]


def test_an_explained_request_is_captured_once_and_without_explanations(api: Api) -> None:
    api.go_live()
    api.call(PREDICT, json.dumps({"instances": [ROW]}), **EXPLAINED)
    (line,) = api.firehose.lines
    assert "explanations" not in line


def test_too_many_rows_to_explain_are_refused_before_any_is_scored(api: Api) -> None:
    api.go_live()
    status, problem, _ = api.call(PREDICT, json.dumps({"instances": [ROW] * (MAX_EXPLAINED_ROWS + 1)}), **EXPLAINED)
    assert status == 413
    assert f"the limit for this model is {MAX_EXPLAINED_ROWS}" in problem["detail"]
    assert not api.firehose.lines


@pytest.mark.parametrize("word", ["yes", "", "2", "None"])
def test_another_word_than_true_or_false_is_refused(api: Api, word: str) -> None:
    api.go_live()
    status, problem, _ = api.call(PREDICT, json.dumps({"instances": [ROW]}), queryStringParameters={"explain": word})
    assert status == 400
    assert "neither true nor false" in problem["detail"]


def test_a_wrong_row_is_refused_as_without_explanations(api: Api) -> None:
    api.go_live()
    for body in ({"instances": [{HOURS: "x", COLOUR: 1}]}, {"instances": 3}, [], {"instances": []}):
        assert api.call(PREDICT, json.dumps(body), **EXPLAINED)[:2] == api.call(PREDICT, json.dumps(body))[:2]


def test_a_wide_model_explains_fewer_rows() -> None:
    assert max_explained_rows(5000) == 1
    assert max_explained_rows(1) == MAX_EXPLAINED_ROWS


def test_the_reference_is_made_of_the_signatures_examples() -> None:
    assert reference_row(train("binary").signature.fields) == {HOURS: 40.0, COLOUR: "red"}


def test_the_screen_names_the_columns_that_moved_each_answer() -> None:
    told = {"of": ">50K", "score": 0.9, "reference": 0.4, "method": "shapley",
            "columns": {"age": 0.4, "hours": -0.2, "job": 0.15, "sex": 0.15, "zip": 0.0}}  # fmt: skip
    still = told | {"columns": {"age": 0.0}, "of": None}
    lines = explanations_text({"explanations": [told, still, None]}, [1, 2, 9]).splitlines()
    assert "average over all orders" in lines[1]
    assert lines[2] == "row 1: probability of >50K 0.900, reference 0.400: age +0.400, hours -0.200, job +0.150"
    assert lines[3].endswith(": no column moved it")
    assert lines[4].startswith("row 9: the model gives no finite score")
