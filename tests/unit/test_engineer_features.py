"""How columns enter the model, and which are left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest

from modelcycle.faults import BadData, NotExportable, TargetUnusable
from modelcycle.govern.policy import POLICY, Facts
from modelcycle.model.plan import FeaturePlan, Planned
from modelcycle.model.signature import Signature
from modelcycle.steps import pipeline_of
from tests.unit.learning_tables import Lifecycle, lifecycle, read_csv, table

N = 800
WORDS = ["uno", "due", "tre", "sei", "dix", "sept"]
START = datetime(2024, 1, 1, tzinfo=UTC)


def plan_of(life: Lifecycle) -> dict[str, Planned]:
    plan = FeaturePlan.model_validate_json(life.store.read(life.engineer().plan))
    return {planned.column: planned for planned in plan.columns}


def run_over(columns: dict[str, list[Any]], *, regression: bool = False, **pipeline: Any) -> Lifecycle:
    """A run over these columns, a feature `x`, and a target `y` that depends on `x`."""
    random = np.random.default_rng(1)
    x = random.normal(size=N)
    hidden = x + random.normal(size=N)
    y = hidden.tolist() if regression else ["p" if value > 0 else "n" for value in hidden]
    rows = table({"x": x.tolist()} | columns | {"y": y}, "y", "regression" if regression else "binary")
    return lifecycle(rows, training={"algorithms": ["linear"]}, **pipeline)


def draw(seed: int = 2) -> np.random.Generator:
    return np.random.default_rng(seed)


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


@pytest.mark.parametrize(
    "write",
    [lambda v: f"€{v:,.2f}", lambda v: f"{v:.2f} %", lambda v: f"{v:.1f}".replace(".", ","), lambda v: f"-${v:,.0f}"],
)
def test_numbers_in_another_notation_get_a_hint(write: Any) -> None:
    why = plan_of(run_over({"c": [write(value) for value in draw().normal(size=N) * 1e5 + 1e6]}))["c"].why
    assert why.endswith("no thousands separator, decimal comma, currency or percent sign")


def test_codes_get_no_hint_about_numbers() -> None:
    codes = [f"{v:02d}.{v % 9:02d}.{v % 97:02d}" for v in draw().integers(0, 99, N)]
    assert "write numbers" not in plan_of(run_over({"c": codes}))["c"].why


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


class TestLeaks:
    def test_by_a_sum(self) -> None:
        plan = plan_of(lifecycle(read_csv("bikeshare", "bikers", "regression")))
        for name in ("casual", "registered"):
            assert plan[name].loud
            assert plan[name].why == "gives the target away: casual + registered is the target (R2 1.0000)"
        assert sum(planned.treatment == "left_out" for planned in plan.values()) == 2

    def test_adult_has_no_leak(self) -> None:
        life = lifecycle(read_csv("adult", "income", "binary", ["<=50K", ">50K"]))
        assert {name: p.why for name, p in plan_of(life).items() if p.treatment == "left_out"} == {
            "education": "same as education_num"
        }

    @pytest.mark.parametrize("regression", [False, True])
    def test_by_one_column(self, regression: bool) -> None:
        random = np.random.default_rng(1)
        x = random.normal(size=N)
        hidden = x + random.normal(size=N)
        told = np.exp(hidden / 3) if regression else hidden + 5
        level = ["high" if value > 0 else "low" for value in hidden]
        plan = plan_of(run_over({"told": told.tolist(), "level": level}, regression=regression))
        assert plan["told"].loud
        assert plan["told"].treatment == "left_out"
        assert plan["told"].why.startswith("gives the target away: by itself")
        assert plan["level"].loud is not regression
        assert plan["x"].treatment == "number"

    def test_by_a_difference_of_which_one_part_has_a_multiple(self) -> None:
        random = np.random.default_rng(1)
        x = random.normal(size=N)
        y = x + random.normal(size=N)
        part = random.normal(size=N)
        rest = y + part
        columns = {"part": part.tolist(), "rest": rest.tolist(), "twice": (2 * rest).tolist()}
        plan = plan_of(run_over(columns, regression=True))
        assert plan["part"].treatment == plan["rest"].treatment == "left_out"
        assert plan["part"].why == "gives the target away: - part + rest is the target (R2 1.0000)"

    def formula(self, **pipeline: Any) -> Lifecycle:
        a, b, c = (draw(seed).normal(size=N) for seed in (3, 4, 5))
        columns = {"a": a.tolist(), "b": b.tolist(), "c": c.tolist(), "y": (3 * a - 1.2 * b + 7).tolist()}
        return lifecycle(table(columns, "y", "regression"), training={"algorithms": ["linear"]}, **pipeline)

    def test_by_an_exact_formula_as_by_a_sum(self) -> None:
        plan = plan_of(self.formula())
        assert [plan[name].treatment for name in "abc"] == ["left_out", "left_out", "number"]
        assert plan["a"].loud and plan["b"].loud
        assert plan["a"].why == "gives the target away: 3 a - 1.2 b is the target (R2 1.0000)"

    @pytest.mark.parametrize("asked", [[], ["a"], ["a", "b"]])
    def test_the_plan_and_the_policy_give_one_answer(self, asked: list[str]) -> None:
        life = self.formula(features={"numeric": asked})
        plan = FeaturePlan(columns=list(plan_of(life).values()))
        pipeline = pipeline_of(life.store, life.run)
        facts = Facts(cast(Any, None), pipeline, plan, "1")
        assert facts.used == {*asked, "c"}  # what is named stays, what leaks else is out before anything is trained
        holds, detail = POLICY["no column gives the target away"](facts)
        assert holds and detail == (f"gives the target away: {', '.join(asked)}" if asked else "")

    def test_where_nothing_else_is_left_the_refusal_says_the_formula_and_the_way_out(self) -> None:
        a, b = draw(3).normal(size=N), draw(4).normal(size=N)
        rows = table({"a": a.tolist(), "b": b.tolist(), "y": (3 * a - 1.2 * b).tolist()}, "y", "regression")
        with pytest.raises(BadData) as caught:
            lifecycle(rows).engineer()
        assert "3 a - 1.2 b is the target" in caught.value.what
        assert "features.numeric" in caught.value.remedy

    def test_a_listed_column_stays_and_its_reason_warns(self) -> None:
        asked = lifecycle(read_csv("bikeshare", "bikers", "regression"), features={"numeric": ["casual"]})
        planned = plan_of(asked)["casual"]
        assert planned.treatment == "number"
        assert planned.loud
        assert "listed in features.numeric; otherwise left out: gives the target away" in planned.why

    def test_few_rows_prove_nothing(self) -> None:
        rows = table({"x": np.linspace(0, 1, 80).tolist(), "y": ["a"] * 40 + ["b"] * 40}, "y", "binary")
        assert plan_of(lifecycle(rows))["x"].treatment == "number"


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
        raise MissingShapeCalculator("Unable to find a shape calculator for type TargetEncoder")

    monkeypatch.setattr(skl2onnx, "convert_sklearn", refuse)
    cities = [f"c{int(n)}" for n in draw().zipf(1.3, N) % 300]
    with pytest.raises(NotExportable, match="TargetEncoder cannot be exported to ONNX") as caught:
        run_over({"city": cities}).engineer()
    assert caught.value.where == "TargetEncoder"
    assert "OrdinalEncoder" in caught.value.remedy


def test_the_result_for_the_same_rows_is_reused_by_another_run() -> None:
    life = run_over({})
    first = life.engineer()
    again = life._replace(run=life.run.model_copy(update={"run_id": "r2"})).engineer()
    assert again.cached
    assert again.plan == first.plan
    assert not life._replace(code="2").engineer().cached
