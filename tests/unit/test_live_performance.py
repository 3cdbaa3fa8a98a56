"""Performance on known outcomes: what is judged, what counts as worse, where, for whom, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from modelcycle.measured.intervals import wilson
from modelcycle.measured.units import Units
from modelcycle.messages import Signal
from modelcycle.model.columns import Texts
from modelcycle.model.labelled import Labelled
from modelcycle.monitor.performance.change_point import change_point, periods, rise
from modelcycle.monitor.performance.days import OF_PROBABILITIES, measure_days
from modelcycle.monitor.performance.judged_rows import judged_rows, reference_rows
from modelcycle.monitor.performance.performance import Performance, performance_signals, probability_of_worse
from modelcycle.spec import Monitoring
from tests.unit.live_rows import START, classes, days_window, labelled, numbers, spread

LIMITS = Monitoring(minimum_rows=200)


def judge(rows: Labelled | None, window: tuple[datetime, datetime], **changed: Any) -> Performance:
    known: dict[str, Any] = {
        "version": 1, "task": "binary", "metric": "accuracy", "threshold": 0.5, "window": window, "limits": LIMITS,
    }  # fmt: skip
    expected, interval = changed.pop("expected", 0.9), changed.pop("interval", (0.88, 0.92))
    arguments = known | changed
    if thresholds := arguments.pop("thresholds", None):
        thresholds = {arguments["version"]: arguments["threshold"]} | thresholds
        arguments["measured"] = measure_days(rows, arguments["task"], thresholds)
    return performance_signals(rows, {arguments["metric"]: expected}, interval, **arguments)


def find(found: Performance, subject: str) -> Signal:
    return next(signal for signal in found.signals if signal.subject == subject)


def right(rows: int, share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(rows) < share


def test_a_loss_of_performance_is_an_alarm_and_as_good_as_in_validation_is_none() -> None:
    at, window = spread(2, 1000), days_window(2)
    worse, same = (judge(classes(at, right(2000, share)), window) for share in (0.8, 0.9))
    assert find(worse, "accuracy").state == "alarm"
    assert find(worse, "accuracy").effect == pytest.approx(1.0, abs=0.3)  # twice the errors
    assert find(same, "accuracy").state == "ok"
    assert find(worse, "accuracy").value == pytest.approx(0.8, abs=0.04)
    assert worse.labelled == 1000


def test_a_small_loss_of_many_rows_is_slight() -> None:
    at = spread(1, 100_000)
    found = judge(classes(at, right(100_000, 0.87)), days_window(1), interval=(0.899, 0.901),
                  limits=Monitoring(worse=0.5))  # fmt: skip
    assert find(found, "accuracy").state == "slight"


def test_equal_performance_seems_worse_as_often_as_stated() -> None:
    random = np.random.default_rng(1)
    false = 0
    for _ in range(400):
        figures = []
        for rows in (1000, 500):  # of validation, and of the window
            correct = random.random(rows) < 0.9
            figures.append((float(correct.mean()), wilson(correct, Units(rows))))
        (expected, before), (value, now) = figures
        false += probability_of_worse("accuracy", value, now, expected, before) < 0.05
    assert 8 <= false <= 34


def test_outcomes_a_month_late_are_judged_by_the_newest_days_that_have_them() -> None:
    at = spread(10, 100)
    bad = classes(at, np.where(at < at[700], right(1000, 0.9), right(1000, 0.5)))
    found = judge(bad, days_window(40))
    assert find(found, "accuracy").state == "alarm"
    assert found.labelled == 0
    assert found.judged is not None and at[found.judged.now[0]] >= (START + timedelta(days=7)).timestamp()
    assert "the newest with outcomes" in find(found, "accuracy").detail


def test_a_short_window_is_judged_by_outcomes_of_its_own_only() -> None:
    at, (_, end) = spread(2, 2400), days_window(2)
    hour = end - timedelta(hours=1), end
    bad = classes(at, right(4800, 0.5))
    found = judge(bad, hour, of_window_only=True)
    assert [signal.state for signal in found.signals] == ["not watched"]
    assert "100 known outcomes of its own" in found.signals[0].detail
    assert found.judged is not None and not len(found.judged.now), "label drift is watched by the same rows"
    assert find(judge(bad, hour), "accuracy").state == "alarm"
    enough = judge(bad, hour, of_window_only=True, limits=Monitoring(minimum_rows=100))
    assert find(enough, "accuracy").state == "alarm"


def test_days_whose_outcomes_have_only_begun_to_come_are_not_judged() -> None:
    at = spread(10, 300)
    failed_at_once = (at < at[2700]) | (np.arange(3000) % 10 == 0)  # of the last day a tenth is known, all wrong
    rows = classes(at[failed_at_once], np.where(at < at[2700], right(3000, 0.9), False)[failed_at_once],
                   predicted={f"2026-03-{day:02d}": {"1": 300} for day in range(2, 12)})  # fmt: skip
    found = judge(rows, days_window(10))
    assert find(found, "accuracy").state == "ok"
    assert any("outcomes are still to come" in note for note in found.notes)
    assert [day.labelled for day in found.days][:2] == [30, 300]


def test_two_versions_in_a_window_are_told_apart() -> None:
    at = spread(1, 1000)
    second = np.arange(1000) % 2 == 1
    rows = classes(at, np.where(second, False, right(1000, 0.9)), version=np.where(second, 2, 1))
    found = judge(rows, days_window(1), thresholds={2: 0.5})
    assert find(found, "accuracy").state == "ok"
    assert find(judge(rows, days_window(1), version=2), "accuracy").state == "alarm"
    assert [(day.version, day.rows) for day in found.days] == [(2, 500), (1, 500)]
    assert found.days[0].metrics["accuracy"][0] == 0.0


def test_days_of_another_version_are_measured_with_its_own_threshold() -> None:
    at = spread(1, 1000)
    second = np.arange(1000) % 2 == 1
    rows = classes(at, right(1000, 1.1), version=np.where(second, 2, 1))  # scores are 0.2 and 0.8
    of_second = [
        judge(rows, days_window(1), thresholds=known).days[0].metrics for known in ({2: 0.5}, {2: 0.9}, None)
    ]  # fmt: skip
    assert [figures.get("recall", (None,))[0] for figures in of_second] == [1.0, 0.0, None]
    assert [*of_second[2]] == [name for name in of_second[0] if name in OF_PROBABILITIES]
    assert of_second[2]["brier"] == of_second[0]["brier"]
    assert any("threshold of version 2 is not known" in note for note in judge(rows, days_window(1)).notes)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_whatever_the_rows_are_like_the_report_is_written(task: Any) -> None:
    metric = "rmse" if task == "regression" else "accuracy"
    at = spread(1, 300)
    full = numbers(at, np.ones(300)) if task == "regression" else classes(at, right(300, 0.5))
    broken = labelled(
        np.concatenate([at[:3], [np.nan, np.inf, -1e300, 1e300]]), np.full((7, full.scores.shape[1]), np.nan),
        np.array([np.nan, np.inf, -5, 1e308, 0, 1, 2]), predicted={},
    )  # fmt: skip
    one = labelled(at[:1], full.scores[:1], full.outcome[:1])
    none = labelled(at[:0], full.scores[:0], full.outcome[:0])
    for rows in (None, none, one, broken, full):
        found = judge(rows, days_window(1), task=task, metric=metric, expected=1.0, interval=(1.0, 1.0))
        signal, _ = change_point(rows, 1, task, days_window(1), LIMITS)
        assert all(signal.model_dump_json() for signal in [*found.signals, signal])
    assert find(judge(one, days_window(1), task=task, metric=metric), metric).state in ("too few", "not watched")


def test_a_clock_that_jumps_is_not_judged() -> None:
    at = spread(1, 400)
    rows = classes(np.concatenate([at, at + 1e9]), np.concatenate([right(400, 0.9), np.zeros(400, dtype=bool)]))
    assert find(judge(rows, days_window(1)), "accuracy").state == "ok"


def test_the_slice_that_has_become_worse_is_named_and_a_slice_that_was_always_harder_is_not() -> None:
    at = spread(4, 2000)
    region, age = (np.random.default_rng(seed).integers(0, 2, len(at)) for seed in (5, 6))
    share = np.where(age == 1, 0.75, 0.95)  # always harder
    now = at >= at[6000]
    share = np.where(now & (region == 1), share - 0.25, share)
    random = np.random.default_rng(7)
    rows = classes(at, random.random(len(at)) < share, slices={"region": region, "age": age})
    found = judge(rows, days_window(4))
    alarms = [signal.subject for signal in found.signals if signal.state == "alarm" and " = " in signal.subject]
    assert alarms == ["region = b"]
    assert find(found, "region = b").value < 0.75  # type: ignore[operator]


def test_a_group_that_is_treated_differently_than_in_validation_is_named() -> None:
    random = np.random.default_rng(3)
    n = 4000
    sex = random.integers(0, 2, n)
    reference_outcome = random.integers(0, 2, n)
    scores = np.where(random.random(n) < 0.85, reference_outcome, 1 - reference_outcome) * 0.6 + 0.2
    reference = reference_rows(
        np.stack([1 - scores, scores], axis=1).astype(np.float32), reference_outcome,
        {"sex": Texts(sex.astype(np.int32), ["a", "b"])},
    )  # fmt: skip
    at = spread(1, n)
    fair = classes(at, right(n, 0.85), groups={"sex": sex})
    unfair = classes(at, np.where(sex == 1, right(n, 0.7), right(n, 0.95, 1)), groups={"sex": sex})
    states = {
        name: {signal.subject: signal.state for signal in judge(rows, days_window(1), reference=reference).signals
               if signal.kind == "fairness"}
        for name, rows in {"fair": fair, "unfair": unfair}.items()
    }  # fmt: skip
    assert set(states["fair"].values()) == {"ok"}
    assert states["unfair"]["sex = b: accuracy"] == "alarm"
    assert judge(unfair, days_window(1)).signals[-1].state == "not watched"  # nothing to compare with


def test_a_concept_that_changes_is_dated() -> None:
    random = np.random.default_rng(0)
    for make, task in (
        (lambda at, worse: classes(at, random.random(len(at)) < np.where(worse, 0.7, 0.9)), "binary"),
        (lambda at, worse: numbers(at, random.standard_t(3, len(at)) * np.where(worse, 2.0, 1.0)), "regression"),
    ):
        at = spread(30, 60)
        rows = make(at, at >= at[1200])  # since day 20
        signal, since = change_point(rows, 1, task, days_window(30), LIMITS)
        assert signal.state == "alarm"
        assert since is not None
        assert abs(since - datetime.fromtimestamp(at[1200], UTC)) <= timedelta(days=2)


def test_no_change_is_dated_as_often_as_stated() -> None:
    random = np.random.default_rng(2)
    for name, make in {
        "rows": lambda: (random.random(200), np.arange(200)),
        "days": lambda: (
            random.random(300) + np.repeat(random.normal(size=30), 10), np.repeat(np.arange(30), 10)
        ),
    }.items():  # fmt: skip
        false = sum(rise(*make()).p < 0.05 for _ in range(200))
        assert 2 <= false <= 20, name


def test_a_daily_cycle_and_better_predictions_are_no_concept_drift() -> None:
    at = spread(30, 48)
    cycle = np.sin(at / 86_400 * 2 * np.pi) + 1.5
    noise = np.random.default_rng(0).normal(size=len(at))
    assert change_point(numbers(at, noise * cycle), 1, "regression", days_window(30), LIMITS)[0].state == "ok"
    better = np.where(at >= at[700], 0.3, 1.0)
    assert change_point(numbers(at, noise * better), 1, "regression", days_window(30), LIMITS)[0].state == "ok"


def test_periods_are_days_then_hours_then_rows() -> None:
    counts = [len(np.unique(periods(spread(days, a_day)))) for days, a_day in ((30, 5), (1, 500), (1, 15))]
    assert counts == [30, 24, 15]


def test_rows_of_one_unlucky_hour_count_as_one_observation() -> None:
    at = spread(1, 2400)
    hour = np.floor_divide(at, 3600).astype(int) % 24
    rows = classes(at, ~np.isin(hour, [3, 4, 5, 6, 7]))  # all wrong in five hours, all right in the others
    signal = find(judge(rows, days_window(1), expected=0.9, interval=(0.899, 0.901)), "accuracy")
    assert signal.p is not None
    assert signal.p > 0.01
    assert judged_rows(rows, 1, "binary", days_window(1), LIMITS).in_window == 2400


def test_the_probability_of_worse_is_that_of_the_side_that_is_worse() -> None:
    assert probability_of_worse("rmse", 12.0, (11.0, 13.0), 10.0, (9.0, 11.0)) < 0.01
    assert probability_of_worse("rmse", 8.0, (7.0, 9.0), 10.0, (9.0, 11.0)) > 0.99
    assert probability_of_worse("accuracy", 0.8, (0.78, 0.82), 0.9, (0.88, 0.92)) < 0.001
