"""Verdicts between versions: rows that neither has seen, clusters, the chain, ranking, intervals; and their bench."""

from __future__ import annotations

import math
import re
from itertools import islice
from typing import Any

import numpy as np
import pytest

from bench.in_memory import Lifecycle
from bench.verdicts import (
    BAD_WRITERS,
    FAST,
    MODES,
    OTHER_WRITERS,
    Line,
    bad_uploads,
    creep,
    csv_text,
    equal_recipes,
    few_positives,
    interval_coverage,
    loans,
)
from modelcycle.messages import Chain, FoundUnseen, ScoredCandidate, Validated
from modelcycle.model.columns import Columns
from modelcycle.model.losses import row_losses
from modelcycle.model.npz import to_npz
from modelcycle.model.scoring import Scores
from modelcycle.registry import Registry
from modelcycle.spec import METRICS, Gates, Task, headline_metric
from modelcycle.validate import validate
from modelcycle.validate.chain import extend, has_fallen
from modelcycle.validate.compared import JudgedRows, beyond_a_constant, compare_models
from modelcycle.validate.gates import Gate, ReferenceModel, baseline_gate, champion_gates
from modelcycle.validate.heavy_tails import positive_mean_interval
from modelcycle.validate.intervals import metric_interval
from modelcycle.validate.metrics import expected_calibration_error, measure
from modelcycle.validate.ranked_pairs import auc_influences
from modelcycle.validate.significance import Comparison, compare, ranking
from modelcycle.validate.units import Units
from tests.fakes import MemoryStore, MemoryTable
from tests.trained import MODEL, Cycle, cycle, probabilities, train

TARGET = train("binary").test.target
assert TARGET is not None


class Against:
    """A run of a candidate against a champion, with what `find_unseen` and `preprocess` have found."""

    def __init__(self, chain: Chain | None = None, **gates: Any) -> None:
        self.store, self.registry = MemoryStore(), Registry(MemoryTable())
        live = cycle(train("binary", seed=50), self.store, self.registry, "r0").register()
        if chain is not None:
            draft = live.model_copy(update={"chain": chain})
            live = self.registry.versions.register(draft, "another")[0]
        self.registry.standings.move(MODEL, live.version, "staged", "run r")
        self.registry.routes.promote(MODEL, live.version, 100, "test")
        self.version = live.version
        self.run: Cycle = cycle(train("binary"), self.store, self.registry, "r1", gates=gates)

    def validate(
        self, candidate: np.ndarray, champion: np.ndarray | None, *, positions: Any = None, clusters: Any = None,
        threshold: float = 0.5, **unseen: Any,
    ) -> Validated:  # fmt: skip
        assert TARGET is not None
        positions = np.arange(len(TARGET)) if positions is None else positions
        found = FoundUnseen(
            champion=self.version, rows=len(positions), cases=self.run.preprocess.test_features,
            positions=self.store.put("positions", to_npz(positions=positions)), **unseen,
        )  # fmt: skip
        scored = ScoredCandidate(
            scores=self.store.put("scores", Scores(candidate).to_bytes()), champion=self.version,
            champion_scores=None if champion is None else self.store.put("champion", Scores(champion).to_bytes()),
            rows=404, max_difference=0.0, flips=0,
        )  # fmt: skip
        request = self.run.validate(scored)
        updates: dict[str, Any] = {"find_unseen": found}
        if clusters is not None:
            labels = Columns({"cluster": np.asarray(clusters, dtype=np.float32)}, TARGET)
            stored = self.store.put("labels", labels.to_bytes())
            updates["preprocess"] = request.preprocess.model_copy(update={"test_labels": stored})
        if threshold != 0.5:
            signature = train("binary").signature.model_copy(update={"threshold": threshold})
            stored = self.store.put("signature", signature.model_dump_json().encode())
            updates["select_model"] = request.select_model.model_copy(update={"signature": stored})
        return validate(
            request.model_copy(update=updates), artifacts=self.store, registry=self.registry, code="c"
        )  # fmt: skip


GOOD = probabilities(0.85, 1)


def test_only_unseen_rows_decide() -> None:
    """The champion knows the first 400 rows by heart; it is worse on the others."""
    champion = probabilities(0.7, 2, accuracy=0.6)
    champion[:400] = probabilities(0.999, 3, accuracy=1.0)[:400]
    unseen = np.arange(400, 600)
    assert Against().validate(GOOD, champion).verdict == "refused"
    result = Against().validate(GOOD, champion[unseen], positions=unseen)
    assert (result.verdict, result.compared, result.ask) == ("passed", 200, [])
    assert "on 200 rows that neither had seen: significantly better" in result.reasons[-1]


def test_reasons_of_both_steps_are_asked_about_once() -> None:
    sentence = "income: 10.0 % of the values are not numbers, which version 1 reads"
    result = Against().validate(GOOD, None, uncompared=[sentence])
    assert result.verdict == "passed" and result.ask == [f"not compared with version 1: {sentence}"]
    assert Against(uncompared="refuse").validate(GOOD, None, uncompared=[sentence]).verdict == "refused"
    passed = Against(uncompared="pass").validate(GOOD, None, uncompared=[sentence])
    assert (passed.verdict, passed.ask) == ("passed", []) and sentence in passed.reasons[-1]


def test_nobody_is_asked_about_a_candidate_that_fails_another_gate() -> None:
    result = Against(minimum={"accuracy": 0.99}).validate(GOOD, None, uncompared=["too few rows"])
    assert (result.verdict, result.ask) == ("refused", [])


def test_no_unseen_row_is_no_comparison() -> None:
    result = Against().validate(GOOD, GOOD[:0], positions=np.arange(0))
    assert result.ask == ["not compared with version 1: it has learned from all test rows"]


def test_unseen_rows_of_one_entity_are_no_comparison() -> None:
    clusters = np.repeat(np.arange(15), 40)
    result = Against().validate(GOOD, GOOD[:40], positions=np.arange(40), clusters=clusters)
    assert result.ask == [
        "not compared with version 1: it has learned from all test rows but 40, which belong together"
    ]


def test_a_lost_champion_does_not_block() -> None:
    result = Against().validate(GOOD, None, champion_lost=True)
    assert (result.verdict, result.ask) == ("passed", []) and "its artifacts are gone" in result.reasons[-1]


def test_rows_of_one_entity_are_one_piece_of_evidence() -> None:
    """A difference on 30 entities with 20 rows each, judged as 600 rows, would be significant."""
    clusters = np.repeat(np.arange(30), 20)
    chosen = np.isin(clusters, np.arange(0, 30, 6))
    worse = GOOD.copy()
    worse[chosen] = 0.5 + 0.7 * (GOOD[chosen] - 0.5)[:, ::-1]
    assert Against().validate(worse, GOOD).verdict == "refused"
    few = compare(np.repeat([1.0, 0.0, 0.2, 0.1], 50), np.repeat([0.0, 0.1, 0.0, 0.0], 50))
    clustered = compare(
        np.repeat([1.0, 0.0, 0.2, 0.1], 50), np.repeat([0.0, 0.1, 0.0, 0.0], 50),
        Units.of(200, np.repeat(np.arange(4), 50)),
    )  # fmt: skip
    assert few.verdict == "worse" and clustered.verdict == "inconclusive" and clustered.advantage == few.advantage
    narrow = Against().validate(GOOD, GOOD).interval
    wide = Against().validate(GOOD, GOOD, clusters=clusters).interval
    assert wide[1] - wide[0] != narrow[1] - narrow[0]


def test_equal_clusters_give_the_t_test_of_their_means() -> None:
    from scipy.stats import ttest_rel

    random = np.random.default_rng(0)
    candidate, other = random.random((2, 60))
    clusters = np.repeat(np.arange(15), 4)
    expected = ttest_rel(other.reshape(15, 4).mean(axis=1), candidate.reshape(15, 4).mean(axis=1))
    result = compare(candidate, other, Units.of(60, clusters))
    assert result.p == pytest.approx(expected.pvalue)
    assert result.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert compare(candidate, other).p == pytest.approx(ttest_rel(other, candidate).pvalue)


def test_small_losses_add_up_until_the_chain_stops_them() -> None:
    before = Chain(advantage=-0.02, variance=1e-6, since=4)
    slightly_worse = GOOD.copy()
    rows = np.arange(0, 600, 30)
    slightly_worse[rows] = slightly_worse[rows] * 0.97 + 0.015
    alone = Against().validate(slightly_worse, GOOD)
    assert alone.verdict == "passed" and alone.chain is not None
    fallen = Against(chain=before).validate(slightly_worse, GOOD)
    assert fallen.verdict == "refused" and "step by step worse than version 4" in fallen.reasons[0]
    assert "gates.margin (2.0%)" in fallen.reasons[0]
    assert Against(chain=before, margin=0.5).validate(slightly_worse, GOOD).verdict == "passed"


def test_a_better_candidate_starts_a_new_chain() -> None:
    result = Against(chain=Chain(advantage=-0.001, variance=1e-6, since=4)).validate(
        probabilities(0.95, 3, accuracy=0.97), GOOD
    )
    assert result.chain == Chain()
    equal = Comparison(0.0, (0.0, 0.0), 1.0)
    assert extend(Chain(advantage=-0.1, variance=0.1, since=2), 5, equal).since == 2
    assert extend(None, 5, Comparison(-0.1, (-0.2, 0.0), 0.06, 0.01)) == Chain(advantage=-0.1, variance=0.01, since=5)
    assert not has_fallen(Chain(advantage=-0.1, variance=0.01, since=5), 0.02, 0.3), "within chance"
    assert not has_fallen(Chain(advantage=-0.005, variance=1e-9, since=5), 0.02, 0.3), "within the margin"


def test_a_fall_from_a_champion_without_errors_is_told() -> None:
    perfect = ReferenceModel("version 5", None, Comparison(-0.01, (-0.03, 0.01), 0.3), loss=0.0)
    chain = Chain(advantage=-0.1, variance=1e-6, since=2)
    outcome, fallen = champion_gates(Gates(), perfect, chain)
    assert outcome.holds and not fallen.holds
    assert "rose by 0.1 in all" in fallen.detail


def test_creeping_loss_is_stopped_and_equal_recipes_are_not() -> None:
    fallen, refused = creep(40)
    assert fallen.hits <= 4 and refused.hits / refused.runs <= 0.06


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


def test_metrics_are_those_at_the_served_threshold() -> None:
    at_half = Against().validate(GOOD, GOOD)
    low = Against().validate(GOOD, GOOD, threshold=0.1)
    assert low.metrics["recall"] == 1.0 > at_half.metrics["recall"]
    assert low.metrics["precision"] == pytest.approx(float(TARGET.mean()))
    assert low.metrics["roc_auc"] == at_half.metrics["roc_auc"]


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
    from modelcycle.validate.intervals import _shares

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


def test_the_intervals_of_rmse_hold_the_truth_under_normal_and_lognormal_errors() -> None:
    for line in islice(interval_coverage(50), 8):  # 50 and 200 rows
        assert line.hits >= 41, line


def test_two_models_of_one_recipe_are_seldom_told_apart() -> None:
    for line in equal_recipes(60):
        assert line.hits <= 9, line


def test_a_line_says_whether_it_is_as_wanted() -> None:
    assert str(Line("a", 5, 100, 0.03, 0.07)).endswith("as wanted") and "5.0%" in str(Line("a", 5, 100, 0.03, 0.07))
    assert str(Line("a", 1, 30, 0, 0)).endswith("NOT AS WANTED")
    assert set(MODES) == {"equal", "bad-uploads", "better", "intervals", "creep"}


def test_a_bad_upload_does_not_replace_the_champion() -> None:
    lines = list(bad_uploads(3))
    assert [line.runs for line in lines] == [1] * len(BAD_WRITERS)
    assert all(line.hits == 0 for line in lines)


def test_the_bench_writes_the_same_rows_otherwise() -> None:
    rows = loans(np.random.default_rng(0), 30)
    texts = {name: write(rows) for name, write in OTHER_WRITERS.items()}
    assert all(len(text.splitlines()) == 31 for text in texts.values())
    assert len({*texts.values(), csv_text(rows)}) == len(texts)  # "a column added" is the file as it is


def test_a_better_model_in_memory_goes_live_and_a_copy_goes_on_alone() -> None:
    rows = loans(np.random.default_rng(0), 1500)
    settings: dict[str, Any] = {"target": "status", "training": {"trials": 1, "algorithms": ["linear"]}}
    lifecycle = Lifecycle("loans")
    lifecycle.upload("all.csv", csv_text(rows))
    assert lifecycle.run(**settings, drop_columns=["rating", "debt"]).outcome == "deployed"
    copy = lifecycle.copy()
    end = copy.run(**settings)
    assert (end.outcome, copy.champion, lifecycle.champion) == ("deployed", 2, 1), end.reasons


@pytest.mark.parametrize("change", ["labels swapped", "target in another unit"])
@pytest.mark.parametrize(
    ("uncompared", "outcome"), [("ask", "awaiting_approval"), ("refuse", "refused"), ("pass", "deployed")]
)
def test_a_champion_that_is_worse_than_no_model_shows_that_the_data_changed(
    change: str, uncompared: str, outcome: str
) -> None:
    rows, later = (loans(np.random.default_rng(seed), 1500) for seed in (0, 1))
    target = "status" if change == "labels swapped" else "debt"
    if target == "debt":
        for table in (rows, later):
            table["debt"] = [income / 2 + age for income, age in zip(table["income"], table["age"], strict=True)]
        later["debt"] = [value * 1000 for value in later["debt"]]
    else:
        later["status"] = ["ok" if name == "default" else "default" for name in later["status"]]
    lifecycle = Lifecycle("loans")
    lifecycle.upload("all.csv", csv_text(rows))
    settings = FAST | {"target": target, "gates": {"uncompared": uncompared}}
    assert lifecycle.run(**settings).outcome == "deployed"
    lifecycle.upload("all.csv", csv_text(later))
    end = lifecycle.run(**settings)
    assert end.outcome == outcome, end.reasons
    said = "; ".join(end.reasons)
    if change == "labels swapped":
        assert "version 1 is worse than no model on these rows: " in said
        assert " without a model: labels, units or columns may have changed" in said
    else:  # seen before the models are compared
        assert "not compared with version 1: debt, the target: the middle half of the values is " in said


def test_a_champion_without_signal_is_not_doubted() -> None:
    """Worse than no model, but within chance."""
    random = np.random.default_rng(0)
    assert TARGET is not None
    share = float(TARGET.mean())
    positive = np.clip(share + random.normal(scale=0.01, size=len(TARGET)), 0, 1)
    result = Against().validate(GOOD, np.column_stack([1 - positive, positive]).astype(np.float32))
    assert (result.verdict, result.ask) == ("passed", [])


def test_a_doubted_champion_is_named_with_a_figure_that_shows_it() -> None:
    """Its ranking is perfect, its probabilities are not: the area under the ROC curve would not show it."""
    assert TARGET is not None
    positive = np.where(TARGET == 1, 0.02, 0.01)
    result = Against().validate(GOOD, np.column_stack([1 - positive, positive]).astype(np.float32))
    assert result.verdict == "passed" and len(result.ask) == 1, result.reasons
    figures = re.search(r"(accuracy|quadratic score) ([\d.]+), ([\d.]+) without a model", result.ask[0])
    assert figures is not None
    own, without = float(figures[2]), float(figures[3])
    assert own < without if figures[1] == "accuracy" else own > without


def judged(
    scores: np.ndarray, target: np.ndarray, share: float, metric: str = "accuracy", threshold: float = 0.5
) -> Gate:
    """The gate of a candidate against a model that has learned a share of positive rows."""
    classes = ["no", "yes"]
    rows = JudgedRows("binary", classes, target, Scores(scores), Units(len(target)), threshold, {})
    constant = np.tile([1 - share, share], (len(target), 1))
    compared = compare_models("baseline", rows, np.arange(len(target)), constant, metric, 0.5)
    ranked = ranking(scores, target, "binary", rows.units)
    return baseline_gate(compared.reference, beyond_a_constant(rows), ranked, "binary")


def test_another_constant_is_no_model() -> None:
    """The training rows have 96 % of one class, since one group has most of them; the test rows have half."""
    random, passed = np.random.default_rng(0), 0
    for _ in range(200):
        target = random.integers(0, 2, 135)
        positive = np.clip(0.45 + random.normal(scale=0.05, size=135), 0, 1)
        gate = judged(np.column_stack([1 - positive, positive]), target, 0.04)
        passed += gate.holds
        assert gate.holds or "does not tell rows apart" in gate.detail, gate.detail
    assert passed <= 12
    signal = np.clip(0.45 + 0.2 * (target - 0.5) + random.normal(scale=0.05, size=135), 0, 1)
    assert judged(np.column_stack([1 - signal, signal]), target, 0.04).holds


def test_a_regression_that_only_knows_the_new_mean_is_refused() -> None:
    random = np.random.default_rng(0)
    target = random.normal(10, 1, 200)
    for signal, holds in ((0.0, False), (0.8, True)):
        scores = (10 + signal * (target - 10) + random.normal(scale=0.1, size=200))[:, None]
        rows = JudgedRows("regression", [], target, Scores(scores), Units(200), 0.5, {})
        compared = compare_models("baseline", rows, np.arange(200), np.zeros((200, 1)), "rmse", 0.5)
        ranked = ranking(scores, target, "regression", rows.units)
        gate = baseline_gate(compared.reference, beyond_a_constant(rows), ranked, "regression")
        assert compared.reference.comparison.verdict == "better" and gate.holds == holds, gate.detail


def test_a_figure_that_looks_no_better_is_explained() -> None:
    random = np.random.default_rng(1)
    target = (random.random(400) < 0.35).astype(int)
    positive = np.clip(0.35 + 0.12 * (target - 0.35) + random.normal(scale=0.12, size=400), 0, 1)
    gate = judged(np.column_stack([1 - positive, positive]), target, 0.35, threshold=0.2)
    assert gate.holds and re.search(r"accuracy 0\.\d+ is no better, but (it ranks|its quadratic score)", gate.detail)
    noise = random.random(400)
    refused = judged(np.column_stack([1 - noise, noise]), target, 0.35, "roc_auc")
    assert not refused.holds and "quadratic score" in refused.detail


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


def test_rarely_positive_rows_give_a_wide_interval() -> None:
    for line in few_positives(200):
        assert line.hits >= 180, line


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
