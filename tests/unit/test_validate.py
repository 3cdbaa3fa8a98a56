"""Verdicts on made-up scores with known targets, and the figures of the report."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from modelcycle.faults import BadPipeline
from modelcycle.measured.metrics import measure
from modelcycle.measured.reliability import calibration
from modelcycle.messages import ScoredCandidate, Validated
from modelcycle.model.columns import Texts
from modelcycle.model.losses import row_losses
from modelcycle.model.scoring import Scores
from modelcycle.registry import Registry
from modelcycle.score_candidate import score_candidate
from modelcycle.spec import METRICS, Task
from modelcycle.validate import validate
from modelcycle.validate.fairness import group_metrics
from modelcycle.validate.report import confusion
from modelcycle.validate.sensitive_groups import groupings
from modelcycle.validate.significance import compare
from tests.fakes import MemoryStore, MemoryTable
from tests.trained import MODEL, SEX, Cycle, cycle, probabilities, train

TARGET = train("binary").test.target
assert TARGET is not None


def validated(
    candidate: np.ndarray, champion: np.ndarray | None = None, **gates: Any
) -> tuple[Validated, dict[str, Any]]:
    store, registry = MemoryStore(), Registry(MemoryTable())
    live = cycle(train("binary", seed=50), store, registry, "r0").go_live() if champion is not None else None
    run = cycle(train("binary"), store, registry, "r1", gates=gates)
    scored = ScoredCandidate(
        scores=store.put("scores", Scores(candidate).to_bytes()),
        champion_scores=None if champion is None else store.put("champion", Scores(champion).to_bytes()),
        champion=live.version if live else None, rows=404, max_difference=0.0, flips=0,
    )  # fmt: skip
    return result_and_report(run, scored)


def result_and_report(run: Cycle, scored: ScoredCandidate) -> tuple[Validated, dict[str, Any]]:
    result = validate(run.validate(scored), artifacts=run.store, registry=run.registry, code="c")
    return result, json.loads(run.store.read(result.report))


GOOD = probabilities(0.85, 1)


def test_better_than_the_baseline_passes_and_says_so() -> None:
    result, report = validated(GOOD)
    assert result.verdict == "passed" and result.champion is None
    assert result.reasons == [f"baseline {result.baseline['accuracy']:.3g}: significantly better (p < 0.001)"]
    assert result.interval[0] < result.metrics["accuracy"] < result.interval[1]
    assert report["comparisons"]["baseline"]["verdict"] == "better" and report["comparisons"]["champion"] is None


def test_no_better_than_the_baseline_is_refused() -> None:
    share = float((train("binary").train.target == 1).mean())  # type: ignore[union-attr]
    result, _ = validated(np.tile(np.array([1 - share, share], dtype=np.float32), (600, 1)))
    assert result.verdict == "refused" and "not significantly better" in result.reasons[0]
    result, _ = validated(probabilities(0.85, 1, accuracy=0.4))
    assert result.verdict == "refused" and ": significantly worse" in result.reasons[0]


def test_worse_than_the_champion_is_refused_by_either_gate() -> None:
    for better in (False, True):
        result, _ = validated(probabilities(0.7, 2, accuracy=0.7), GOOD, better=better)
        assert result.verdict == "refused" and result.reasons[0].startswith("version 1: accuracy 0.8")
        assert "on 600 rows that neither had seen: significantly worse (p < 0.001)" in result.reasons[0]


def test_better_by_chance_passes_not_worse_but_not_better() -> None:
    similar = GOOD.copy()
    similar[:5] = GOOD[:5, ::-1]
    result, _ = validated(similar, GOOD, better=False)
    assert result.verdict == "passed" and "not significantly worse" in result.reasons[1]
    result, _ = validated(similar, GOOD, better=True)
    assert result.verdict == "refused" and "not significantly better (p = 0." in result.reasons[0]


def test_the_report_says_how_far_the_predictions_of_both_lie_apart() -> None:
    """A rollout is judged by what goes beyond that."""
    assert validated(GOOD, GOOD)[1]["prediction_distance"] == 0
    turned = GOOD.copy()
    turned[GOOD[:, 1] < 0.5] = GOOD[GOOD[:, 1] < 0.5][:, ::-1]  # all rows are now of the second class
    distance = validated(turned, GOOD)[1]["prediction_distance"]
    assert distance == pytest.approx(float((GOOD[:, 1] < 0.5).mean()))
    assert validated(GOOD)[1]["prediction_distance"] is None


def test_equal_scores_are_not_worse_and_not_better() -> None:
    assert validated(GOOD, GOOD)[0].verdict == "passed"
    assert validated(GOOD, GOOD, better=True)[0].verdict == "refused"


def test_better_significantly_passes_the_stricter_gate() -> None:
    result, _ = validated(probabilities(0.95, 3, accuracy=0.97), GOOD, better=True)
    assert result.verdict == "passed" and ": significantly better (p < 0.001)" in result.reasons[1]


def test_chance_alone_is_refused_at_the_rate_of_the_test() -> None:
    """Of two equal models: one side of the 95 % test, about 1 in 40."""
    random, worse = np.random.default_rng(0), 0
    for _ in range(400):
        worse += compare(random.normal(0, 1, 300), random.normal(0, 1, 300)).verdict == "worse"
    assert 2 <= worse <= 22


def test_a_minimum_is_the_lowest_score_and_the_highest_error() -> None:
    result, _ = validated(GOOD, minimum={"accuracy": 0.99, "log_loss": 0.01, "roc_auc": 0.5})
    assert result.verdict == "refused"
    assert [reason.split()[0] for reason in result.reasons] == ["accuracy", "log_loss"]
    assert "0.99 is the lowest allowed" in result.reasons[0] and "0.01 is the highest allowed" in result.reasons[1]


def test_a_metric_of_another_task_is_an_error_of_the_pipeline_file() -> None:
    with pytest.raises(BadPipeline, match="macro_f1 is not a metric of a binary task"):
        validated(GOOD, minimum={"macro_f1": 0.8})


@pytest.mark.parametrize(("uncompared", "verdict"), [("ask", "passed"), ("refuse", "refused"), ("pass", "passed")])
@pytest.mark.parametrize("better", [False, True])
def test_a_champion_that_cannot_be_compared_is_never_passed_in_silence(
    uncompared: str, verdict: str, better: bool
) -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    cycle(train("regression"), store, registry, "r0").go_live()
    run = cycle(train("binary"), store, registry, "r1", gates={"better": better, "uncompared": uncompared})
    scored = score_candidate(run.score_candidate, artifacts=store, registry=registry, code="c")
    result, report = result_and_report(run, scored)
    assert result.verdict == verdict and "not compared with version 1: version 1 predicts" in result.reasons[-1]
    assert result.ask == (result.reasons[-1:] if uncompared == "ask" else [])
    assert (result.compared, result.champion) == (0, None)
    assert report["champion"] == 1 and report["metrics"]["champion"] is None and report["uncompared"]


def test_the_same_model_again_is_unchanged() -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    cycle(train("binary"), store, registry, "r0").go_live()
    run = cycle(train("binary"), store, registry, "r1", gates={"better": True})
    scored = score_candidate(run.score_candidate, artifacts=store, registry=registry, code="c")
    result, _ = result_and_report(run, scored)
    assert (result.verdict, result.reasons) == ("unchanged", ["the same model as version 1, which is live"])


@pytest.mark.parametrize(("refit", "verdict"), [("auto", "unchanged"), ("judged", "unchanged"), ("all", "passed")])
def test_the_same_model_is_not_unchanged_if_its_refit_is_to_go_live_now(refit: str, verdict: str) -> None:
    """The champion itself was judged: it has no twin."""
    store, registry = MemoryStore(), Registry(MemoryTable())
    cycle(train("binary"), store, registry, "r0").go_live()
    run = cycle(train("binary"), store, registry, "r1", training={"refit": refit})
    scored = score_candidate(run.score_candidate, artifacts=store, registry=registry, code="c")
    assert result_and_report(run, scored)[0].verdict == verdict


def test_the_same_model_is_not_unchanged_if_it_is_to_be_captured_in_another_way() -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    cycle(train("binary"), store, registry, "r0").go_live()
    run = cycle(train("binary"), store, registry, "r1", capture={"sample": 0.5})
    scored = score_candidate(run.score_candidate, artifacts=store, registry=registry, code="c")
    assert result_and_report(run, scored)[0].verdict == "passed"


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_metric_of_a_task_is_finite_or_left_out(task: Task) -> None:
    run = cycle(train(task), MemoryStore(), Registry(MemoryTable()))
    scored = score_candidate(run.score_candidate, artifacts=run.store, registry=run.registry, code="c")
    result, report = result_and_report(run, scored)
    assert result.verdict == "passed" and {*result.metrics, *report["left_out"]} == set(METRICS[task])
    assert all(math.isfinite(value) for value in result.metrics.values())
    assert set(report["groups"][SEX]["groups"]) == {"Female", "Male"}
    assert sum(row["rows"] for row in report["groups"][SEX]["groups"].values()) == 600
    assert report["model"] == MODEL and report["rows"]["test"] == 600
    if task != "regression":
        assert np.sum(report["confusion"]["counts"]) == 600 == sum(row["rows"] for row in report["calibration"])


def test_an_undefined_metric_is_left_out_with_its_reason() -> None:
    ones = np.ones(5, dtype=np.int32)
    metrics, left_out = measure(probabilities(0.9, 1, target=ones), ones, "binary")
    assert left_out["roc_auc"] == "the test rows have only one class" and "accuracy" in metrics
    _, left_out = measure(np.ones((3, 1)), np.array([0.0, 1, 2]), "regression")
    assert left_out == {"mape": "the target is zero in a test row"}
    metrics, left_out = measure(np.ones((3, 1)), np.array([2.0, 2, 2]), "regression")
    assert "r2" in left_out and metrics["rmse"] == 1
    metrics, left_out = measure(np.full((4, 3), 1 / 3), np.array([0, 0, 1, 1]), "multiclass")
    assert list(left_out) == ["roc_auc_ovr"]


def test_metrics_are_those_computed_by_hand() -> None:
    scores = np.array([[0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.9, 0.1]], dtype=np.float32)
    metrics, _ = measure(scores, np.array([1, 1, 0, 0]), "binary")
    assert metrics["accuracy"] == 0.5 and metrics["precision"] == 0.5 and metrics["recall"] == 0.5
    assert metrics["roc_auc"] == 0.75 and metrics["brier"] == pytest.approx((0.04 + 0.36 + 0.49 + 0.01) / 4)
    assert metrics["log_loss"] == pytest.approx(-np.log([0.8, 0.4, 0.3, 0.9]).mean(), rel=1e-6)


def test_one_row_is_inconclusive_and_a_constant_advantage_is_significant() -> None:
    assert compare(np.array([1.0]), np.array([9.0])).verdict == "inconclusive"
    assert compare(np.ones(10), np.full(10, 2.0)).verdict == "better"
    assert compare(np.ones(10), np.ones(10)).verdict == "inconclusive"


def test_a_wrong_certainty_has_a_finite_loss() -> None:
    assert np.isfinite(row_losses(np.array([[1.0, 0.0]]), np.array([1]), "binary")).all()


def test_a_small_group_is_reported_but_enters_no_difference() -> None:
    target = np.array([0, 1] * 50 + [1])
    scores = np.column_stack([1.0 - target, target])
    scores[-1] = [1, 0]
    sex = Texts(np.array([0] * 50 + [1] * 50 + [-1], dtype=np.int32), ["a", "b"])
    report = group_metrics(scores, target, "binary", groupings({"sex": sex}))["sex"]
    assert report["groups"]["(missing)"]["rows"] == 1 and report["groups"]["(missing)"]["accuracy"] == 0
    assert "false_positive_rate" not in report["groups"]["(missing)"]
    assert report["differences"]["accuracy"] == 0


def test_confusion_and_calibration_count_every_row() -> None:
    target = np.array([0, 1, 1])
    scores = np.array([[0.9, 0.1], [0.0, 1.0], [0.6, 0.4]])
    assert confusion(scores, target, ["no", "yes"])["counts"] == [[1, 0], [1, 1]]
    table = calibration(scores, target)
    assert [row["rows"] for row in table] == [1, 1, 1] and table[-1]["true"] == 1.0


def test_one_overconfident_row_does_not_hide_a_model_that_is_right_on_all_others() -> None:
    target = np.array([0, 1, 2] * 7)
    scores = np.full((21, 3), 1e-7, dtype=np.float32)
    scores[np.arange(21), target] = 1.0
    scores[0] = [1e-7, 1.0, 1e-7]  # wrong and certain
    thirds = np.full((21, 3), 1 / 3, dtype=np.float32)
    comparison = compare(row_losses(scores, target, "multiclass"), row_losses(thirds, target, "multiclass"))
    assert comparison.verdict == "better"


def test_a_class_that_is_neither_true_nor_predicted_does_not_enter_the_mean() -> None:
    scores = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.1, 0.9, 0.0], [0.2, 0.8, 0.0]])
    assert measure(scores, np.array([0, 0, 1, 1]), "multiclass")[0]["macro_f1"] == 1.0


def test_a_model_that_is_worse_only_because_it_is_fair_waits_for_a_person() -> None:
    """The champion selects one sex alone; the candidate guesses a little, in both."""
    store, registry = MemoryStore(), Registry(MemoryTable())
    live = cycle(train("binary", seed=50), store, registry, "r0").go_live()
    assert TARGET is not None
    sex = train("binary").test.values[SEX]
    assert isinstance(sex, Texts)
    unfair = probabilities(0.95, 1, accuracy=0.98)
    unfair[sex.codes == 0] = np.where(TARGET[sex.codes == 0] == 1, 0.45, 0.05)[:, None] * [-1, 1] + [1, 0]
    fair = probabilities(0.75, 2, accuracy=0.85)
    for limits, verdict in (({"demographic_parity": 0.5}, "passed"), ({}, "refused")):
        run = cycle(train("binary"), store, registry, f"r{len(limits) + 1}", fairness=limits)
        groups = {SEX: sex}
        scored = ScoredCandidate(
            scores=store.put(f"scores {verdict}", Scores(fair, groups).to_bytes()),
            champion_scores=store.put(f"champion {verdict}", Scores(unfair.astype(np.float32)).to_bytes()),
            champion=live.version, rows=404, max_difference=0.0, flips=0,
        )  # fmt: skip
        result, report = result_and_report(run, scored)
        assert result.verdict == verdict, result.reasons
        assert any("breaks a limit that this model keeps" in why for why in result.ask) == (verdict == "passed")
        assert report["comparisons"]["champion"]["verdict"] == "worse"
