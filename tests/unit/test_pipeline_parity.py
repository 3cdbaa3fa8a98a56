"""ONNX gives the scores of scikit-learn, for every treatment of a column, algorithm and task."""

from __future__ import annotations

import io

import numpy as np
import pytest

from modelcycle.model import export, pipeline
from modelcycle.model.columns import Columns
from modelcycle.model.plan import FeaturePlan, Input, Planned
from modelcycle.model.recipe import FittedRecipe
from modelcycle.model.scoring import Scorer
from modelcycle.model.signature import Signature
from modelcycle.train.parity_rows import parity_rows
from tests.unit.learning_tables import lifecycle, odd_table, table

ALGORITHMS = ["hist_gradient_boosting", "random_forest", "extra_trees", "linear"]
TREES = ["hist_gradient_boosting", "random_forest", "extra_trees"]
TASKS = ["binary", "multiclass", "regression"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("task", TASKS)
def test_onnx_agrees_with_scikit_learn_on_validation_rows_and_probes(task: str, algorithm: str) -> None:
    life = lifecycle(odd_table(task), training={"trials": 1, "algorithms": [algorithm]})
    engineered = life.engineer()
    _, model = life.train(engineered)
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    plan = FeaturePlan.model_validate_json(life.store.read(engineered.plan))
    treatments = {planned.treatment for planned in plan.columns}
    assert treatments == {"number", "category", "high_cardinality", "words", "date_parts"}
    scorer = Scorer(signature, life.store.read(model.onnx))
    probes = Columns.from_bytes(life.store.read(model.probes))
    reference = np.load(io.BytesIO(life.store.read(model.reference)))
    unit = float(np.std(life.parts["train"].target)) if task == "regression" else 1.0
    for name, rows in (("validation", life.parts["validation"]), ("probes", probes)):
        served = scorer.scores(rows)
        assert np.isfinite(served).all()
        np.testing.assert_allclose(served / unit, reference[name] / unit, atol=2e-5, rtol=0)
    # the model of the skops file, on rows that no step has scored
    loaded = FittedRecipe.from_skops(life.store.read(model.skops))
    test = life.parts["test"]
    expected = loaded.scores(pipeline.frame(signature, test), len(signature.classes))
    np.testing.assert_allclose(scorer.scores(test) / unit, expected / unit, atol=2e-5, rtol=0)


@pytest.mark.parametrize("algorithm", TREES)
@pytest.mark.parametrize("task", TASKS)
def test_mean_targets_in_trees_agree_with_scikit_learn(task: str, algorithm: str) -> None:
    life = lifecycle(odd_table(task), training={"trials": 1})
    engineered = life.engineer()
    signature = Signature.model_validate_json(life.store.read(engineered.signature))
    plan = FeaturePlan.model_validate_json(life.store.read(engineered.plan))
    model = pipeline.build(plan, task, algorithm, {"encoding": "target", "min_samples_leaf": 1}, seed=1)  # type: ignore[arg-type]
    rows = life.parts["train"]
    pipeline.fit(model, pipeline.frame(signature, rows), rows.target)
    scorer = Scorer(signature, export.to_onnx(model, signature))
    unit = float(np.std(rows.target)) if task == "regression" else 1.0
    start = pipeline.scores(model, pipeline.frame(signature, life.parts["validation"]), len(signature.classes))
    probes = parity_rows(signature, life.parts["validation"], start)
    loaded = export.from_skops(export.to_skops(model))
    for tested in (life.parts["validation"], life.parts["test"], probes, rows):
        expected = pipeline.scores(loaded, pipeline.frame(signature, tested), len(signature.classes))
        np.testing.assert_allclose(scorer.scores(tested) / unit, expected / unit, atol=2e-5, rtol=0)


@pytest.mark.parametrize("algorithm", TREES)
def test_a_mean_target_of_several_classes_survives_a_class_without_rows(algorithm: str) -> None:
    texts = [f"level {number % 7}" for number in range(200)]
    raw = {"x": texts, "y": ["a" if number % 7 < 3 else "d" for number in range(200)]}
    rows = table(raw, "y", "multiclass", ["a", "b", "c", "d"]).columns
    plan, signature = _one_column("multiclass", "category", ["a", "b", "c", "d"])
    frame = pipeline.frame(signature, rows)
    built = pipeline.build(plan, "multiclass", algorithm, {"encoding": "target"}, seed=0)
    model = pipeline.fit(built, frame, rows.target)
    served = Scorer(signature, export.to_onnx(model, signature)).scores(rows)
    np.testing.assert_allclose(served, pipeline.scores(model, frame, 4), atol=1e-6)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("scale", [1e37, 1e-42, 3e38, 1e-30])
def test_columns_of_extreme_numbers_are_a_model(algorithm: str, scale: float) -> None:
    random = np.random.default_rng(0)
    extreme, usual = random.normal(size=300), random.normal(size=300)
    values = {
        "x": np.clip(extreme * scale, -3.4e38, 3.4e38).astype(np.float32), "z": usual.astype(np.float32),
    }  # fmt: skip
    rows = Columns(values, (usual + 0.2 * extreme > 0).astype(np.int32))
    inputs = [Input(name="x0", column="x", kind="number"), Input(name="x1", column="z", kind="number")]
    plan = FeaturePlan(
        columns=[Planned(column=entry.column, treatment="number", why="", inputs=[entry]) for entry in inputs]
    )
    signature = Signature(
        model="m", task="binary", target="y", classes=["n", "p"], fields=[], ignored=[], inputs=inputs
    )
    frame = pipeline.frame(signature, rows)
    model = pipeline.fit(pipeline.build(plan, "binary", algorithm, {}, seed=0), frame, rows.target)
    served = Scorer(signature, export.to_onnx(model, signature)).scores(rows)
    np.testing.assert_allclose(served, pipeline.scores(model, frame, 2), atol=2e-5)
    assert ((served[:, 1] > 0.5) == rows.target).mean() > 0.8


@pytest.mark.parametrize("algorithm", TREES)
def test_a_threshold_between_neighbouring_floats_splits_as_in_scikit_learn(algorithm: str) -> None:
    # there is no float32 half-way between two neighbours; the nearest one may be the upper neighbour
    steps = np.float32(1.6e9) + np.float32(128) * np.arange(8, dtype=np.float32)
    raw = {"x": np.tile(steps, 60).tolist(), "y": np.tile([0.0, 5, 1, 7, 3, 9, 2, 4], 60).tolist()}
    rows = table(raw, "y", "regression").columns
    plan, signature = _one_column("regression", "number", [])
    parameters = {"min_samples_leaf": 5}
    model = pipeline.build(plan, "regression", algorithm, parameters, seed=0)
    frame = pipeline.frame(signature, rows)
    pipeline.fit(model, frame, rows.target)
    served = Scorer(signature, export.to_onnx(model, signature)).scores(rows)
    np.testing.assert_allclose(served, pipeline.scores(model, frame, 0), atol=1e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_class_without_training_rows_has_probability_zero(algorithm: str) -> None:
    raw = {"x": np.linspace(0, 1, 200).tolist(), "y": ["a" if n < 100 else "d" for n in range(200)]}
    rows = table(raw, "y", "multiclass", ["a", "b", "c", "d"]).columns
    plan, signature = _one_column("multiclass", "number", ["a", "b", "c", "d"])
    frame = pipeline.frame(signature, rows)
    model = pipeline.fit(pipeline.build(plan, "multiclass", algorithm, {}, seed=0), frame, rows.target)
    served = Scorer(signature, export.to_onnx(model, signature)).scores(rows)
    assert served.shape == (200, 4)
    assert (served[:, 1:3] == 0).all()
    np.testing.assert_allclose(served, pipeline.scores(model, frame, 4), atol=1e-6)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_one_text_column_alone_is_a_model(algorithm: str) -> None:
    raw = {"x": ["a", "b", None, "c"] * 50, "y": ["n", "p", "p", "n"] * 50}
    rows = table(raw, "y", "binary").columns
    plan, signature = _one_column("binary", "category", ["n", "p"])
    frame = pipeline.frame(signature, rows)
    model = pipeline.fit(pipeline.build(plan, "binary", algorithm, {}, seed=0), frame, rows.target)
    served = Scorer(signature, export.to_onnx(model, signature)).scores(rows)
    np.testing.assert_allclose(served, pipeline.scores(model, frame, 2), atol=1e-6)
    assert (served.argmax(axis=1) == rows.target).all()


def test_a_linear_model_stays_finite_on_the_largest_numbers() -> None:
    raw = {"x": np.linspace(2011, 2020, 300).tolist(), "y": np.linspace(0, 1, 300).tolist()}
    rows = table(raw, "y", "regression").columns
    plan, signature = _one_column("regression", "number", [])
    model = pipeline.fit(
        pipeline.build(plan, "regression", "linear", {}, seed=0), pipeline.frame(signature, rows), rows.target
    )
    largest = float(np.finfo(np.float32).max)
    extreme = Columns({"x": np.array([largest, -largest, np.nan], dtype=np.float32)})
    served = Scorer(signature, export.to_onnx(model, signature)).scores(extreme)
    np.testing.assert_allclose(served, pipeline.scores(model, pipeline.frame(signature, extreme), 0), atol=1e-6)
    assert np.abs(served).max() < 2


def _one_column(task: str, treatment: str, classes: list[str]) -> tuple[FeaturePlan, Signature]:
    graph_input = Input(name="x0", column="x", kind="text" if treatment == "category" else "number")
    plan = FeaturePlan(columns=[Planned(column="x", treatment=treatment, why="", inputs=[graph_input])])  # type: ignore[arg-type]
    signature = Signature(
        model="m", task=task, target="y", classes=classes, fields=[], ignored=[], inputs=[graph_input]
    )  # type: ignore[arg-type]
    return plan, signature
