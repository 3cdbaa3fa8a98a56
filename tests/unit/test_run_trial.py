"""A trial: which rows it is judged on, what it hands on, and how it fails."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from modelcycle.messages import PlanTrialsRequest, RunTrialRequest, Trial, TrialResult
from modelcycle.model import pipeline
from modelcycle.model.columns import concatenate
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.train import plan_trials, run_trial
from modelcycle.train.held_out_loss import NO_MODEL, validation_loss
from modelcycle.train.splits import splits_of_folds
from tests.unit.learning_tables import Lifecycle, lifecycle, odd_table, table

BOOSTING = {"max_iter": 300, "learning_rate": 0.1, "max_leaf_nodes": 8}


def run(life: Lifecycle, trial: Trial, *, folds: int, ends_at: datetime | None = None) -> TrialResult:
    request = RunTrialRequest(
        run=life.run, preprocess=life.preprocessed, engineer_features=life.engineer(), trial=trial, folds=folds,
        ends_at=ends_at,
    )  # fmt: skip
    return run_trial(request, artifacts=life.store, results=life.results, code=life.code)


def boosting(number: int = 1, **parameters: Any) -> Trial:
    return Trial(number=number, algorithm="hist_gradient_boosting", parameters=BOOSTING | parameters, seed=3)


def plan(life: Lifecycle) -> Any:
    request = PlanTrialsRequest(run=life.run, preprocess=life.preprocessed, engineer_features=life.engineer())
    return plan_trials(request, artifacts=life.store)


def held_out(life: Lifecycle, result: TrialResult) -> tuple[Any, Any]:
    assert result.scores is not None
    with np.load(io.BytesIO(life.store.read(result.scores)), allow_pickle=False) as stored:
        return stored["scores"], stored["rows"]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_few_rows_are_each_scored_by_a_model_that_has_not_seen_them(task: str) -> None:
    life = lifecycle(odd_table(task, rows=500))
    assert plan(life).folds == 5
    result = run(life, boosting(), folds=5)
    scores, rows = held_out(life, result)
    target = concatenate([life.parts["train"], life.parts["validation"]]).target
    assert sorted(rows.tolist()) == list(range(len(target)))
    assert scores.dtype == np.float32
    assert result.loss == validation_loss(scores, target[rows])
    assert not result.failed


def test_rows_in_the_order_of_time_are_scored_by_models_of_earlier_rows() -> None:
    life = lifecycle(odd_table("regression", rows=600), time_column="when")
    assert plan(life).folds == 4
    _, rows = held_out(life, run(life, boosting(), folds=4))
    total = life.parts["train"].rows + life.parts["validation"].rows
    assert sorted(rows.tolist()) == [row for row in range(total) if row * 6 // total >= 2]


def test_without_folds_the_validation_rows_judge() -> None:
    life = lifecycle(odd_table("binary", rows=500), folds=False)
    assert plan(life).folds == 0
    _, rows = held_out(life, run(life, boosting(), folds=0))
    first = life.parts["train"].rows
    assert rows.tolist() == list(range(first, first + life.parts["validation"].rows))


def test_boosting_stops_early_and_its_trial_can_be_fitted_again() -> None:
    life = lifecycle(odd_table("binary", rows=1500), folds=False)
    result = run(life, boosting(), folds=0)
    iterations = result.trial.parameters["max_iter"]
    assert isinstance(iterations, int)
    assert 1 <= iterations < 300
    engineered = life.engineer()
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    feature_plan = FeaturePlan.model_validate_json(life.store.read(engineered.plan))
    trial = result.trial
    model = pipeline.build(feature_plan, "binary", trial.algorithm, trial.parameters, trial.seed)
    pipeline.fit(model, pipeline.frame(signature, life.parts["train"]), life.parts["train"].target)
    scores = pipeline.scores(model, pipeline.frame(signature, life.parts["validation"]), 2)
    np.testing.assert_allclose(scores, held_out(life, result)[0], atol=1e-6)


def test_a_class_that_is_missing_in_folds_is_no_obstacle() -> None:
    rows = 300
    random = np.random.default_rng(0)
    values, noise = random.normal(size=rows), random.normal(size=rows)
    names = ["c" if row in (0, 5) else "ab"[int(values[row] + noise[row] > 0)] for row in range(rows)]
    life = lifecycle(table({"x": values.tolist(), "y": names}, "y", "multiclass"))
    for trial in plan(life).trials[:4]:
        result = run(life, trial, folds=5)
        assert not result.failed
        assert result.loss < 1


def test_a_trial_that_cannot_be_fitted_says_why_and_has_no_scores() -> None:
    life = lifecycle(odd_table("binary", rows=300))
    result = run(life, boosting(learning_rate=-1), folds=5)
    assert (result.loss, result.scores) == (NO_MODEL, None)
    assert result.failed.startswith("not fitted, InvalidParameterError")
    assert "yes" not in result.failed


def test_a_trial_after_the_end_of_the_search_is_skipped_and_not_remembered() -> None:
    life = lifecycle(odd_table("binary", rows=300), training={"seconds": 60})
    ends_at = plan(life).ends_at
    assert timedelta(0) < ends_at - datetime.now(UTC) <= timedelta(seconds=60)
    late = run(life, boosting(), folds=5, ends_at=datetime.now(UTC) - timedelta(seconds=1))
    assert (late.loss, late.scores, late.failed) == (NO_MODEL, None, "skipped: training.seconds is over")
    in_time = run(life, boosting(), folds=5, ends_at=ends_at)
    assert not in_time.failed
    # what an earlier run has computed costs no time
    again = run(life, boosting(), folds=5, ends_at=datetime.now(UTC) - timedelta(seconds=1))
    assert again.cached
    assert again.scores == in_time.scores


def test_a_trial_that_had_fewer_seconds_is_run_again_with_more() -> None:
    life = lifecycle(odd_table("binary", rows=300), training={"seconds": 60})
    first = run(life, boosting(), folds=5, ends_at=plan(life).ends_at)
    assert run(life, boosting(), folds=5).cached and not first.cached
    other = lifecycle(odd_table("binary", rows=300), training={"seconds": 600})
    file = life.store.put("another pipeline file", other.store.read(other.run.pipeline))
    more = life._replace(run=life.run.model_copy(update={"pipeline": file}))
    assert not run(more, boosting(), folds=5).cached


def test_a_drawn_trial_on_many_rows_is_the_best_of_its_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelcycle.train.halving.FIRST_SAMPLE_ROWS", 200)
    life = lifecycle(odd_table("binary", rows=500), folds=False)
    bad = boosting(learning_rate=1e-6, candidates=4)
    result = run(life, bad, folds=0)
    assert "candidates" not in result.trial.parameters
    assert result.trial.parameters["learning_rate"] != 1e-6
    assert result.loss < run(life, boosting(2, learning_rate=1e-6), folds=0).loss
    twice = run(lifecycle(odd_table("binary", rows=500), folds=False), bad, folds=0)
    assert (twice.trial, twice.loss) == (result.trial, result.loss)


def test_extreme_columns_leave_every_algorithm_a_model() -> None:
    random = np.random.default_rng(0)
    usual = random.normal(size=400)
    raw = {
        "huge": (random.normal(size=400) * 1e37).tolist(), "tiny": (random.normal(size=400) * 1e-42).tolist(),
        "x": usual.tolist(), "y": ["p" if value > 0 else "n" for value in usual + random.normal(size=400) / 3],
    }  # fmt: skip
    life = lifecycle(table(raw, "y", "binary"))
    for trial in plan(life).trials[:4]:
        result = run(life, trial, folds=5)
        assert not result.failed, result
        assert result.loss < 0.5


def test_a_fold_whose_rows_to_learn_from_have_one_class_is_left_out() -> None:
    target = np.array([0, 0, 0, 0, 1, 1])
    folds = np.array([0, 1, 2, 3, 4, 5])

    def learnable(rows: Any) -> bool:
        return len(np.unique(target[rows])) > 1

    splits = splits_of_folds(folds, True, learnable)
    assert [split.judge.tolist() for split in splits] == [[5]]
