"""Which metric is shown, its interval, and whether scores rank beyond chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelcycle.measured.heavy_tails import positive_mean_interval
from modelcycle.measured.intervals import metric_interval
from modelcycle.measured.metrics import expected_calibration_error, measure
from modelcycle.measured.ranked_pairs import auc_influences
from modelcycle.measured.units import Units
from modelcycle.model.losses import row_losses
from modelcycle.spec import METRICS, Task, headline_metric
from modelcycle.validate.significance import compare, ranking


@pytest.mark.parametrize(
    ("task", "shares", "metric"),
    [
        ("binary", [0.8, 0.2], "accuracy"),
        ("binary", [0.19, 0.81], "roc_auc"),
        ("multiclass", [0.4, 0.3, 0.3], "accuracy"),
        ("multiclass", [0.85, 0.1, 0.05], "balanced_accuracy"),
        ("multiclass", [0.6, 0.35, 0.05], "balanced_accuracy"),
        ("multiclass", [0.5, 0.5, 0.0], "accuracy"),
        ("regression", [], "rmse"),
    ],
)
def test_accuracy_is_not_shown_where_a_class_is_rare(task: Task, shares: list[float], metric: str) -> None:
    assert headline_metric(task, shares) == metric and metric in METRICS[task]


def test_calibration_error_is_the_distance_of_what_is_said_and_what_is() -> None:
    assert expected_calibration_error(np.tile([0.25, 0.75], (8, 1)), np.array([1] * 6 + [0] * 2)) == 0
    assert expected_calibration_error(np.tile([0.05, 0.95], (8, 1)), np.array([0] * 8)) == pytest.approx(0.95)


def test_ranking_is_evidence_where_the_loss_is_not() -> None:
    """A rare class and a weak but real signal: the quadratic score hardly moves, the order does."""
    random = np.random.default_rng(1)
    hidden = random.normal(size=600)
    positive = 1 / (1 + np.exp(2.6 - hidden))
    target = (random.random(600) < positive).astype(int)
    scores = np.column_stack([1 - positive, positive])
    constant = np.tile([1 - target.mean(), target.mean()], (600, 1))
    assert ranking(scores, target, "binary", Units(600)).p < 0.001
    losses = [row_losses(model, target, "binary") for model in (scores, constant)]
    assert compare(losses[0], losses[1]).advantage > 0


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_scores_without_signal_rank_beyond_chance_as_often_as_the_test_says(task: Task) -> None:
    random, found = np.random.default_rng(0), 0
    for _ in range(400):
        target = random.normal(size=80) if task == "regression" else random.integers(0, 2 + (task == "multiclass"), 80)
        scores = random.random((80, 1 if task == "regression" else 2 + (task == "multiclass")))
        found += ranking(scores, target, task, Units(80)).p < 0.025
    assert 2 <= found <= 20


def test_ranking_is_undefined_on_one_class_or_one_unit() -> None:
    scores = np.random.default_rng(0).random((10, 2))
    assert ranking(scores, np.ones(10, dtype=int), "binary", Units(10)).p == 1.0
    assert ranking(scores, np.arange(10) % 2, "binary", Units.of(10, np.zeros(10))).p == 1.0


def test_intervals_agree_with_published_figures() -> None:
    target = np.array([1] * 81 + [0] * 182)
    scores = np.column_stack([np.zeros(263), np.ones(263)])
    # Newcombe (1998), table I: 81 of 263 by Wilson
    assert metric_interval("accuracy", scores, target, "binary", Units(263)) == pytest.approx(
        (0.2553, 0.3662), abs=5e-5
    )


def test_every_share_agrees_with_scikit_learn_and_its_influences_sum_to_zero() -> None:
    from modelcycle.measured.intervals import _shares

    random = np.random.default_rng(2)
    for task, k in (("binary", 2), ("multiclass", 4)):
        target = random.integers(0, k, 300)
        scores = random.random((300, k)).round(1) + 2 * np.eye(k)[target] * random.random((300, 1))
        scores /= scores.sum(axis=1, keepdims=True)
        metrics, _ = measure(scores, target, task)  # type: ignore[arg-type]
        predicted = scores.argmax(axis=1) if k > 2 else (scores[:, 1] >= 0.5).astype(int)
        for name, share in _shares(k).items():
            if name in metrics:
                found = share(scores, predicted, target)
                assert found is not None
                assert found[0] == pytest.approx(metrics[name], abs=1e-9), name
                assert found[1].sum() == pytest.approx(0, abs=1e-9), name


def test_influences_predict_the_metric_without_a_row() -> None:
    random = np.random.default_rng(4)
    target = random.integers(0, 2, 400)
    positive = random.random(400) + 0.5 * target
    auc, influences = auc_influences(positive, target)
    without = np.array([auc_influences(np.delete(positive, row), np.delete(target, row))[0] for row in range(40)])
    assert np.corrcoef(auc - without, influences[:40])[0, 1] > 0.999


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_interval_holds_its_metric_even_at_the_bounds(task: Task) -> None:
    random = np.random.default_rng(0)
    k = {"binary": 2, "multiclass": 3, "regression": 1}[task]
    for rows in (2, 3, 12, 150):
        for quality in (0.0, 0.6, 1.0):
            target = random.normal(size=rows) if k == 1 else np.arange(rows) % k
            right = random.random((rows, 1)) < quality
            truth = target[:, None] if k == 1 else np.eye(k)[target]
            noise = random.normal(size=(rows, 1)) if k == 1 else random.dirichlet(np.ones(k), rows)
            scores = np.where(right, truth, noise)
            metrics, _ = measure(scores, target, task)
            for name, value in metrics.items():
                for clusters in (None, np.arange(rows) // 3):
                    interval = metric_interval(name, scores, target, task, Units.of(rows, clusters))
                    if interval is not None:
                        assert all(math.isfinite(bound) for bound in interval), (name, rows, quality)
                        assert interval[0] - 1e-6 <= value <= interval[1] + 1e-6, (name, rows, quality, interval)


def test_equal_values_have_an_equal_interval_at_any_scale() -> None:
    squared = np.square(np.random.default_rng(0).normal(size=300))
    low, high = positive_mean_interval(squared)
    assert positive_mean_interval(squared) == (low, high)
    assert positive_mean_interval(1e12 * squared) == pytest.approx((1e12 * low, 1e12 * high))
    assert positive_mean_interval(1e-12 * squared) == pytest.approx((1e-12 * low, 1e-12 * high))


@pytest.mark.parametrize(
    "values", [np.zeros(100), np.ones(100), np.r_[np.zeros(99), 1.0], np.arange(5.0), np.r_[1e-30, np.ones(60)]]
)
def test_odd_squares_have_a_finite_interval_that_holds_their_mean(values: np.ndarray) -> None:
    low, high = positive_mean_interval(values)
    assert 0 <= low <= values.mean() <= high < math.inf


def test_two_positive_rows_can_be_evidence_of_ranking() -> None:
    random, found, by_chance = np.random.default_rng(0), 0, 0
    target = np.repeat([0, 1], [277, 2])
    for _ in range(300):
        for distance in (0.0, 3.0):
            hidden = random.normal(distance * target)
            p = ranking(np.column_stack([-hidden, hidden]), target, "binary", Units(279)).p
            found += p < 0.025 and distance > 0
            by_chance += p < 0.025 and distance == 0
    assert found > 200 and by_chance <= 15


@pytest.mark.parametrize("counts", [(72, 63), (270, 9), (900, 100), (100, 100, 100)])
def test_an_interval_holds_its_metric_where_one_class_is_always_predicted(counts: tuple[int, ...]) -> None:
    k = len(counts)
    target = np.repeat(np.arange(k), counts)
    scores = np.full((len(target), k), 0.3 / (k - 1))
    scores[:, 0] = 0.7
    for clusters in (None, np.arange(len(target)) // 3):
        interval = metric_interval(
            "balanced_accuracy", scores, target, "binary" if k == 2 else "multiclass", Units.of(len(target), clusters)
        )
        assert interval is not None and interval[0] < 1 / k < interval[1], interval
        assert clusters is not None or interval[1] - interval[0] < 0.25, interval
    tied = metric_interval("roc_auc", scores, target, "binary", Units(len(target))) if k == 2 else (0.4, 0.6)
    assert tied is not None and tied[0] < 0.5 < tied[1]
