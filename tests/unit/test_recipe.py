"""Recipes: several trials as one model, calibrated; ONNX gives the scores of scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcycle.faults import Tampered
from modelcycle.messages import Calibration, Member, Recipe, Trial
from modelcycle.model import export, pipeline
from modelcycle.model.calibration import calibrate, power
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.recipe import FittedRecipe, fit_recipe
from modelcycle.model.scoring import Scorer
from modelcycle.model.signature import Signature
from modelcycle.train.parity_rows import parity_rows
from tests.unit.learning_tables import lifecycle, odd_table, table

TASKS = ["binary", "multiclass", "regression"]
SLACK = 1e-5


def members(weights: tuple[float, ...] = (0.5, 0.3, 0.2)) -> list[Member]:
    algorithms = ["hist_gradient_boosting", "random_forest", "linear"]
    settings: list[dict] = [{"max_iter": 40}, {"n_estimators": 40, "min_samples_leaf": 2}, {}]
    return [
        Member(trial=Trial(number=number, algorithm=name, parameters=parameters, seed=number), weight=weight)
        for number, (name, parameters, weight) in enumerate(zip(algorithms, settings, weights, strict=True))
    ]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("task", TASKS)
def test_a_calibrated_blend_scores_odd_rows_alike_in_onnx_and_in_scikit_learn(task: str, seed: int) -> None:
    life = lifecycle(odd_table(task, rows=900, seed=seed))
    engineered = life.engineer()
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    plan = FeaturePlan.model_validate_json(life.store.read(engineered.plan))
    classes, train = len(signature.classes), life.parts["train"]
    fitted = fit_recipe(Recipe(members=members()), plan, signature, pipeline.frame(signature, train), train.target)
    validation = life.parts["validation"]
    probes = parity_rows(signature, validation, fitted.scores(pipeline.frame(signature, validation), classes))
    unit = float(np.std(train.target)) if task == "regression" else 1.0
    calibrations = [None] if task == "regression" else [
        None, Calibration(slope=0.3), Calibration(slope=0.9), Calibration(slope=1.4), Calibration(slope=5),
    ]  # fmt: skip
    if task == "binary":
        calibrations += [Calibration(slope=0.6, intercept=2.5), Calibration(slope=3, intercept=-3)]
    for calibration in calibrations:
        recipe = FittedRecipe(Recipe(members=members(), calibration=calibration), fitted.models)
        scorer = Scorer(signature, recipe.to_onnx(signature))
        for rows in (validation, life.parts["test"], probes):
            served, expected = scorer.scores(rows), recipe.finite_scores(pipeline.frame(signature, rows), classes)
            np.testing.assert_allclose(served / unit, expected / unit, atol=2 * SLACK, rtol=0)
            if task != "regression":
                np.testing.assert_allclose(served.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("task", TASKS)
def test_the_blend_is_the_weighted_mean_of_its_members(task: str) -> None:
    life = lifecycle(odd_table(task, rows=500))
    engineered = life.engineer()
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    plan = FeaturePlan.model_validate_json(life.store.read(engineered.plan))
    train, test = life.parts["train"], life.parts["test"]
    frame, classes = pipeline.frame(signature, train), len(signature.classes)
    fitted = fit_recipe(Recipe(members=members((2, 1, 1))), plan, signature, frame, train.target)
    single = [
        Scorer(signature, fit_recipe(Recipe(members=[member]), plan, signature, frame, train.target).to_onnx(signature))
        for member in members()
    ]  # fmt: skip
    alone = [scorer.scores(test).astype(np.float64) for scorer in single]
    expected = 0.5 * alone[0] + 0.25 * alone[1] + 0.25 * alone[2]
    np.testing.assert_allclose(Scorer(signature, fitted.to_onnx(signature)).scores(test), expected, rtol=1e-5)
    assert fitted.to_onnx(signature) == fitted.to_onnx(signature)
    graph = onnx.load_from_string(fitted.to_onnx(signature))
    onnx.checker.check_model(graph, full_check=True)
    assert len(graph.graph.output) == 1
    assert [entry.name for entry in graph.graph.input] == [entry.name for entry in signature.inputs]
    assert [entry.domain for entry in graph.opset_import] == sorted(entry.domain for entry in graph.opset_import)
    assert {entry.key for entry in graph.metadata_props} == {"opset", "packages", "task"}
    assert classes == len(signature.classes)


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_one_calibrated_model_of_numbers_alone_agrees(task: str, position: int) -> None:
    # forests of numbers alone are converted to a graph of a low opset
    random = np.random.default_rng(0)
    number, other = random.normal(size=400), random.normal(size=400)
    level = np.digitize(number + other + random.normal(size=400), [0] if task == "binary" else [-1, 1])
    raw = {"a": number.tolist(), "b": other.tolist(), "y": ["xyz"[code] for code in level]}
    life = lifecycle(table(raw, "y", task))
    engineered = life.engineer()
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    plan = FeaturePlan.model_validate_json(life.store.read(engineered.plan))
    train, test = life.parts["train"], life.parts["test"]
    recipe = Recipe(members=[members()[position]], calibration=Calibration(slope=0.6))
    fitted = fit_recipe(recipe, plan, signature, pipeline.frame(signature, train), train.target)
    served = Scorer(signature, fitted.to_onnx(signature)).scores(test)
    expected = fitted.scores(pipeline.frame(signature, test), len(signature.classes))
    np.testing.assert_allclose(served, expected, atol=SLACK)


def test_a_recipe_read_from_its_skops_file_gives_the_same_scores() -> None:
    life = lifecycle(odd_table("multiclass", rows=400))
    engineered = life.engineer()
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    plan = FeaturePlan.model_validate_json(life.store.read(engineered.plan))
    train = life.parts["train"]
    recipe = Recipe(members=members(), calibration=Calibration(slope=0.8), threshold=None)
    fitted = fit_recipe(recipe, plan, signature, pipeline.frame(signature, train), train.target)
    loaded = FittedRecipe.from_skops(fitted.to_skops())
    assert loaded.recipe == recipe
    rows = pipeline.frame(signature, life.parts["test"])
    assert np.array_equal(loaded.scores(rows, 3), fitted.scores(rows, 3))
    with pytest.raises(Tampered, match="does not hold a recipe"):
        FittedRecipe.from_skops(export.to_skops(fitted.models[0]))


def test_a_class_without_training_rows_keeps_probability_zero_in_a_calibrated_blend() -> None:
    noisy = np.linspace(0, 1, 200) + np.random.default_rng(0).normal(0, 0.4, 200)
    raw = {"x": noisy.tolist(), "y": ["a" if n < 100 else "d" for n in range(200)]}
    life = lifecycle(table(raw, "y", "multiclass", ["a", "b", "c", "d"]))
    engineered = life.engineer()
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    plan = FeaturePlan.model_validate_json(life.store.read(engineered.plan))
    train = life.parts["train"]
    frame = pipeline.frame(signature, train)
    recipe = Recipe(members=members(), calibration=Calibration(slope=0.5))
    fitted = fit_recipe(recipe, plan, signature, frame, train.target)
    served = Scorer(signature, fitted.to_onnx(signature)).scores(train)
    assert (served[:, 1:3] == 0).all()
    np.testing.assert_allclose(served, fitted.scores(frame, 4), atol=SLACK)


def test_a_recipe_of_a_hundred_classes_and_extreme_numbers_agrees() -> None:
    random = np.random.default_rng(0)
    number = random.normal(size=2000)
    level = np.clip(((number + 3) / 6 * 100).astype(int), 0, 99)
    noisy = (number + random.normal(0, 0.3, size=2000)) * 1e29
    raw = {"x": noisy.tolist(), "y": [f"c{code:02}" for code in level]}
    life = lifecycle(table(raw, "y", "multiclass", [f"c{code:02}" for code in range(100)]))
    engineered = life.engineer()
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    plan = FeaturePlan.model_validate_json(life.store.read(engineered.plan))
    train, test = life.parts["train"], life.parts["test"]
    few = [
        Member(trial=Trial(number=1, algorithm="random_forest", parameters={"n_estimators": 20}, seed=1), weight=1),
        Member(trial=Trial(number=2, algorithm="linear", parameters={}, seed=1), weight=1),
    ]
    recipe = Recipe(members=few, calibration=Calibration(slope=0.7))
    fitted = fit_recipe(recipe, plan, signature, pipeline.frame(signature, train), train.target)
    served = Scorer(signature, fitted.to_onnx(signature)).scores(test)
    np.testing.assert_allclose(served, fitted.scores(pipeline.frame(signature, test), 100), atol=SLACK)


@given(
    slope=st.floats(0.2, 5), intercept=st.floats(-3, 3),
    points=st.lists(st.floats(0, 1), min_size=2, max_size=30, unique=True),
)  # fmt: skip
def test_calibration_keeps_the_order_of_probabilities_and_their_sum(
    slope: float, intercept: float, points: list[float]
) -> None:
    positive = np.sort(np.array(points))
    scores = np.column_stack([1 - positive, positive])
    calibrated = calibrate(scores, Calibration(slope=slope, intercept=intercept))
    assert np.isfinite(calibrated).all() and (calibrated >= 0).all() and (calibrated <= 1).all()
    np.testing.assert_allclose(calibrated.sum(axis=1), 1)
    assert all(low <= high + 1e-12 for low, high in itertools.pairwise(calibrated[:, 1]))


@given(slope=st.floats(0.2, 5), intercept=st.floats(-3, 3), probability=st.floats(1e-3, 1 - 1e-3))
def test_above_its_bound_a_calibration_is_platts_formula(slope: float, intercept: float, probability: float) -> None:
    calibration = Calibration(slope=slope, intercept=intercept)
    if min(probability, 1 - probability) < power(calibration).bound:
        return
    logit = np.log(probability / (1 - probability))
    expected = 1 / (1 + np.exp(-(slope * logit + intercept)))
    calibrated = calibrate(np.array([[1 - probability, probability]]), calibration)[0, 1]
    assert calibrated == pytest.approx(expected, rel=1e-9)


@given(slope=st.floats(0.2, 5), intercept=st.floats(-3, 3), probability=st.floats(0, 1 - 1e-6))
def test_a_difference_between_scikit_learn_and_onnx_is_not_magnified_beyond_the_tolerance(
    slope: float, intercept: float, probability: float
) -> None:
    measured = 3e-7  # a usual difference; the tolerance of the parity check is 1e-4
    calibration = Calibration(slope=slope, intercept=intercept)
    pair = np.array([[1 - probability, probability], [1 - probability - measured, probability + measured]])
    low, high = calibrate(pair, calibration)[:, 1]
    assert abs(high - low) < 5e-5
