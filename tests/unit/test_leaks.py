"""Columns that give the target away: which are left out, which only warned of."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, cast

import numpy as np
import pytest

from cli.execution import Step
from cli.screens.steps import figures
from modelcycle.cells.column import Column
from modelcycle.engineer_features.leaks import leaking_columns
from modelcycle.faults import BadData
from modelcycle.govern.facts import Facts
from modelcycle.govern.figures import of_columns
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.plan import FeaturePlan, Planned
from modelcycle.spec import Features
from modelcycle.steps import pipeline_of
from tests.unit.engineered import START, N, draw, plan_of, run_over
from tests.unit.learning_tables import Lifecycle, lifecycle, read_csv, table


def test_by_a_sum() -> None:
    plan = plan_of(lifecycle(read_csv("bikeshare", "bikers", "regression")))
    for name in ("casual", "registered"):
        assert plan[name].loud
        assert plan[name].why == "gives the target away: casual + registered is the target (R2 1.0000 on 6,484 rows)"
    assert sum(planned.treatment == "left_out" for planned in plan.values()) == 2


def test_adult_has_no_leak() -> None:
    life = lifecycle(read_csv("adult", "income", "binary", ["<=50K", ">50K"]))
    assert {name: p.why for name, p in plan_of(life).items() if p.treatment == "left_out"} == {
        "education": "same as education_num"
    }


@pytest.mark.parametrize("regression", [False, True])
def test_by_one_column(regression: bool) -> None:
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


def test_by_a_difference_of_which_one_part_has_a_multiple() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=N)
    y = x + random.normal(size=N)
    part = random.normal(size=N)
    rest = y + part
    columns = {"part": part.tolist(), "rest": rest.tolist(), "twice": (2 * rest).tolist()}
    plan = plan_of(run_over(columns, regression=True))
    assert plan["part"].treatment == plan["rest"].treatment == "left_out"
    assert plan["part"].why == "gives the target away: - part + rest is the target (R2 1.0000 on 595 rows)"


def formula(**pipeline: Any) -> Lifecycle:
    a, b, c = (draw(seed).normal(size=N) for seed in (3, 4, 5))
    columns = {"a": a.tolist(), "b": b.tolist(), "c": c.tolist(), "y": (3 * a - 1.2 * b + 7).tolist()}
    return lifecycle(table(columns, "y", "regression"), training={"algorithms": ["linear"]}, **pipeline)


def test_by_an_exact_formula_as_by_a_sum() -> None:
    plan = plan_of(formula())
    assert [plan[name].treatment for name in "abc"] == ["left_out", "left_out", "number"]
    assert plan["a"].loud and plan["b"].loud
    assert plan["a"].why == "gives the target away: 3 a - 1.2 b is the target (R2 1.0000 on 595 rows)"


@pytest.mark.parametrize("asked", [[], ["a"], ["a", "b"]])
def test_the_plan_and_the_policy_give_one_answer(asked: list[str]) -> None:
    life = formula(features={"numeric": asked})
    plan = FeaturePlan(columns=list(plan_of(life).values()))
    pipeline = pipeline_of(life.store, life.run)
    facts = Facts(cast(Any, None), pipeline, plan, "1")
    assert facts.used == {*asked, "c"}  # what is named stays, what leaks else is out before anything is trained
    leaking = of_columns(facts)["columns.leaking_not_listed"]
    assert not leaking.value and leaking.detail == (f"gives the target away: {', '.join(asked)}" if asked else "")


def test_where_nothing_else_is_left_the_refusal_says_the_formula_and_the_way_out() -> None:
    a, b = draw(3).normal(size=N), draw(4).normal(size=N)
    rows = table({"a": a.tolist(), "b": b.tolist(), "y": (3 * a - 1.2 * b).tolist()}, "y", "regression")
    with pytest.raises(BadData) as caught:
        lifecycle(rows).engineer()
    assert "3 a - 1.2 b is the target" in caught.value.what
    assert "features.numeric" in caught.value.remedy


def test_a_listed_column_stays_and_its_reason_warns() -> None:
    asked = lifecycle(read_csv("bikeshare", "bikers", "regression"), features={"numeric": ["casual"]})
    planned = plan_of(asked)["casual"]
    assert planned.treatment == "number"
    assert planned.loud
    assert "listed in features.numeric; otherwise left out: gives the target away" in planned.why


def leaky(share: float, errors: float = 0.0, **pipeline: Any) -> Lifecycle:
    """A target of which `told` is filled in a share of the positive rows, and in some others by error."""
    random = np.random.default_rng(4)
    x = random.normal(size=N)
    positive = x + random.normal(size=N) > 0
    filled = np.where(positive, random.random(N) < share, random.random(N) < errors)
    told = [str(random.choice(["price", "moved", "other"])) if value else None for value in filled]
    cabin = ["abc"[number % 3] if random.random() < 0.2 + 0.2 * positive[number] else None for number in range(N)]
    columns = {"x": x.tolist(), "told": told, "cabin": cabin, "y": ["p" if value else "n" for value in positive]}
    return lifecycle(table(columns, "y", "binary"), training={"algorithms": ["linear"]}, **pipeline)


def test_by_a_value_that_only_one_outcome_has() -> None:
    plan = plan_of(leaky(share=0.4))
    assert plan["told"].treatment == "left_out" and plan["told"].loud
    assert re.fullmatch(
        r"gives the target away by being filled: y is p in 100\.0% of 1\d\d rows with a value, in \d\d\.\d% of"
        r" 4\d\d without",
        plan["told"].why,
    )
    assert plan["cabin"].treatment == "category" and not plan["cabin"].loud


def test_by_a_value_that_nearly_only_one_outcome_has_as_the_lifeboats_of_the_titanic() -> None:
    assert plan_of(leaky(share=0.95, errors=0.02))["told"].treatment == "left_out"


def test_by_a_missing_value() -> None:
    kept = leaky(share=1.0, errors=0.6)  # missing only where the target is n
    assert plan_of(kept)["told"].why.startswith("gives the target away by being missing: y is n in 100.0% of ")


def test_a_few_missing_values_of_one_outcome_are_only_warned_of() -> None:
    """In the first years of baseball there was one league, and nobody counted stolen bases."""
    random = np.random.default_rng(5)
    old = np.arange(4000) < 120
    league = np.where(old | (random.random(4000) < 0.5), "NL", "AL")
    stolen = [None if is_old else float(random.integers(0, 40)) for is_old in old]
    rows = table({"stolen": stolen, "y": league.tolist()}, "y", "binary")
    planned = plan_of(lifecycle(rows, training={"algorithms": ["linear"]}))["stolen"]
    assert planned.treatment == "number" and planned.suspected
    assert planned.why.startswith("nearly gives the target away by being missing: y is NL in 100.0% of ")


def test_a_value_that_only_a_common_outcome_has_is_no_leak() -> None:
    """Men are not asked for pregnancies, and only men have prostates: the outcome is rare in any case."""
    random = np.random.default_rng(5)
    man = random.random(4000) < 0.5
    ill = man & (random.random(4000) < 0.15)
    pregnancies = [None if is_man else float(random.integers(0, 4)) for is_man in man]
    rows = table({"pregnancies": pregnancies, "y": ["ny"[int(value)] for value in ill]}, "y", "binary")
    planned = plan_of(lifecycle(rows, training={"algorithms": ["linear"]}))["pregnancies"]
    assert planned.treatment == "number" and not planned.loud


def test_of_numbers_by_a_value_that_only_those_above_zero_have() -> None:
    random = np.random.default_rng(6)
    amount = np.where(random.random(N) < 0.3, random.gamma(2, 100, N), 0.0)
    cause = [str(random.choice(["fire", "water"])) if value else None for value in amount]
    rows = table({"cause": cause, "x": random.normal(size=N).tolist(), "y": amount.tolist()}, "y", "regression")
    why = plan_of(lifecycle(rows, training={"algorithms": ["linear"]}))["cause"].why
    assert why.startswith("gives the target away by being filled: y is not 0 in 100.0% of ")


def test_of_numbers_that_most_of_those_with_a_value_are_not_zero_is_no_leak() -> None:
    """Films with an age rating have been seen by more people; only 4 % of them have no vote of two stars."""
    random = np.random.default_rng(6)
    rated = random.random(N) < 0.4
    votes = np.where(random.random(N) < np.where(rated, 0.96, 0.5), random.gamma(2, 10, N), 0.0)
    rating = [str(random.choice(["R", "PG"])) if value else None for value in rated]
    rows = table({"rating": rating, "x": random.normal(size=N).tolist(), "y": votes.tolist()}, "y", "regression")
    planned = plan_of(lifecycle(rows, training={"algorithms": ["linear"]}))["rating"]
    assert planned.treatment == "category" and not planned.loud


def test_by_two_dates_of_which_the_target_is_the_days_between() -> None:
    random = np.random.default_rng(7)
    days = random.gamma(2, 10, N)
    start = [START + timedelta(hours=float(hours)) for hours in random.uniform(0, 9000, N)]
    end = [begin + timedelta(days=float(length)) for begin, length in zip(start, days, strict=True)]
    columns = {"start": start, "end": end, "x": random.normal(size=N).tolist(), "y": days.tolist()}
    plan = plan_of(lifecycle(table(columns, "y", "regression"), training={"algorithms": ["linear"]}))
    assert plan["end"].why == "gives the target away: - start + end is the target (R2 1.0000 on 595 rows)"


@pytest.mark.parametrize("regression", [False, True])
def test_a_strong_but_imperfect_one_is_kept_with_a_warning(regression: bool) -> None:
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
    assert of_columns(facts)["columns.leaking"] == (0, "")


def test_a_column_that_a_person_vouches_for_is_kept_as_it_is() -> None:
    life = leaky(share=0.4, features={"allow": ["told"]})
    planned = plan_of(life)["told"]
    assert planned.treatment == "category" and planned.loud and not planned.suspected
    assert "listed in features.allow, although it gives the target away by being filled" in planned.why
    assert [warning.column for warning in life.engineer().warnings] == ["told"]
    facts = Facts(cast(Any, None), pipeline_of(life.store, life.run), FeaturePlan(columns=[planned]), "1")
    assert not of_columns(facts)["columns.leaking_not_listed"].value
    nobody_vouches = facts._replace(pipeline=facts.pipeline.model_copy(update={"features": Features()}))
    assert of_columns(nobody_vouches)["columns.leaking_not_listed"].value == 1


def test_the_screen_names_what_is_used_although_it_may_leak() -> None:
    engineered = leaky(share=0.4, features={"allow": ["told"]}).engineer()
    step = Step("engineer_features", START, results={"engineer_features": engineered.wire()})
    line = "told is used: listed in features.allow, although it gives the target away by being filled: y is p in"
    assert any(sentence.startswith(line) for sentence in figures(step).sentences)


def test_an_allowed_column_that_is_dropped_by_name_stays_out() -> None:
    life = leaky(share=0.4, features={"allow": ["told"]}, id_columns=["told"])
    assert plan_of(life)["told"].why == "listed in id_columns"
    with pytest.raises(BadData, match="'nowhere', which is not a column"):
        leaky(share=0.4, features={"allow": ["nowhere"]}).engineer()


@pytest.mark.parametrize("load", ["load_iris", "load_breast_cancer", "load_wine", "load_digits", "load_diabetes"])
def test_honest_tables_have_none_whichever_rows_are_drawn_and_shuffled_targets_neither(load: str) -> None:
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


def test_few_rows_prove_nothing() -> None:
    rows = table({"x": np.linspace(0, 1, 80).tolist(), "y": ["a"] * 40 + ["b"] * 40}, "y", "binary")
    assert plan_of(lifecycle(rows))["x"].treatment == "number"
