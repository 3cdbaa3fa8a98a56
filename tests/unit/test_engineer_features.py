"""How columns enter the model, and which are left out."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest

from cli.execution import Step
from cli.screens.steps import figures
from modelcycle.cells.column import Column
from modelcycle.engineer_features import feature_plan
from modelcycle.engineer_features.leaks import leaking_columns
from modelcycle.faults import BadData, NotExportable, TargetUnusable
from modelcycle.govern.policy import POLICY, Facts
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.plan import FeaturePlan, Planned
from modelcycle.model.signature import Signature
from modelcycle.spec import Features
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
            assert (
                plan[name].why == "gives the target away: casual + registered is the target (R2 1.0000 on 6,484 rows)"
            )
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
        assert plan["part"].why == "gives the target away: - part + rest is the target (R2 1.0000 on 595 rows)"

    def formula(self, **pipeline: Any) -> Lifecycle:
        a, b, c = (draw(seed).normal(size=N) for seed in (3, 4, 5))
        columns = {"a": a.tolist(), "b": b.tolist(), "c": c.tolist(), "y": (3 * a - 1.2 * b + 7).tolist()}
        return lifecycle(table(columns, "y", "regression"), training={"algorithms": ["linear"]}, **pipeline)

    def test_by_an_exact_formula_as_by_a_sum(self) -> None:
        plan = plan_of(self.formula())
        assert [plan[name].treatment for name in "abc"] == ["left_out", "left_out", "number"]
        assert plan["a"].loud and plan["b"].loud
        assert plan["a"].why == "gives the target away: 3 a - 1.2 b is the target (R2 1.0000 on 595 rows)"

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

    def leaky(self, share: float, errors: float = 0.0, **pipeline: Any) -> Lifecycle:
        """A target of which `told` is filled in a share of the positive rows, and in some others by error."""
        random = np.random.default_rng(4)
        x = random.normal(size=N)
        positive = x + random.normal(size=N) > 0
        filled = np.where(positive, random.random(N) < share, random.random(N) < errors)
        told = [str(random.choice(["price", "moved", "other"])) if value else None for value in filled]
        cabin = ["abc"[number % 3] if random.random() < 0.2 + 0.2 * positive[number] else None for number in range(N)]
        columns = {"x": x.tolist(), "told": told, "cabin": cabin, "y": ["p" if value else "n" for value in positive]}
        return lifecycle(table(columns, "y", "binary"), training={"algorithms": ["linear"]}, **pipeline)

    def test_by_a_value_that_only_one_outcome_has(self) -> None:
        plan = plan_of(self.leaky(share=0.4))
        assert plan["told"].treatment == "left_out" and plan["told"].loud
        assert re.fullmatch(
            r"gives the target away by being filled: y is p in 100\.0% of 1\d\d rows with a value, in \d\d\.\d% of"
            r" 4\d\d without",
            plan["told"].why,
        )
        assert plan["cabin"].treatment == "category" and not plan["cabin"].loud

    def test_by_a_value_that_nearly_only_one_outcome_has_as_the_lifeboats_of_the_titanic(self) -> None:
        assert plan_of(self.leaky(share=0.95, errors=0.02))["told"].treatment == "left_out"

    def test_by_a_missing_value(self) -> None:
        kept = self.leaky(share=1.0, errors=0.6)  # missing only where the target is n
        assert plan_of(kept)["told"].why.startswith("gives the target away by being missing: y is n in 100.0% of ")

    def test_a_few_missing_values_of_one_outcome_are_only_warned_of(self) -> None:
        """In the first years of baseball there was one league, and nobody counted stolen bases."""
        random = np.random.default_rng(5)
        old = np.arange(4000) < 120
        league = np.where(old | (random.random(4000) < 0.5), "NL", "AL")
        stolen = [None if is_old else float(random.integers(0, 40)) for is_old in old]
        rows = table({"stolen": stolen, "y": league.tolist()}, "y", "binary")
        planned = plan_of(lifecycle(rows, training={"algorithms": ["linear"]}))["stolen"]
        assert planned.treatment == "number" and planned.suspected
        assert planned.why.startswith("nearly gives the target away by being missing: y is NL in 100.0% of ")

    def test_a_value_that_only_a_common_outcome_has_is_no_leak(self) -> None:
        """Men are not asked for pregnancies, and only men have prostates: the outcome is rare in any case."""
        random = np.random.default_rng(5)
        man = random.random(4000) < 0.5
        ill = man & (random.random(4000) < 0.15)
        pregnancies = [None if is_man else float(random.integers(0, 4)) for is_man in man]
        rows = table({"pregnancies": pregnancies, "y": ["ny"[int(value)] for value in ill]}, "y", "binary")
        planned = plan_of(lifecycle(rows, training={"algorithms": ["linear"]}))["pregnancies"]
        assert planned.treatment == "number" and not planned.loud

    def test_of_numbers_by_a_value_that_only_those_above_zero_have(self) -> None:
        random = np.random.default_rng(6)
        amount = np.where(random.random(N) < 0.3, random.gamma(2, 100, N), 0.0)
        cause = [str(random.choice(["fire", "water"])) if value else None for value in amount]
        rows = table({"cause": cause, "x": random.normal(size=N).tolist(), "y": amount.tolist()}, "y", "regression")
        why = plan_of(lifecycle(rows, training={"algorithms": ["linear"]}))["cause"].why
        assert why.startswith("gives the target away by being filled: y is not 0 in 100.0% of ")

    def test_of_numbers_that_most_of_those_with_a_value_are_not_zero_is_no_leak(self) -> None:
        """Films with an age rating have been seen by more people; only 4 % of them have no vote of two stars."""
        random = np.random.default_rng(6)
        rated = random.random(N) < 0.4
        votes = np.where(random.random(N) < np.where(rated, 0.96, 0.5), random.gamma(2, 10, N), 0.0)
        rating = [str(random.choice(["R", "PG"])) if value else None for value in rated]
        rows = table({"rating": rating, "x": random.normal(size=N).tolist(), "y": votes.tolist()}, "y", "regression")
        planned = plan_of(lifecycle(rows, training={"algorithms": ["linear"]}))["rating"]
        assert planned.treatment == "category" and not planned.loud

    def test_by_two_dates_of_which_the_target_is_the_days_between(self) -> None:
        random = np.random.default_rng(7)
        days = random.gamma(2, 10, N)
        start = [START + timedelta(hours=float(hours)) for hours in random.uniform(0, 9000, N)]
        end = [begin + timedelta(days=float(length)) for begin, length in zip(start, days, strict=True)]
        columns = {"start": start, "end": end, "x": random.normal(size=N).tolist(), "y": days.tolist()}
        plan = plan_of(lifecycle(table(columns, "y", "regression"), training={"algorithms": ["linear"]}))
        assert plan["end"].why == "gives the target away: - start + end is the target (R2 1.0000 on 595 rows)"

    @pytest.mark.parametrize("regression", [False, True])
    def test_a_strong_but_imperfect_one_is_kept_with_a_warning(self, regression: bool) -> None:
        random = np.random.default_rng(1)  # the target's own numbers, as `run_over` draws them
        x = random.normal(size=N)
        hidden = x + random.normal(size=N)
        copied = np.where(np.arange(N) % 50 == 0, -np.sign(hidden), np.sign(hidden))
        told = hidden + 0.2 * draw(9).normal(size=N) if regression else copied
        life = run_over({"told": told.tolist()}, regression=regression)
        planned = plan_of(life)["told"]
        assert planned.treatment == "number" and planned.loud and planned.suspected
        assert planned.why.startswith(f"nearly gives the target away: {'R2' if regression else 'AUC'} 0.98")
        assert [warning.column for warning in life.engineer().warnings] == ["told"]
        facts = Facts(cast(Any, None), pipeline_of(life.store, life.run), FeaturePlan(columns=[planned]), "1")
        assert POLICY["no column gives the target away"](facts) == (True, "")

    def test_a_column_that_a_person_vouches_for_is_kept_as_it_is(self) -> None:
        life = self.leaky(share=0.4, features={"allow": ["told"]})
        planned = plan_of(life)["told"]
        assert planned.treatment == "category" and planned.loud and not planned.suspected
        assert "listed in features.allow, although it gives the target away by being filled" in planned.why
        assert [warning.column for warning in life.engineer().warnings] == ["told"]
        facts = Facts(cast(Any, None), pipeline_of(life.store, life.run), FeaturePlan(columns=[planned]), "1")
        assert POLICY["no column gives the target away"](facts)[0]
        nobody_vouches = facts._replace(pipeline=facts.pipeline.model_copy(update={"features": Features()}))
        assert not POLICY["no column gives the target away"](nobody_vouches)[0]

    def test_the_screen_names_what_is_used_although_it_may_leak(self) -> None:
        engineered = self.leaky(share=0.4, features={"allow": ["told"]}).engineer()
        step = Step("engineer_features", START, results={"engineer_features": engineered.wire()})
        line = "told is used: listed in features.allow, although it gives the target away by being filled: y is p in"
        assert any(sentence.startswith(line) for sentence in figures(step).sentences)

    def test_an_allowed_column_that_is_dropped_by_name_stays_out(self) -> None:
        life = self.leaky(share=0.4, features={"allow": ["told"]}, id_columns=["told"])
        assert plan_of(life)["told"].why == "listed in id_columns"
        with pytest.raises(BadData, match="'nowhere', which is not a column"):
            self.leaky(share=0.4, features={"allow": ["nowhere"]}).engineer()

    @pytest.mark.parametrize("load", ["load_iris", "load_breast_cancer", "load_wine", "load_digits", "load_diabetes"])
    def test_honest_tables_have_none_whichever_rows_are_drawn_and_shuffled_targets_neither(self, load: str) -> None:
        from sklearn import datasets

        features, target = getattr(datasets, load)(return_X_y=True)
        task = "regression" if load == "load_diabetes" else "binary" if target.max() == 1 else "multiclass"
        target = target.astype(float if task == "regression" else np.int32)
        schema = TableSchema(
            columns=[], target=Column(name="y", type="number"), task=task, classes=[str(n) for n in range(10)],
            missing_values=[],
        )  # fmt: skip
        columns = {str(number): column.astype(np.float32) for number, column in enumerate(features.T)}
        plan = {name: Planned(column=name, treatment="number", why="") for name in columns}
        for seed in range(5):
            order = draw(seed).permutation(len(target))
            part = Columns(columns, target).take(np.sort(order[: len(order) * 3 // 4]))
            assert list(leaking_columns(plan, part, schema)) == []
            assert list(leaking_columns(plan, Columns(columns, target[order]), schema)) == []

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
