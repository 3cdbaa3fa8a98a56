"""How columns enter the model, and which are left out."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from modelcycle.engineer_features import feature_plan
from modelcycle.faults import BadData, NotExportable, TargetUnusable
from modelcycle.model.signature import Signature
from tests.unit.engineered import START, N, draw, plan_of, run_over
from tests.unit.learning_tables import lifecycle, read_csv, table

WORDS = ["uno", "due", "tre", "sei", "dix", "sept"]


@pytest.mark.parametrize(
    ("column", "treatment", "why"),
    [
        ([1.0] * N, "left_out", "constant"),
        (["same"] * N, "left_out", "constant"),
        ([None] * N, "left_out", "every value is missing"),
        ([None] * (N - 3) + [1.0, 2.0, 3.0], "left_out", "almost all values are missing"),
        ([float(n) for n in range(N)], "left_out", "identifier: no value repeats"),
        ([f"u{n:08x}" for n in range(N)], "left_out", "identifier: 100% of the texts are distinct"),
        (draw().normal(size=N).tolist(), "number", "number"),
        (draw().integers(0, 10**7, N).astype(float).tolist(), "number", "number"),
        ([bool(n % 2) for n in range(N)], "number", "true or false"),
        (draw().choice(["a", "b", "c"], N).tolist(), "category", "category, 3 levels"),
        ([f"c{int(n)}" for n in draw().zipf(1.3, N) % 300], "high_cardinality", "many levels"),
        ([f"n{n // 3}" for n in range(N)], "left_out", "occurs in 10 rows"),
        ([" ".join(draw(n).choice(WORDS, 5)) for n in range(N)], "words", "recurring words"),
        ([START + timedelta(hours=n) for n in range(N)], "date_parts", "date: month, day, weekday, hour, days"),
    ],
)  # fmt: skip
def test_the_treatment_of_a_column_by_its_values(column: list[Any], treatment: str, why: str) -> None:
    planned = plan_of(run_over({"c": column}))["c"]
    assert (planned.treatment, why in planned.why) == (treatment, True), planned
    assert not planned.loud


def test_assigned_numbers_are_an_identifier_even_with_gaps() -> None:
    drawn = draw().choice(16_000, N, replace=False).astype(float).tolist()
    by_name = (10**9 + 7 * np.arange(N)).astype(float).tolist()
    plan = plan_of(run_over({"number": drawn, "customer_id": by_name, "customerId": by_name, "paid": by_name}))
    assert plan["number"].treatment == "left_out"
    assert plan["customer_id"].treatment == plan["customerId"].treatment == "left_out"
    assert plan["paid"].treatment == "number"


def test_columns_that_the_pipeline_file_excludes_are_left_out() -> None:
    colour = draw().choice(["a", "b"], N).tolist()
    life = run_over(
        {"who": colour, "sex": draw(3).choice(["f", "m"], N).tolist()}, id_columns=["who"], sensitive_columns=["sex"]
    )
    plan = plan_of(life)
    assert plan["who"].why == "listed in id_columns"
    assert plan["sex"].why.startswith("sensitive")
    life = run_over({"sex": colour}, sensitive_columns=["sex"], features={"use_sensitive": True})
    assert plan_of(life)["sex"].treatment == "category"


def test_a_copy_of_a_sensitive_column_is_left_out_with_a_warning() -> None:
    sex = draw().choice(["f", "m"], N).tolist()
    plan = plan_of(run_over({"sex": sex, "gender": [float(s == "f") for s in sex]}, sensitive_columns=["sex"]))
    assert plan["gender"].loud
    assert plan["gender"].why == "same as sex, which is sensitive"


def test_of_equal_columns_the_number_stays() -> None:
    level = draw().integers(0, 5, N)
    names = [["none", "school", "college", "master", "doctor"][n] for n in level]
    plan = plan_of(run_over({"education": names, "years": (level * 3.0).tolist(), "again": (level * 3.0).tolist()}))
    assert plan["education"].why == plan["again"].why == "same as years"
    assert plan["years"].treatment == "number"


def test_two_measurements_without_ties_are_not_the_same() -> None:
    plan = plan_of(run_over({"a": draw(5).normal(size=N).tolist(), "b": draw(6).normal(size=N).tolist()}))
    assert plan["a"].treatment == plan["b"].treatment == "number"


def test_the_signature_describes_a_request() -> None:
    rows = read_csv("adult", "income", "binary", ["<=50K", ">50K"], limit=3000)
    life = lifecycle(rows, sensitive_columns=["sex"], drop_columns=["gone"])
    signature = Signature.model_validate_json(life.store.read(life.engineer().signature))
    assert [graph_input.name for graph_input in signature.inputs] == [f"x{n}" for n in range(12)]
    assert signature.ignored == ["education", "sex", "gone"]
    assert signature.missing_values == ["", "?"]
    age = signature.fields[0]
    assert (age.name, age.type, age.example) == ("age", "number", 38.0)
    assert "Private" in signature.fields[1].levels
    assert signature.read([{field.name: field.example for field in signature.fields}]).rows == 1


def test_the_message_lists_warnings_first_and_at_most_twenty_columns() -> None:
    empty = {f"empty {n}": [None] * N for n in range(30)}
    sex = draw().choice(["f", "m"], N).tolist()
    life = run_over(empty | {"sex": sex, "copy": [float(s == "f") for s in sex]}, sensitive_columns=["sex"])
    engineered = life.engineer()
    assert len(engineered.left_out) == 20
    assert engineered.left_out[0].column == "copy"
    assert (engineered.used, engineered.columns) == (1, 33)
    assert len(json.dumps(engineered.wire())) < 8192


def test_a_table_without_a_usable_column_is_refused() -> None:
    rows = table({"a": [1.0] * 200, "y": ["p", "n"] * 100}, "y", "binary")
    with pytest.raises(BadData, match="no usable column is left") as caught:
        lifecycle(rows).engineer()
    assert "features.numeric" in caught.value.remedy


def test_listed_columns_that_do_not_fit_are_named() -> None:
    with pytest.raises(BadData, match="'nowhere', which is not a column"):
        run_over({}, features={"numeric": ["nowhere"]}).engineer()
    with pytest.raises(BadData, match="'c', whose values are not numbers"):
        run_over({"c": ["a", "b"] * (N // 2)}, features={"numeric": ["c"]}).engineer()


def test_training_rows_of_one_class_are_refused() -> None:
    rows = table({"x": np.arange(200.0).tolist(), "y": ["a"] * 200}, "y", "binary", ["a", "b"])
    with pytest.raises(TargetUnusable):
        lifecycle(rows, features={"numeric": ["x"]}).engineer()


def test_a_pipeline_that_cannot_be_exported_fails_before_any_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    import skl2onnx
    from skl2onnx.common.exceptions import MissingShapeCalculator

    def refuse(*arguments: Any, **options: Any) -> None:
        raise MissingShapeCalculator("Unable to find a shape calculator for type LogisticRegression")

    monkeypatch.setattr(skl2onnx, "convert_sklearn", refuse)
    cities = [f"c{int(n)}" for n in draw().zipf(1.3, N) % 300]
    with pytest.raises(NotExportable, match="LogisticRegression cannot be exported to ONNX") as caught:
        run_over({"city": cities}).engineer()
    assert caught.value.where == "LogisticRegression"
    assert "another algorithm in training.algorithms" in caught.value.remedy


def test_the_result_for_the_same_rows_is_reused_by_another_run() -> None:
    life = run_over({})
    first = life.engineer()
    again = life._replace(run=life.run.model_copy(update={"run_id": "r2"})).engineer()
    assert again.cached
    assert again.plan == first.plan
    assert not life._replace(code="2").engineer().cached


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_numbers_at_the_ends_of_float32_are_survived(task: str) -> None:
    random = np.random.default_rng(8)
    x = random.normal(size=N).astype(np.float32)
    hidden = x + random.normal(size=N)
    columns = {
        "x": x, "huge": x * np.float32(1e37), "both ends": np.where(random.random(N) > 0.5, 3.4e38, -3.4e38),
        "denormal": random.normal(size=N) * 1e-42, "mixed": np.where(random.random(N) > 0.9, 1e37, x),
        "infinite": np.where(random.random(N) > 0.9, np.inf, x),
    }  # fmt: skip
    target = {"binary": hidden > 0, "multiclass": np.digitize(hidden, [-1, 1]), "regression": hidden * 1e37}[task]
    raw = {name: column.tolist() for name, column in columns.items()}
    plan = plan_of(lifecycle(table(raw | {"y": target.tolist()}, "y", task)))
    assert plan["infinite"].why == "some values are infinite"
    assert {name for name, planned in plan.items() if planned.treatment == "number"} == set(columns) - {"infinite"}


def test_of_a_wide_table_fewer_rows_are_inspected(monkeypatch: pytest.MonkeyPatch) -> None:
    inspected = []
    monkeypatch.setattr(feature_plan, "MAX_INSPECTED_CELLS", 1_200)
    monkeypatch.setattr(feature_plan, "MIN_INSPECTED_ROWS", 200)
    monkeypatch.setattr(feature_plan, "leaking_columns", lambda plan, rows, schema: inspected.append(rows.rows) or [])
    plan_of(run_over({}))
    plan_of(run_over({f"c{number}": draw(number).normal(size=N).tolist() for number in range(4)}))
    assert inspected == [595, 240]


def test_an_algorithm_that_cannot_learn_from_the_columns_does_not_end_the_run() -> None:
    number = draw().normal(size=N)
    rows = table({"x": (number * 1e37).tolist(), "y": ["p" if value > 0 else "n" for value in number]}, "y", "binary")
    assert lifecycle(rows, features={"numeric": ["x"]}).engineer().used == 1
    with pytest.raises(BadData, match=r"no algorithm can learn from these columns \(linear: ValueError\)"):
        run_over({"x": (number * 1e37).tolist()}).engineer()
