"""The choice of a recipe: blends, calibration and thresholds, kept only where they pay."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from modelcycle.faults import BadData, BadMessage, BadPipeline
from modelcycle.messages import Calibration, PlanTrialsRequest, SelectModelRequest, Trial, TrialResult
from modelcycle.model.calibration import calibrate
from modelcycle.model.columns import Columns
from modelcycle.model.losses import log_losses
from modelcycle.model.npz import to_npz
from modelcycle.model.parity import ScorePair, check_parity
from modelcycle.model.recipe import FittedRecipe
from modelcycle.model.scoring import Scorer, predicted_codes
from modelcycle.model.signature import Signature
from modelcycle.spec import Costs, Decide, parse
from modelcycle.train import plan_trials, select_model
from modelcycle.train.blend import Blend, choose_blend
from modelcycle.train.calibrate import choose_calibration, fit_calibration
from modelcycle.train.choose_recipe import choose_recipe
from modelcycle.train.held_out import HeldOut, read_held_out
from modelcycle.train.threshold import choose_threshold
from tests.fakes import MemoryStore
from tests.unit.learning_tables import Lifecycle, lifecycle, odd_table, table


def result(number: int, seconds: float = 1.0, **update: Any) -> TrialResult:
    trial = Trial(number=number, algorithm="linear", parameters={}, seed=0)
    return TrialResult(trial=trial, loss=0.5 + number / 100, seconds=seconds).model_copy(update=update)


def noisy_regressors(noises: list[float], rows: int = 600, seed: int = 0, shared: float = 0.0) -> HeldOut:
    """Trials whose errors are independent, except for a shared part."""
    random = np.random.default_rng(seed)
    target, common = random.normal(size=rows), random.normal(size=rows)
    scores = [target + shared * common + noise * random.normal(size=rows) for noise in noises]
    order = np.argsort([np.mean(np.square(member - target)) for member in scores])
    table = np.array(scores, dtype=np.float32)[order].reshape(len(noises), rows, 1)
    return HeldOut([result(number) for number in range(len(noises))], table, target)


def binary_scores(rows: int, slope: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities whose true logits are `slope` times as large."""
    random = np.random.default_rng(seed)
    logit = random.normal(0, 2, rows)
    target = (random.random(rows) < 1 / (1 + np.exp(-slope * logit))).astype(np.int64)
    positive = 1 / (1 + np.exp(-logit))
    return np.column_stack([1 - positive, positive]), target


def test_trials_with_independent_errors_are_blended_and_the_gain_is_measured_on_other_rows() -> None:
    blend = choose_blend(noisy_regressors([1.0, 1.0, 1.0, 1.1, 5.0]))
    assert blend is not None and len(blend.members) == 3 and 4 not in blend.members
    assert sum(blend.weights) == pytest.approx(1)
    assert blend.loss < 0.75 * blend.best_loss


def test_trials_that_err_alike_are_not_blended() -> None:
    assert choose_blend(noisy_regressors([0.01, 0.011, 0.012], shared=1.0)) is None
    assert choose_blend(noisy_regressors([0.1, 5.0])) is None


def test_of_equal_trials_a_blend_is_seldom_chosen_by_chance() -> None:
    chosen = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        target = random.integers(0, 2, 300)
        positive = np.clip(0.5 + random.normal(0, 0.001, (6, 300)), 0, 1)  # no trial knows anything
        scores = np.stack([1 - positive, positive], axis=2).astype(np.float32)
        chosen += choose_blend(HeldOut([result(number) for number in range(6)], scores, target)) is not None
    assert chosen <= 3


def test_a_blend_takes_no_longer_to_fit_than_one_function_may_run() -> None:
    held_out = noisy_regressors([1.0, 1.0, 1.0])
    slow = HeldOut([result(number, seconds=200) for number in range(3)], held_out.scores, held_out.target)
    assert choose_blend(held_out) is not None
    assert choose_blend(slow) is None


@pytest.mark.parametrize("slope", [0.4, 2.5])
def test_miscalibrated_probabilities_are_corrected(slope: float) -> None:
    scores, target = binary_scores(3000, slope)
    chosen = choose_calibration(scores, target)
    assert chosen is not None and chosen.calibration.slope == pytest.approx(slope, rel=0.15)
    assert chosen.loss < chosen.loss_before
    fresh, fresh_target = binary_scores(20_000, slope, seed=1)
    corrected = calibrate(fresh, chosen.calibration)[:, 1]
    for low in np.arange(0, 1, 0.2):
        bin_ = (corrected >= low) & (corrected < low + 0.2)
        assert fresh_target[bin_].mean() == pytest.approx(corrected[bin_].mean(), abs=0.04)


def test_calibrated_probabilities_are_left_alone() -> None:
    kept = [choose_calibration(*binary_scores(500, 1.0, seed=seed)) for seed in range(40)]
    assert sum(chosen is not None for chosen in kept) <= 4
    assert choose_calibration(*binary_scores(60, 0.2)) is None


def test_a_temperature_corrects_several_classes_and_zero_or_certain_probabilities_are_survived() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 1.5, (4000, 5))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    target = np.array([random.choice(5, p=row) for row in truth])
    sharp = truth**2 / (truth**2).sum(axis=1, keepdims=True)
    chosen = choose_calibration(sharp, target)
    assert chosen is not None and chosen.calibration.slope == pytest.approx(1 / 2, rel=0.1)
    assert chosen.loss == pytest.approx(float(log_losses(truth[np.arange(len(target)), target]).mean()), rel=0.01)
    certain = np.eye(5)[random.integers(0, 5, 4000)]
    calibration = fit_calibration(certain, target)
    assert np.isfinite(calibrate(certain, calibration)).all()


@given(
    scores=st.lists(st.sampled_from([0.0, 1e-7, 0.1, 0.1000001, 0.3, 0.5, 0.7, 1.0]), min_size=2, max_size=40),
    seed=st.integers(0, 99), how=st.sampled_from(["f1", "accuracy", "balanced_accuracy", "costs"]),
)  # fmt: skip
@settings(deadline=None)  # scikit-learn is imported by the first
def test_no_other_threshold_is_better(scores: list[float], seed: int, how: str) -> None:
    random = np.random.default_rng(seed)
    target = random.integers(0, 2, len(scores))
    target[:2] = 0, 1
    costs = Costs(false_negative=float(random.integers(1, 9)), false_positive=float(random.integers(0, 9)))
    decide = Decide(costs=costs) if how == "costs" else Decide(metric=how)
    positive = np.array(scores)

    def quality(threshold: float) -> float:
        predicted = predicted_codes(np.column_stack([1 - positive, positive]).astype(np.float32), threshold)
        if how == "costs":
            wrong = costs.false_negative * ((predicted == 0) & (target == 1))
            return -float((wrong + costs.false_positive * ((predicted == 1) & (target == 0))).sum())
        measure = {"f1": f1_score, "accuracy": accuracy_score, "balanced_accuracy": balanced_accuracy_score}[how]
        return float(measure(target, predicted))

    chosen = choose_threshold(decide, positive, target)
    assert chosen is not None and 0 <= chosen <= 1
    others = [0.0, 5e-8, 1e-3, 0.1, 0.10000005, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert quality(chosen) >= max(quality(other) for other in others) - 1e-9


def test_a_threshold_is_a_short_number_and_the_usual_one_where_nothing_is_better() -> None:
    scores, target = np.array([0.2, 0.23456, 0.41, 0.9]), np.array([0, 1, 0, 1])
    assert choose_threshold(Decide(metric="f1"), scores, target) == 0.22
    assert choose_threshold(Decide(metric="accuracy"), np.array([0.1, 0.9]), np.array([0, 1])) == 0.5
    missed_is_worse = Decide(costs=Costs(false_negative=9, false_positive=1))
    assert choose_threshold(missed_is_worse, np.array([0.05, 0.4]), np.array([0, 1])) == 0.1
    assert choose_threshold(Decide(costs=Costs(false_negative=1, false_positive=0)), scores, target) == 0
    assert choose_threshold(Decide(), scores, target) is None
    # the usual threshold, 0.7, would accept the row that it should reject
    costs = Decide(costs=Costs(false_negative=3, false_positive=7))
    assert (
        predicted_codes(np.float32([[0.3, 0.7]]), choose_threshold(costs, np.array([0.7, 0.1]), np.array([0, 1]))) == 0
    )


def rare(rows: int = 1500) -> Lifecycle:
    random = np.random.default_rng(0)
    number = random.normal(size=rows)
    raw = {
        "a b": number.tolist(), "=c": random.normal(size=rows).tolist(),
        "y": ["yes" if value else "no" for value in random.random(rows) < 0.25 / (1 + np.exp(-2 * number))],
    }  # fmt: skip
    return lifecycle(table(raw, "y", "binary", ["no", "yes"]), training={"trials": 3, "decide": {"metric": "f1"}})


def test_a_threshold_is_served_and_the_parity_rows_lie_around_it() -> None:
    life = rare()
    engineered = life.engineer()
    _, model = life.train(engineered)
    signature = Signature.model_validate_json(life.store.read(model.signature))
    assert signature.threshold == model.recipe.threshold
    assert 0.05 < signature.threshold < 0.45
    assert any("is predicted from a probability of" in note for note in model.notes)
    assert FittedRecipe.from_skops(life.store.read(model.skops)).recipe == model.recipe
    scores = Scorer(signature, life.store.read(model.onnx)).scores(life.parts["test"])
    target = life.parts["test"].target
    assert f1_score(target, predicted_codes(scores, signature.threshold)) > f1_score(target, predicted_codes(scores))
    unchanged = Signature.model_validate_json(life.store.read(engineered.signature))
    assert signature == unchanged.model_copy(update={"threshold": signature.threshold})
    reference = np.load(io.BytesIO(life.store.read(model.reference)))
    nearest = np.sort(np.abs(reference["validation"][:, 1] - signature.threshold))[:32]
    np.testing.assert_allclose(np.abs(reference["probes"][:32, 1] - signature.threshold), nearest, atol=1e-6)


def test_another_threshold_makes_another_model_and_none_says_that_every_row_is_the_same_class() -> None:
    life = rare()
    engineered = life.engineer()
    trials, model = life.train(engineered)
    usual = lifecycle(odd_table("binary", rows=300))
    run = life.run.model_copy(update={"pipeline": life.store.put("other.json", usual.store.read(usual.run.pipeline))})
    request = SelectModelRequest(
        run=run, preprocess=life.preprocessed, engineer_features=engineered, trials=trials
    )  # fmt: skip
    other = select_model(request, artifacts=life.store, results=life.results, code="1")
    assert not other.cached and other.recipe.threshold is None
    held_out = HeldOut([result(1)], np.tile(np.float32([0.9, 0.1]), (1, 50, 1)), np.arange(50) % 2)
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    notes = choose_recipe(held_out, signature, Decide()).notes
    assert notes == ["every held-out row is predicted as 'no'; training.decide can choose another threshold"]
    assert model.recipe.threshold is not None


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_a_threshold_for_another_task_is_one_clear_sentence(task: str) -> None:
    life = lifecycle(odd_table(task, rows=300), training={"trials": 1, "decide": {"metric": "f1"}})
    engineered = life.engineer()
    request = PlanTrialsRequest(run=life.run, preprocess=life.preprocessed, engineer_features=engineered)
    with pytest.raises(BadPipeline, match=f"only a binary task has; the target makes this a {task} task") as caught:
        plan_trials(request, artifacts=life.store)  # before any trial is fitted
    assert caught.value.remedy == "remove training.decide"
    text = (
        f"name: a\ntarget: b\ntask: {task}\ntraining: {{decide: {{costs: {{false_negative: 2, false_positive: 1}}}}}}"
    )
    with pytest.raises(BadPipeline, match="decide chooses the threshold of a binary task"):
        parse(text.encode(), "pipelines/a.yaml")


def test_flips_are_counted_at_the_models_threshold() -> None:
    pairs = [ScorePair("rows", np.array([[0.69999, 0.30001], [0.5, 0.5]]), np.array([[0.70001, 0.29999], [0.5, 0.5]]))]
    assert check_parity(pairs, "binary", 1.0, "linear", 0.3).flips == 1
    assert check_parity(pairs, "binary", 1.0, "linear").flips == 0


def extreme(algorithms: list[str]) -> Lifecycle:
    random = np.random.default_rng(0)
    number, other = random.normal(size=600), random.normal(size=600)
    hidden = number + other + 0.5 * random.normal(size=600)
    raw = {
        "huge": (number * 1e37).tolist(), "tiny": (number * 1e-42).astype(np.float32).astype(float).tolist(),
        "b": other.tolist(), "y": ["p" if value > 0 else "n" for value in hidden],
    }  # fmt: skip
    return lifecycle(table(raw, "y", "binary"), training={"trials": len(algorithms), "algorithms": algorithms})


def test_a_model_that_cannot_score_extreme_numbers_gives_way_to_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    life = extreme(["hist_gradient_boosting", "linear"])
    engineered = life.engineer()
    trials, _ = life.train(engineered)
    finite_scores = FittedRecipe.finite_scores

    def scores(self: FittedRecipe, rows: Any, n_classes: int) -> Any:
        if any(member.trial.algorithm == "linear" for member in self.recipe.members):
            raise ValueError("Input X contains infinity, and a value of a row: 12345")
        return finite_scores(self, rows, n_classes)

    monkeypatch.setattr(FittedRecipe, "finite_scores", scores)
    best_first = [
        trial.model_copy(update={"loss": 0.1 if trial.trial.algorithm == "linear" else 0.2}) for trial in trials
    ]
    request = SelectModelRequest(
        run=life.run, preprocess=life.preprocessed, engineer_features=engineered, trials=best_first
    )
    model = select_model(request, artifacts=life.store, results=life.results, code="2")
    assert model.best.algorithm == "hist_gradient_boosting"
    assert any("(linear) is left out" in note and "12345" not in note for note in model.notes)
    only = request.model_copy(update={"trials": [best for best in best_first if best.trial.algorithm == "linear"]})
    with pytest.raises(BadData, match=r"trial 2 \(linear\) is left out"):
        select_model(only, artifacts=life.store, results=life.results, code="2")


def test_trials_judged_on_other_rows_are_not_averaged_and_rows_may_come_in_any_order() -> None:
    store = MemoryStore()
    random = np.random.default_rng(0)
    target = random.normal(size=20)

    def put(name: str, rows: np.ndarray) -> Any:
        return store.put(name, to_npz(scores=target[rows].reshape(-1, 1).astype(np.float32), rows=rows))

    results = [
        result(1, scores=put("1", np.arange(10, 20))), result(2, scores=put("2", np.arange(8, 20))),
        result(3, scores=put("3", np.arange(19, 9, -1))), result(4),
        result(5, seconds=1e4, scores=put("5", np.arange(10, 20))),
    ]  # fmt: skip
    held_out = read_held_out(results, target, store)
    assert [trial.trial.number for trial in held_out.trials] == [1, 3]
    np.testing.assert_allclose(held_out.scores[:, :, 0], np.tile(target[10:], (2, 1)), rtol=1e-6)
    with pytest.raises(BadMessage, match="no scores of held-out rows"):
        read_held_out([result(1), *results], target, store)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_blend_is_one_graph_that_passes_the_parity_check(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    blend = Blend([0, 1, 3], [0.5, 0.3, 0.2], 0.4, 0.5)
    monkeypatch.setattr("modelcycle.train.choose_recipe.choose_blend", lambda held_out: blend)
    monkeypatch.setattr("modelcycle.train.calibrate.is_lower", lambda losses, others: True)
    life = lifecycle(odd_table(task, rows=1000), training={"trials": 6})
    engineered = life.engineer()
    _, model = life.train(engineered)
    assert len(model.recipe.members) == 3 and any("is the mean of 3 trials (" in note for note in model.notes)
    assert (model.recipe.calibration is None) == (task == "regression")
    signature = Signature.model_validate_json(life.store.read(model.signature))
    scorer = Scorer(signature, life.store.read(model.onnx))
    reference = np.load(io.BytesIO(life.store.read(model.reference)))
    probes = Columns.from_bytes(life.store.read(model.probes))
    pairs = [
        ScorePair("validation", reference["validation"], scorer.scores(life.parts["validation"])),
        ScorePair("probes", reference["probes"], scorer.scores(probes)),
    ]
    deviation = float(np.std(life.parts["train"].target))
    assert check_parity(pairs, signature.task, deviation, "blend").max_difference < 2e-5
    assert model.recipe.calibration is None or isinstance(model.recipe.calibration, Calibration)
