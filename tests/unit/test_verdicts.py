"""Verdicts between versions: rows that neither has seen, clusters, the chain, and models that are worse than none."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from modelcycle.measured.units import Units
from modelcycle.messages import Chain, FoundUnseen, ScoredCandidate, Validated
from modelcycle.model.columns import Columns
from modelcycle.model.npz import to_npz
from modelcycle.model.scoring import Scores
from modelcycle.registry import Registry
from modelcycle.spec import Gates
from modelcycle.validate import validate
from modelcycle.validate.chain import extend, has_fallen
from modelcycle.validate.compared import JudgedRows, beyond_a_constant, compare_models
from modelcycle.validate.gates import Gate, ReferenceModel, baseline_gate, champion_gates
from modelcycle.validate.significance import Comparison, compare, ranking
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


def test_metrics_are_those_at_the_served_threshold() -> None:
    at_half = Against().validate(GOOD, GOOD)
    low = Against().validate(GOOD, GOOD, threshold=0.1)
    assert low.metrics["recall"] == 1.0 > at_half.metrics["recall"]
    assert low.metrics["precision"] == pytest.approx(float(TARGET.mean()))
    assert low.metrics["roc_auc"] == at_half.metrics["roc_auc"]


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
