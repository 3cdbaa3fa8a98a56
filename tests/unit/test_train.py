"""The search, its trials, and the model of the best trial."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from modelcycle.faults import BadData
from modelcycle.messages import PlanTrialsRequest, SelectModelRequest
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.scoring import Scorer
from modelcycle.model.signature import Signature
from modelcycle.store import read_json
from modelcycle.train import plan_trials, select_model
from modelcycle.train.held_out_loss import NO_MODEL, validation_loss
from tests.unit.learning_tables import Lifecycle, lifecycle, odd_table, read_csv

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def trained() -> tuple:
    life = lifecycle(odd_table("binary"), training={"trials": 5})
    engineered = life.engineer()
    return life, engineered, *life.train(engineered)


def planned(life: Lifecycle) -> list:
    request = PlanTrialsRequest(run=life.run, preprocess=life.preprocessed, engineer_features=life.engineer())
    return plan_trials(request, artifacts=life.store).trials


def test_the_first_trials_are_the_defaults_and_boosting_has_the_larger_share() -> None:
    trials = planned(lifecycle(odd_table("binary", rows=300)))
    assert [trial.number for trial in trials] == list(range(1, 13))
    names = [trial.algorithm for trial in trials]
    assert names[:4] == ["hist_gradient_boosting", "random_forest", "extra_trees", "linear"]
    assert names.count("hist_gradient_boosting") == 6
    assert len({(trial.algorithm, str(trial.parameters)) for trial in trials}) == 12


def test_a_longer_search_begins_like_a_shorter_one_and_another_seed_differs() -> None:
    table = odd_table("regression", rows=300)
    short = planned(lifecycle(table, training={"trials": 4}))
    long = planned(lifecycle(table, training={"trials": 20}))
    other_seed = planned(lifecycle(table, training={"trials": 20, "seed": 1}))
    assert long[:4] == short
    # after the portfolios, which are the same for every seed
    assert [trial.parameters for trial in other_seed[14:]] != [trial.parameters for trial in long[14:]]


def test_no_drawn_number_changes_its_type_in_json() -> None:
    # a state machine may pass 1.0 on as 1, which scikit-learn reads as one feature
    for task in ("binary", "regression"):
        for trial in planned(lifecycle(odd_table(task, rows=300), training={"trials": 200})):
            assert not any(isinstance(value, float) and value.is_integer() for value in trial.parameters.values())


def test_the_best_trial_is_fitted_again_and_described(trained: tuple) -> None:
    life, _, trials, model = trained
    best = min(trials, key=lambda trial: trial.loss)
    assert (model.best, model.loss, model.trials) == (best.trial, best.loss, 5)
    assert set(model.packages) >= {"scikit-learn", "skl2onnx", "onnx", "numpy", "pandas"}
    reference = np.load(io.BytesIO(life.store.read(model.reference)))
    assert reference["validation"].dtype == np.float32
    assert reference["validation"].shape == (life.parts["validation"].rows, 2)
    baseline = read_json(life.store, model.baseline)
    target = np.concatenate([life.parts["train"].target, life.parts["validation"].target])
    assert baseline["classes"] == ["no", "yes"]
    assert baseline["probabilities"] == pytest.approx([1 - target.mean(), target.mean()])


def test_each_finished_trial_has_an_object(trained: tuple) -> None:
    life = trained[0]
    finished = [key for key in life.store.objects if "/train/trial-" in key]
    assert sorted(finished) == [f"model/runs/r1/train/trial-{number:03}.json" for number in range(1, 6)]


def test_probes_contain_what_no_training_row_does(trained: tuple) -> None:
    life, engineered, _, model = trained
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    probes = Columns.from_bytes(life.store.read(model.probes))
    assert probes.target is None
    empty = np.ones(probes.rows, dtype=bool)
    for field in signature.fields:
        values = probes.values[field.name]
        missing = values.codes < 0 if isinstance(values, Texts) else np.isnan(values)
        assert missing.any()
        empty &= missing
        if isinstance(values, Texts):
            assert "a level never seen" in values.levels
            assert max(map(len, values.levels)) == 10_000
    assert empty.any()
    scores = np.load(io.BytesIO(life.store.read(model.reference)))["validation"]
    nearest = np.sort(np.abs(scores[:, 1] - 0.5))[:32]
    first = np.load(io.BytesIO(life.store.read(model.reference)))["probes"][:32, 1]
    np.testing.assert_allclose(np.abs(first - 0.5), nearest)


def test_done_again_its_results_are_reused(trained: tuple) -> None:
    life, engineered, _, model = trained
    again, same = life.train(engineered)
    assert all(trial.cached for trial in again)
    assert same.cached
    assert same.onnx == model.onnx


def test_of_equal_losses_the_first_trial_wins_and_a_search_without_a_model_fails(trained: tuple) -> None:
    life, engineered, trials, _ = trained
    inputs = {"run": life.run, "preprocess": life.preprocessed, "engineer_features": engineered}
    equal = [trial.model_copy(update={"loss": 0.5}) for trial in reversed(trials)]
    request = SelectModelRequest(**inputs, trials=equal)
    assert select_model(request, artifacts=life.store, results=life.results, code="1").best.number == 1
    diverged = [trial.model_copy(update={"loss": NO_MODEL}) for trial in trials]
    with pytest.raises(BadData, match="no trial has a finite loss"):
        select_model(
            SelectModelRequest(**inputs, trials=diverged), artifacts=life.store, results=life.results, code="1"
        )


def test_a_loss_that_is_not_finite_is_the_largest_and_a_wrong_certainty_costs_16_nats() -> None:
    scores = np.array([[np.nan], [1.0]], dtype=np.float32)
    assert validation_loss(scores, np.array([1.0, 1.0])) == NO_MODEL
    certain = np.array([[1.0, 0.0]], dtype=np.float32)
    smallest = float(np.finfo(np.float32).eps)
    assert validation_loss(certain, np.array([1], dtype=np.int32)) == pytest.approx(-np.log(smallest))


def test_a_probability_that_a_graph_rounds_above_one_has_a_loss() -> None:
    above = np.array([[1.0000001, 0.0], [0.0, 1.0]], dtype=np.float32)
    assert above[0, 0] > 1
    assert validation_loss(above, np.array([0, 1], dtype=np.int32)) == pytest.approx(0, abs=1e-6)


TRAIN_ONCE = """
import sys
from tests.unit.learning_tables import lifecycle, odd_table
life = lifecycle(odd_table(sys.argv[1], rows=500), training={"trials": 1, "algorithms": [sys.argv[2]]})
engineered = life.engineer()
_, model = life.train(engineered)
artifacts = [engineered.plan, engineered.signature, model.onnx, model.reference, model.probes]
print(*(artifact.sha256 for artifact in artifacts))
"""


@pytest.mark.parametrize(
    ("task", "algorithm"),
    [
        pytest.param("multiclass", "hist_gradient_boosting", marks=pytest.mark.long), ("binary", "linear"),
        pytest.param("regression", "random_forest", marks=pytest.mark.long),
    ],
)  # fmt: skip
def test_another_process_makes_the_same_bytes(task: str, algorithm: str) -> None:
    def hashes(hash_seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{ROOT}:{ROOT}/layers/modelcycle"}
        command = [sys.executable, "-W", "ignore", "-c", TRAIN_ONCE, task, algorithm]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert hashes("1") == hashes("2")


def test_the_first_trial_on_adult_has_a_good_error() -> None:
    life = lifecycle(read_csv("adult", "income", "binary", ["<=50K", ">50K"]), training={"trials": 1})
    engineered = life.engineer()
    _, model = life.train(engineered)
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    scores = Scorer(signature, life.store.read(model.onnx)).scores(life.parts["test"])
    assert float(((scores[:, 1] >= 0.5) != life.parts["test"].target).mean()) <= 0.135
