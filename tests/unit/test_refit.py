"""The recipe of the judged model, fitted on all rows, and its check by the serving code."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from modelcycle.messages import (
    Artifact,
    CheckedRefit,
    CheckRefitRequest,
    EngineeredFeatures,
    RefitRequest,
    Refitted,
    SelectedModel,
    Validated,
)
from modelcycle.model import pipeline
from modelcycle.model.columns import Columns, concatenate
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.recipe import FittedRecipe, fit_recipe
from modelcycle.model.scoring import Scorer, Scores
from modelcycle.model.signature import Signature
from modelcycle.refit import check_refit
from modelcycle.refit import refit as refit_step
from modelcycle.refit.twin import worse_than_twin
from tests.unit.learning_tables import Lifecycle, Table, fold_bytes, lifecycle, odd_table, table

VALIDATED = Validated(
    verdict="passed", reasons=[], metric="rmse", metrics={}, baseline={}, champion=None, interval=(0, 1),
    report=Artifact(uri="s3://artifacts/report", sha256="0" * 64, bytes=1),
)  # fmt: skip


def by_time(rows: Table, sizes: tuple[int, int, int], **settings: Any) -> Lifecycle:
    """A run whose parts follow each other, as `preprocess` splits them with a time column."""
    life = lifecycle(rows, **settings)
    ends = np.cumsum((0, *sizes))
    names = ("train", "validation", "test")
    parts = {name: rows.columns.take(np.arange(ends[n], ends[n + 1])) for n, name in enumerate(names)}
    preprocessed = life.preprocessed.model_copy(
        update={
            "train": life.store.put("by_time/train.npz", parts["train"].to_bytes()),
            "validation": life.store.put("by_time/validation.npz", parts["validation"].to_bytes()),
            "test_features": life.store.put("by_time/test.npz", Columns(parts["test"].values).to_bytes()),
            "test_labels": life.store.put("by_time/labels.npz", Columns({}, parts["test"].target).to_bytes()),
            "folds": life.store.put("by_time/folds.npz", fold_bytes(parts, "time_column" in settings)),
            "split": sizes,
        }
    )
    return life._replace(preprocessed=preprocessed, parts=parts)


def refit(life: Lifecycle, engineered: EngineeredFeatures, model: SelectedModel, **changes: Any) -> Refitted:
    request = RefitRequest(
        run=life.run, preprocess=life.preprocessed.model_copy(update=changes), engineer_features=engineered,
        select_model=model, validate_=VALIDATED,
    )  # fmt: skip
    return refit_step(request, artifacts=life.store, results=life.results, code="1")


def check(life: Lifecycle, model: SelectedModel, refitted: Refitted) -> CheckedRefit:
    request = CheckRefitRequest(run=life.run, preprocess=life.preprocessed, select_model=model, refit=refitted)
    return check_refit(request, artifacts=life.store, results=life.results, code="1")


@pytest.fixture(scope="module", params=["binary", "multiclass", "regression"])
def refitted(request: pytest.FixtureRequest) -> tuple:
    life = lifecycle(odd_table(request.param), training={"trials": 4})
    engineered = life.engineer()
    _, model = life.train(engineered)
    return life, engineered, model, refit(life, engineered, model)


def test_it_is_the_recipe_of_the_judged_model_fitted_on_all_rows(refitted: tuple) -> None:
    life, engineered, model, result = refitted
    assert result.worse == "" and result.rows == sum(life.preprocessed.split)
    signature = Signature.model_validate_json(life.store.read(model.signature))
    plan = FeaturePlan.model_validate_json(life.store.read(engineered.plan))
    rows = concatenate([life.parts[name] for name in ("train", "validation", "test")])
    again = fit_recipe(model.recipe, plan, signature, pipeline.frame(signature, rows), rows.target)
    assert again.to_onnx(signature) == life.store.read(result.onnx)
    assert life.store.read(result.onnx) != life.store.read(model.onnx)
    loaded = FittedRecipe.from_skops(life.store.read(result.skops))
    assert loaded.recipe == model.recipe


def test_the_serving_code_agrees_and_its_scores_are_those_that_stage_rehearses(refitted: tuple) -> None:
    life, _, model, result = refitted
    checked = check(life, model, result)
    assert checked.done and checked.rows == result.rows and checked.max_difference < 2e-5
    assert (checked.onnx, checked.skops) == (result.onnx, result.skops)
    signature = Signature.model_validate_json(life.store.read(model.signature))
    served = Scorer(signature, life.store.read(result.onnx)).scores(life.parts["test"])
    assert checked.scores is not None
    assert np.array_equal(Scores.from_bytes(life.store.read(checked.scores)).scores, served)


def test_delivered_again_both_reuse_their_results_and_make_a_lost_model_again(refitted: tuple) -> None:
    life, engineered, model, result = refitted
    first = check(life, model, result)
    assert refit(life, engineered, model).cached
    assert check(life, model, result).cached
    del life.store.objects[result.onnx.uri.removeprefix("s3://artifacts/")]
    again = refit(life, engineered, model)
    assert not again.cached and again.onnx == result.onnx
    assert check(life, model, again).scores == first.scores


def test_a_graph_that_gives_other_scores_does_not_go_live(refitted: tuple) -> None:
    life, _, model, result = refitted
    reference = dict(np.load(io.BytesIO(life.store.read(result.reference))))
    reference["test"] = reference["test"] + (1e4 if reference["test"].shape[1] == 1 else 0.01)
    file = io.BytesIO()
    np.savez_compressed(file, **reference)
    other = result.model_copy(update={"reference": life.store.put("other.npz", file.getvalue())})
    checked = check(life, model, other)
    assert not checked.done and checked.onnx is None
    assert "test rows differ" in checked.reason


def drifting(rows: int, seed: int = 0) -> Table:
    random = np.random.default_rng(seed)
    number, hours = np.arange(rows), random.normal(size=rows)
    level = 5 * hours + 8 * np.sin(number / 24 * 2 * np.pi) + 0.05 * number + random.normal(0, 4, rows)
    raw = {
        "hour": (number % 24).astype(float).tolist(), "hours / day": hours.tolist(),
        "since=": number.astype(float).tolist(), "load": level.tolist(),
    }  # fmt: skip
    return table(raw, "load", "regression")


@pytest.mark.parametrize("algorithm", ["hist_gradient_boosting", "random_forest", "linear"])
def test_on_a_drifting_series_it_is_better_on_newer_rows_than_the_judged_model(algorithm: str) -> None:
    rows = drifting(1600)
    life = by_time(
        rows, (1000, 200, 200), time_column="since=", training={"trials": 1, "algorithms": [algorithm]},
        features={"numeric": ["since="]},
    )  # fmt: skip
    engineered = life.engineer()
    _, model = life.train(engineered)
    result = refit(life, engineered, model)
    assert result.worse == ""
    signature = Signature.model_validate_json(life.store.read(model.signature))
    newer = rows.columns.take(np.arange(1400, 1600))

    def rmse(onnx: Artifact) -> float:
        scores = Scorer(signature, life.store.read(onnx)).scores(newer)[:, 0]
        return float(np.sqrt(np.mean(np.square(scores - newer.target))))

    assert rmse(result.onnx) < 0.98 * rmse(model.onnx)


def test_test_rows_that_contradict_all_others_leave_the_judged_model_in_place() -> None:
    random = np.random.default_rng(0)
    number = random.normal(size=600)
    raw = {"x": number.tolist(), "z": random.normal(size=600).tolist(), "y": (number > 0).astype(int).tolist()}
    raw["y"] = ["yes" if value != (random.random() < 0.1) else "no" for value in raw["y"]]
    life = by_time(table(raw, "y", "binary", ["no", "yes"]), (200, 60, 340), training={"trials": 1})
    engineered = life.engineer()
    _, model = life.train(engineered)
    flipped = life.store.put("flipped.npz", Columns({}, 1 - life.parts["test"].target).to_bytes())
    result = refit(life, engineered, model, test_labels=flipped)
    assert "is worse on 260 rows that both models know: loss " in result.worse
    assert (result.onnx, result.skops) == (model.onnx, model.skops)
    checked = check(life, model, result)
    assert not checked.done and checked.reason == result.worse


def test_a_refit_that_cannot_be_fitted_leaves_the_judged_model_in_place() -> None:
    life = lifecycle(odd_table("regression", rows=300), training={"trials": 1})
    engineered = life.engineer()
    _, model = life.train(engineered)
    target = life.parts["test"].target.copy()
    target[0] = np.inf
    result = refit(life, engineered, model, test_labels=life.store.put("inf.npz", Columns({}, target).to_bytes()))
    assert result.worse.startswith("the model that has learned from all rows is left out: it cannot be fitted")
    assert result.onnx == model.onnx


def test_a_little_worse_or_worse_by_chance_is_not_worse() -> None:
    random = np.random.default_rng(0)
    target = random.integers(0, 2, 400)
    twin = np.column_stack([1 - target, target]) * 0.8 + 0.1
    assert worse_than_twin(twin, twin, target) == ""
    a_little = np.column_stack([1 - target, target]) * 0.76 + 0.12
    assert worse_than_twin(a_little, twin, target) == ""
    much = np.full((400, 2), 0.5)
    assert "loss 0.5, that of the judged model 0.02" in worse_than_twin(much, twin, target)
    few = np.array([0.0, 1.0, 2.0, 3.0])
    by_chance = np.array([[0.0], [1.0], [2.0], [6.0]])
    assert worse_than_twin(by_chance, few.reshape(-1, 1), few) == ""
