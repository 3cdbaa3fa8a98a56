"""Features of two columns and places on a circle: added where held-out rows say so, and the same when served."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from modelcycle.engineer_features.cyclic_parts import cyclic_parts
from modelcycle.model import pipeline
from modelcycle.model.columns import Columns
from modelcycle.model.derive import derive
from modelcycle.model.plan import FeaturePlan, Operation
from modelcycle.model.scoring import Scorer
from modelcycle.model.signature import Signature
from modelcycle.spec import Task
from tests.unit.learning_tables import Lifecycle, Table, lifecycle, table

ROWS = 3000


def shop(seed: int, rows: int = ROWS) -> Table:
    """What sells is decided by the difference of two prices."""
    random = np.random.default_rng(seed)
    ours = random.normal(100, 20, rows).round(1)
    theirs = (ours + random.normal(0, 5, rows)).round(1)
    sold = random.random(rows) < 1 / (1 + np.exp((ours - theirs) / 1.5))
    raw: dict[str, list[Any]] = {
        "Preis (€)": ours.tolist(), "their price": theirs.tolist(), "shop": random.choice(["x", "y"], rows).tolist(),
        "sold": ["yes" if value else "no" for value in sold],
    }  # fmt: skip
    return table(raw, "sold", "binary")


def loans(rows: int = ROWS) -> Table:
    """How long a loan ran is the number of days between two dates."""
    random = np.random.default_rng(3)
    opened = [datetime(2015, 1, 1, tzinfo=UTC) + timedelta(days=int(days)) for days in random.integers(0, 3000, rows)]
    ran = random.gamma(2, 30, rows).astype(int)
    closed = [moment + timedelta(days=int(days)) for moment, days in zip(opened, ran, strict=True)]
    return table(
        {"opened": opened, "closed": closed, "interest": (ran * 2.0 + random.normal(0, 8, rows)).tolist()},
        "interest", "regression",
    )  # fmt: skip


def noise(task: Task, rows: int = ROWS) -> Table:
    random = np.random.default_rng(1)
    raw: dict[str, list[Any]] = {f"n{number}": random.normal(size=rows).tolist() for number in range(8)}
    raw["y"] = random.normal(size=rows).tolist() if task == "regression" else random.choice([*"abc"], rows).tolist()
    return table(raw, "y", task)


def planned(run: Lifecycle) -> FeaturePlan:
    return FeaturePlan.model_validate_json(run.store.read(run.engineer().plan))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_difference_that_decides_is_found_and_named(seed: int) -> None:
    run = lifecycle(shop(seed))
    engineered = run.engineer()
    plan = FeaturePlan.model_validate_json(run.store.read(engineered.plan))
    assert plan.derived[0].title in ("Preis (€) - their price", "Preis (€) / their price")
    assert plan.derived[0].gain > 0.02
    assert plan.tried == 3
    assert [feature.column for feature in engineered.derived] == [feature.title for feature in plan.derived]
    signature = Signature.model_validate_json(run.store.read(engineered.signature))
    assert signature.inputs == plan.all_inputs()
    assert {field.name for field in signature.fields} == {"Preis (€)", "their price", "shop"}


def test_the_days_between_two_dates_are_found() -> None:
    titles = [feature.title for feature in planned(lifecycle(loans())).derived]
    assert titles == ["days from closed to opened"]


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_noise_gives_no_feature(task: Task) -> None:
    plan = planned(lifecycle(noise(task)))
    assert plan.derived == []
    assert plan.tried > 50


@pytest.mark.parametrize("changes", [{"features": {"derive": False}}, {"drop_columns": ["their price"]}])
def test_nothing_is_derived_where_the_pipeline_file_forbids_it(changes: dict[str, Any]) -> None:
    made = shop(0)
    if "drop_columns" in changes:
        del made.schema.columns[1]
        made.columns.values.pop("their price")  # type: ignore[attr-defined]
    assert planned(lifecycle(made, **changes)).derived == []


def test_later_rows_judge_where_rows_are_ordered_by_time() -> None:
    """The difference helps in the first half of the time only: later rows do not confirm it."""
    random = np.random.default_rng(0)
    made = shop(0)
    values = dict(made.columns.values)
    values["when"] = np.arange(ROWS) * 3600.0
    target = np.array(made.columns.target)
    target[ROWS // 3 :] = random.integers(0, 2, ROWS - ROWS // 3)
    when = made.schema.columns[0].model_copy(update={"name": "when", "type": "datetime", "format": "iso"})
    schema = made.schema.model_copy(update={"columns": [*made.schema.columns, when]})
    run = lifecycle(Table(schema, Columns(values, target)), time_column="when")
    assert planned(run).derived == []


def test_the_graph_gives_the_scores_of_training_for_rows_that_are_asked_as_json() -> None:
    run = lifecycle(shop(0), training={"trials": 4, "algorithms": ["hist_gradient_boosting", "linear", "extra_trees"]})
    engineered = run.engineer()
    plan = FeaturePlan.model_validate_json(run.store.read(engineered.plan))
    signature = Signature.model_validate_json(run.store.read(engineered.signature))
    assert plan.derived
    for algorithm in ("hist_gradient_boosting", "linear", "extra_trees"):
        model = pipeline.build(plan, "binary", algorithm, {}, seed=0)
        train = run.parts["train"]
        pipeline.fit(model, pipeline.frame(signature, train), train.target)
        from modelcycle.model.export import to_onnx

        scorer = Scorer(signature, to_onnx(model, signature))
        test = run.parts["test"]
        asked = signature.read(signature.instances(Columns(test.values)))
        assert np.array_equal(scorer.scores(asked), scorer.scores(test))
        learned = pipeline.scores(model, pipeline.frame(signature, test), 2)
        assert np.abs(scorer.scores(asked) - learned).max() < 1e-4


@pytest.mark.parametrize("operation", ["difference", "ratio", "product", "days_between"])
def test_no_operation_gives_an_infinite_number(operation: Operation) -> None:
    extreme = np.array([0.0, -0.0, 1e-45, 3.4e38, -3.4e38, np.nan, 1.0], dtype=np.float32)
    left, right = (side.ravel() for side in np.meshgrid(extreme, extreme))
    values = derive(left, right, operation)
    assert values.dtype == np.float32
    assert not np.isinf(values).any()
    assert np.isnan(values[np.isnan(left) | np.isnan(right)]).all()


def test_a_cycle_enters_only_if_the_dates_cover_it() -> None:
    plain: list[Any] = ["month", "weekday", "hour"]
    hours = 3600.0 * np.arange(24 * 400)
    assert cyclic_parts(hours[: 24 * 3], plain) == ["day_sin", "day_cos"]
    assert cyclic_parts(hours[: 24 * 60], plain) == ["day_sin", "day_cos", "week_sin", "week_cos"]
    assert len(cyclic_parts(hours, plain)) == 6
    assert cyclic_parts(np.array([np.nan, np.nan]), plain) == []


def test_december_is_next_to_january() -> None:
    from modelcycle.model.date_parts import date_part

    moments = [datetime(2023, 12, 31, 23, 59, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)]
    seconds = np.array([moment.timestamp() for moment in moments])
    for cycle in ("day", "year"):
        sines, cosines = date_part(seconds, f"{cycle}_sin"), date_part(seconds, f"{cycle}_cos")  # type: ignore[arg-type]
        assert math.hypot(sines[0] - sines[1], cosines[0] - cosines[1]) < 0.03
