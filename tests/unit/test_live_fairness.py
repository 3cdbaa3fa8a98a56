"""Fairness of live traffic: limits of the pipeline file with outcomes, and what groups are predicted without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelcycle.measured.disparities import disparities
from modelcycle.measured.metrics import measure_one
from modelcycle.measured.units import Units
from modelcycle.messages import Signal
from modelcycle.model.columns import Texts
from modelcycle.model.labelled import Labelled
from modelcycle.model.slices import Slices
from modelcycle.model.window import WindowSample
from modelcycle.monitor.estimate.estimate import estimate
from modelcycle.monitor.estimate.predicted_groups import predicted_group_signals
from modelcycle.monitor.performance.fairness_limits import limit_signals
from modelcycle.monitor.performance.judged_rows import reference_rows
from modelcycle.monitor.performance.performance import performance_signals
from modelcycle.spec import Fairness, Monitoring, Task
from tests.unit.live_rows import days_window, spread

SEX = "ge'schlecht \""
NAMES = ["männlich", "weiblich"]
LIMITED = 0.01 / 3 / 4 / 2
Array = np.ndarray[Any, np.dtype[Any]]


def rows_of(scores: Array, outcome: Array, sex: Array, days: int = 1) -> Labelled:
    at = spread(days, len(outcome) // days)
    groups = Slices([SEX], [NAMES], sex[None].astype(np.int8))
    empty = Slices([], [], np.zeros((0, len(at)), dtype=np.int8))
    return Labelled(at, np.ones(len(at), dtype=np.int32), scores, outcome.astype(np.float64), empty, groups)


def selected(sex: Array, rates: tuple[float, float], seed: int = 0) -> tuple[Array, Array]:
    """Scores (n, 2) that select a group at a rate, and outcomes (n,)."""
    random = np.random.default_rng(seed)
    positive = np.where(random.random(len(sex)) < np.array(rates)[sex], 0.8, 0.2).astype(np.float32)
    return np.column_stack([1 - positive, positive]), random.integers(0, 2, len(sex))


def held(
    live: Labelled, reference: Labelled | None = None, task: Task = "binary", settings: Any = None
) -> dict[str, Signal]:
    signals = limit_signals(
        live, np.arange(len(live.at)), reference, task=task, threshold=0.5,
        settings=Fairness(**(settings or {"demographic_parity": 0.8})), false_alarms=LIMITED,
    )  # fmt: skip
    return {signal.subject: signal for signal in signals}


def test_a_limit_that_live_rows_break_is_an_alarm_and_one_that_the_test_rows_broke_too_is_no_news() -> None:
    sex = np.arange(4000) % 2
    fair, unfair = (rows_of(*selected(sex, rates), sex) for rates in ((0.4, 0.4), (0.4, 0.2)))
    subject = f"{SEX}: demographic_parity"
    assert held(fair)[subject].state == "ok"
    alarm = held(unfair)[subject]
    assert alarm.state == "alarm" and alarm.expected == 0.8 and (alarm.high or 1) < 0.8
    assert "of weiblich" in alarm.detail and "of männlich" in alarm.detail and "the limit is 0.8" in alarm.detail
    texts = {SEX: Texts(sex.astype(np.int32), NAMES)}
    judged = {rates: reference_rows(*selected(sex, rates), texts) for rates in ((0.4, 0.4), (0.4, 0.2))}
    assert held(unfair, judged[0.4, 0.4])[subject].state == "alarm"
    known = held(unfair, judged[0.4, 0.2])[subject]
    assert known.state == "slight" and "which the test rows broke too" in known.detail


def test_a_kept_limit_alarms_as_seldom_as_stated() -> None:
    sex = np.arange(400) % 2
    signals = [
        held(rows_of(*selected(sex, (0.5, 0.4), seed), sex))[f"{SEX}: demographic_parity"] for seed in range(80)
    ]  # fmt: skip
    assert sum(signal.state == "alarm" for signal in signals) == 0  # on the edge, 0.03 would be expected
    assert sum((signal.value or 0) < 0.8 for signal in signals) > 20


def test_each_limit_of_a_column_shares_the_false_alarms() -> None:
    random = np.random.default_rng(0)
    sex = np.arange(3000) % 2
    outcome = random.normal(100, 5, 3000)
    live = rows_of((outcome + random.normal(0, 5, 3000))[:, None].astype(np.float32), outcome, sex)
    alone = held(live, task="regression", settings={"group_mae": 8})[f"{SEX}: group_mae"]
    both = {"group_mae": 8, "mean_error_difference": 5, "mean_prediction_difference": 5}
    shared = held(live, task="regression", settings=both)[f"{SEX}: group_mae"]
    assert (alone.low or 0) > (shared.low or 0) and (alone.high or 0) < (shared.high or 0)


def test_an_interval_that_is_seldom_wrong_is_wider_than_all_draws_show() -> None:
    codes, random = np.repeat([0, 1], 2000), np.random.default_rng(0)
    outcome = random.integers(0, 4, 4000)

    def width(claims: int) -> float:
        found = disparities(outcome, codes, [0, 1], Units(4000), 50, claims)[0]
        return found.difference.interval[1] - found.difference.value

    errors = width(1) / 1.96
    assert width(10_000) / errors == pytest.approx(4.56, rel=0.06)  # both tails of 0.05 / 10,000
    assert width(1_000_000) > 1.1 * width(10_000)


@pytest.mark.parametrize(
    ("limit", "state"),
    [
        ({"mean_prediction_difference": 5}, "alarm"), ({"mean_prediction_difference": 15}, "ok"),
        ({"mean_prediction_ratio": 0.97}, "alarm"), ({"mean_error_difference": 5}, "alarm"),
        ({"mean_error_difference": 15}, "ok"), ({"mae_ratio": 0.9}, "alarm"), ({"mae_ratio": 0.2}, "ok"),
        ({"group_mae": 8}, "alarm"), ({"group_mae": 15}, "ok"), ({"columns": {SEX: {"group_mae": 8}}}, "alarm"),
    ],
)  # fmt: skip
def test_limits_on_numbers_are_held_against_live_rows(limit: dict[str, Any], state: str) -> None:
    random = np.random.default_rng(0)
    sex = np.arange(3000) % 2
    outcome = random.normal(100, 5, 3000)
    scores = (outcome + 10 * sex + random.normal(0, 5, 3000))[:, None].astype(np.float32)
    (signal,) = held(rows_of(scores, outcome, sex), task="regression", settings=limit).values()
    assert signal.state == state
    few = rows_of(scores[:60], outcome[:60], sex[:60])
    (signal,) = held(few, task="regression", settings=limit).values()
    assert signal.state == "too few" and "50 known outcomes" in signal.detail


def test_what_has_no_ratio_says_so() -> None:
    sex, random = np.arange(3000) % 2, np.random.default_rng(0)
    around_zero = random.normal(0, 5, 3000)
    live = rows_of(around_zero[:, None].astype(np.float32), around_zero, sex)
    (signal,) = held(live, task="regression", settings={"mean_prediction_ratio": 0.8}).values()
    assert signal.state == "too few" and "not every group's mean is above zero" in signal.detail
    nobody = np.tile(np.array([0.9, 0.1], dtype=np.float32), (3000, 1))
    (signal,) = held(rows_of(nobody, np.arange(3000) % 3 == 0, sex)).values()
    assert signal.state == "ok" and "nan" not in signal.detail and signal.value is None


def test_equalized_odds_take_the_worse_rate_and_several_classes_are_not_held() -> None:
    sex, outcome = np.arange(4000) % 2, np.arange(4000) // 2 % 2
    right = np.where((sex == 1) & (outcome == 1), np.random.default_rng(0).random(4000) < 0.6, True)
    positive = np.where(right, outcome, 1 - outcome) * 0.6 + 0.2
    live = rows_of(np.column_stack([1 - positive, positive]).astype(np.float32), outcome, sex)
    found = held(live, settings={"equalized_odds": 0.1})[f"{SEX}: equalized_odds"]
    assert found.state == "alarm" and "true positive rate" in found.detail
    (not_held,) = held(live, task="multiclass").values()
    assert not_held.state == "not watched" and "several classes" in not_held.detail


def test_the_limits_are_among_the_signals_of_performance() -> None:
    sex = np.arange(4000) % 2
    found = performance_signals(
        rows_of(*selected(sex, (0.4, 0.2)), sex), {"accuracy": 0.5}, (0.48, 0.52), version=1, task="binary",
        metric="accuracy", threshold=0.5, window=days_window(1), limits=Monitoring(),
        fairness=Fairness(demographic_parity=0.8),
    )  # fmt: skip
    assert [s.subject for s in found.signals if s.state == "alarm"] == [f"{SEX}: demographic_parity"]


def sample_of(before: Array, now: Array, sexes: tuple[Array, Array], **changed: Any) -> WindowSample:
    nothing = [np.zeros((len(side), 0), dtype=np.float32) for side in (before, now)]
    groups = [Slices([SEX], [NAMES], sex[None].astype(np.int8)) for sex in sexes]
    parts: dict[str, Any] = {
        "target": np.zeros(len(before), dtype=np.float32), "reference_groups": groups[0], "live_groups": groups[1],
    }  # fmt: skip
    return WindowSample([], np.zeros(0, dtype=bool), *nothing, before, now, **(parts | changed))


def test_what_groups_are_predicted_is_watched_without_outcomes() -> None:
    sexes = np.arange(3000) % 2, np.arange(1000) % 2
    before = selected(sexes[0], (0.4, 0.35))[0]
    states = {}
    for name, rates in {"as before": (0.4, 0.35), "apart": (0.5, 0.25)}.items():
        sample = sample_of(before, selected(sexes[1], rates, 1)[0], sexes)
        sample = WindowSample.from_bytes(sample.to_bytes())
        states[name] = {s.subject: s.state for s in predicted_group_signals(sample, "binary", 0.5, 0.01)}
    subjects = [f"{SEX} = {name}: selection rate of all predictions" for name in NAMES]
    assert states == {"as before": dict.fromkeys(subjects, "ok"), "apart": dict.fromkeys(subjects, "alarm")}
    assert predicted_group_signals(sample_of(before, before, sexes, live_groups=None), "binary", 0.5, 0.01) == []
    three = np.full((3000, 3), 1 / 3, dtype=np.float32)
    assert predicted_group_signals(sample_of(three, three, sexes), "multiclass", 0.5, 0.01) == []


def test_mean_predictions_of_groups_are_watched_without_outcomes() -> None:
    random = np.random.default_rng(0)
    sexes = np.arange(3000) % 2, np.arange(1500) % 2
    before, same = ((random.normal(200, 40, len(sex)) + 10 * sex)[:, None].astype(np.float32) for sex in sexes)
    for now, state in ((same, "ok"), (same + 25 * sexes[1][:, None].astype(np.float32), "alarm")):
        found = predicted_group_signals(sample_of(before, now, sexes), "regression", 0.5, 0.01)
        assert {signal.state for signal in found} == {state}


def test_groups_without_a_change_alarm_as_seldom_as_stated() -> None:
    sexes = np.arange(500) % 2, np.arange(300) % 2
    beyond = 0
    for seed in range(100):
        sides = [selected(sex, (0.4, 0.3), 2 * seed + side)[0] for side, sex in enumerate(sexes)]
        beyond += any(s.state != "ok" for s in predicted_group_signals(sample_of(*sides, sexes), "binary", 0.5, 0.05))
    assert beyond <= 9  # 5 are expected at most


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_left_out(bad: float) -> None:
    sexes = np.arange(300) % 2, np.arange(300) % 2
    scores = selected(sexes[0], (0.4, 0.4))[0]
    assert predicted_group_signals(sample_of(scores, np.full_like(scores, bad), sexes), "binary", 0.5, 0.01) == []


def test_the_estimate_knows_what_was_answered_by_thresholds_of_groups() -> None:
    inside = {True: 0, False: 0}
    for seed in range(4):
        random = np.random.default_rng(seed)
        sexes = [np.arange(size) % 2 for size in (1500, 800)]
        positive = [random.random(len(sex)).astype(np.float32) for sex in sexes]
        outcomes = [(random.random(len(one)) < one).astype(int) for one in positive]
        scores = [np.column_stack([1 - one, one]) for one in positive]
        cutoffs = [np.where(sex == 1, 0.15, 0.7).astype(np.float32) for sex in sexes]
        answered = [one >= cut for one, cut in zip(positive, cutoffs, strict=True)]
        realized = measure_one("accuracy", scores[1], outcomes[1], "binary", cutoffs[1])
        assert realized is not None
        for knows in inside:
            known = {"reference_selected": answered[0], "live_selected": answered[1]} if knows else {}
            sample = sample_of(scores[0], scores[1], (sexes[0], sexes[1]), target=outcomes[0], **known)
            said = estimate(sample, "binary", "accuracy", 0.5)
            assert said is not None
            inside[knows] += said.low <= realized <= said.high
    assert inside[True] >= 3 and inside[False] == 0
