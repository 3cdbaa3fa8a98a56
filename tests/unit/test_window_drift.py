"""What is seen of the distribution of inputs, predictions and outcomes."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import fisher_exact

from bench.drawn_windows import Change, Drawn, window
from modelcycle.model.window import ColumnCounts, WindowSample
from modelcycle.monitor.inputs.calibration import smallest_p
from modelcycle.monitor.inputs.counted import binned_table, share_table
from modelcycle.monitor.inputs.drift import drift_signals, label_signals
from modelcycle.monitor.inputs.inputs import input_signals
from modelcycle.monitor.inputs.joint import joint_drift
from modelcycle.spec import Monitoring
from tests.unit.judged_windows import LIMITS, counts, judged, numbers, summary, texts


def test_the_p_values_of_tables_by_chance_are_even() -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(30) * 0.5)
    for rows in ((2_000, 200), (2_000, 40_000)):
        reference, live = (rng.multinomial(size, shares).tolist() for size in rows)
        for table in (
            binned_table("input drift", "x", reference, live, ordered=True),
            binned_table("input drift", "x", reference, live, ordered=False),
            share_table("missing", "x", (30, rows[0]), (3, rows[1])),
        ):
            drawn = table.by_chance(rng, 4_000)
            assert (drawn.sum(axis=1) == table.rows[0]).all() and (drawn <= table.reference + table.live).all()
            p = table.p_values(drawn)
            for limit in (0.2, 0.05, 0.01):  # a combination of tests is a little too careful, never bold
                assert (p <= limit).mean() <= limit * 1.15 + 3 * (limit / 4_000) ** 0.5


def test_tables_of_many_rows_by_chance_need_no_rows_drawn() -> None:
    rng = np.random.default_rng(0)
    shares = np.arange(4, 16) / np.arange(4, 16).sum()
    table = binned_table(
        "input drift", "x", *(rng.multinomial(rows, shares).tolist() for rows in (90_000, 40_000)), True
    )
    assert len(table.reference) == 12 and table.fewest_expected > 1_000
    quick, drawn = table.p_by_chance(rng, 40_000, 0.1), table.p_values(table.by_chance(rng, 40_000))
    for limit in (0.1, 0.03, 0.01, 0.003):
        expected = (drawn <= limit).mean()
        assert abs((quick <= limit).mean() - expected) < 4 * (2 * expected / 40_000) ** 0.5
    assert set(quick[quick > 0.1]) == {1.0}


@pytest.mark.parametrize(
    ("reference", "live"),
    [((900, 30), (200, 2)), ((200, 2), (900, 30)), ((200, 199), (900, 870)), ((900_000, 60), (300_000, 40))],
)
def test_a_share_of_few_rows_is_tested_as_fisher_does(reference: tuple[int, int], live: tuple[int, int]) -> None:
    table = share_table("missing", "x", (reference[1], reference[0]), (live[1], live[0]))
    rows = [table.reference.tolist(), table.live.tolist()]
    one_sided = [fisher_exact(rows, alternative=side).pvalue for side in ("less", "greater")]
    assert table.p == pytest.approx(2 * min(one_sided), rel=0.1 if sum(table.rows) > 10**6 else 1e-6)


@pytest.mark.parametrize("false_alarms", [0.002, 0.05])
def test_a_window_of_many_tests_has_the_stated_share_of_false_alarms(false_alarms: float) -> None:
    rng = np.random.default_rng(1)
    drawn = [[rng.multinomial(rows, [0.2] * 5).tolist() for rows in (900, 250)] for _ in range(8)]
    tables = [binned_table("input drift", str(number), *rows, False) for number, rows in enumerate(drawn)]
    limit = smallest_p(tables, 3, false_alarms)
    assert limit == smallest_p(tables, 3, false_alarms)
    smallest = rng.random((20_000, 3)).min(axis=1)
    for table in tables:
        smallest = np.minimum(smallest, table.p_values(table.by_chance(rng, 20_000)))
    assert false_alarms / 2 < (smallest <= limit).mean() < false_alarms * 1.5


def test_a_shift_has_its_effect_and_is_told_in_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    reference, live = rng.standard_normal(20_000), rng.standard_normal(5_000)
    for moved, state in ((0.0, "ok"), (0.2, "slight"), (0.6, "alarm")):
        signal = judged(numbers(reference, live + moved))["input drift", "x"]
        assert signal.state == state and signal.effect == pytest.approx(moved**2, abs=0.06)
    assert signal.detail.startswith("the mean is 0.6 standard deviations higher")
    wider = judged(numbers(reference, live * 2))["input drift", "x"]
    assert wider.state == "alarm" and "2 times as large" in wider.detail


def test_few_rows_are_told_and_not_taken_for_no_change() -> None:
    levels = {f"level {number}": 150 for number in range(60)}
    live = {f"level {number}": 4 for number in range(2, 54)}
    signal = drift_signals(summary(texts(levels, live)), None, LIMITS, 1e-6)[0]
    assert signal.state == "too few" and "cannot be told from chance" in signal.detail


def test_the_level_that_changed_is_named_only_if_it_is_frequent() -> None:
    before = {"red": 6_000, "blue": 2_000, "green": 2_000, "Mr Smith": 3}
    frequent = judged(texts(before, {"red": 100, "blue": 450, "green": 450}))["input drift", "x"]
    assert "`red`: 60.0% in the reference, 10.0% now" in frequent.detail
    rare = judged(texts(before, {"red": 480, "blue": 160, "green": 160, "Mr Smith": 700}))["input drift", "x"]
    assert rare.state == "alarm" and "Smith" not in rare.detail


def test_constants_dates_and_columns_without_values_are_told() -> None:
    one = np.full(1_000, 3.0)
    assert judged(numbers(one, one))["input drift", "x"].state == "ok"
    nothing = np.full(1_000, np.nan)
    assert "the reference has no values" in judged(numbers(nothing, one))["input drift", "x"].detail
    assert "no values" in judged(numbers(one, nothing))["input drift", "x"].detail
    dates = counts({"rows": 900, "counts": []}, {"rows": 900, "counts": []}, "datetime")
    assert "later ones are expected" in judged(dates)["input drift", "x"].detail
    assert judged(counts({"rows": 0, "counts": []}, {"rows": 300, "counts": []}))["missing", "x"].state == "not watched"
    assert judged(numbers(one, np.where(np.arange(1_000) < 700, 3.0, 4.0)))["input drift", "x"].state == "alarm"


@pytest.mark.parametrize("name", ["Age", "age", 'a"b', "a.b", "`x`", "", "größe 📏", "x" * 500, "1"])
def test_columns_may_have_any_name(name: str) -> None:
    rng = np.random.default_rng(0)
    columns = [
        numbers(rng.standard_normal(900), rng.standard_normal(300) + moved, name=called)
        for called, moved in ((name, 3), (f"{name} ", 0))
    ]  # fmt: skip
    found = judged(*columns)
    assert found["input drift", name].state == "alarm" and found["input drift", f"{name} "].state == "ok"


def test_huge_numbers_are_judged() -> None:
    rng = np.random.default_rng(0)
    reference = np.sign(rng.standard_normal(1_000)) * 1e38
    found = judged(numbers(reference, reference[::-1].copy()), numbers(reference * 1e200, reference, name="y"))
    assert found["input drift", "x"].state == "ok" and found["input drift", "y"].state in {"alarm", "ok"}
    billions = counts({"rows": 2 * 10**9, "counts": [10**9, 10**9]}, {"rows": 300, "counts": [150, 150]})
    assert judged(billions)["input drift", "x"].state == "ok"
    levels = counts({"rows": 3 * 10**9, "counts": [10**9] * 3}, {"rows": 300, "counts": [200, 50, 50]}, "text")
    assert judged(levels)["input drift", "x"].state == "alarm"


def test_predictions_are_watched_by_class_and_by_score() -> None:
    rng = np.random.default_rng(0)
    scores = numbers(rng.beta(2, 5, 9_000), rng.beta(5, 2, 900), name="score")
    classes = counts({"rows": 9_000, "counts": [8_000, 1_000]}, {"rows": 900, "counts": [100, 800]}, "text")
    found = judged(scores=scores, predictions=classes, task="binary", rows=900)
    assert found["prediction drift", "score"].state == found["prediction drift", "predicted class"].state == "alarm"
    regression = judged(predictions=scores, task="regression", rows=900)
    assert regression["prediction drift", "predicted number"].state == "alarm"


def test_outcomes_are_judged_when_there_are_enough() -> None:
    def labels(live: list[int]) -> ColumnCounts:
        return counts({"rows": 900, "counts": [800, 100]}, {"rows": sum(live), "counts": live}, "text")

    states = [label_signals(labels(live), LIMITS)[0].state for live in ([80, 10], [178, 22], [120, 180])]
    assert states == ["too few", "ok", "alarm"]


def sample(reference: np.ndarray, live: np.ndarray, texts: tuple[bool, ...]) -> WindowSample:  # type: ignore[type-arg]
    scores = np.zeros((1, 1), dtype=np.float32)
    names = [f"c{number}" for number in range(len(texts))]
    return WindowSample(
        names, np.array(texts), reference.astype(np.float32), live.astype(np.float32), scores, scores, scores[0]
    )


def test_columns_that_change_together_are_found_and_named() -> None:
    rng = np.random.default_rng(0)
    reference, live = rng.standard_normal((2_000, 5)), rng.standard_normal((2_000, 5))
    live[:, 1] = 0.95 * live[:, 0] + 0.31 * live[:, 1]  # each column by itself is as before
    codes = [rng.integers(0, 900, (2_000, 1)) for _ in range(2)]
    texts = (False, False, False, False, False, True)
    rows = [np.hstack([side, code]) for side, code in zip((reference, live), codes, strict=True)]
    signal = joint_drift(summary(rows=2_000), sample(rows[0], rows[1], texts), LIMITS, 1e-4)
    assert signal.state == "alarm" and signal.value is not None and signal.value > 0.7
    assert "c0" in signal.detail and "c1" in signal.detail and "c3" not in signal.detail
    calm = joint_drift(summary(rows=2_000), sample(rows[0][::2], rows[0][1::2], texts), LIMITS, 0.01)
    assert calm.state == "ok" and calm.detail == ""


def test_the_limit_of_threads_holds_for_scikit_learn_though_nothing_has_loaded_it() -> None:
    code = """
from modelcycle.monitor.one_thread import one_thread
from threadpoolctl import threadpool_info
with one_thread():
    print([one["num_threads"] for one in threadpool_info() if one["user_api"] == "openmp"])
"""
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert set(json.loads(shown.stdout)) == {1}


def test_later_dates_and_masked_columns_do_not_tell_rows_apart() -> None:
    rows = np.random.default_rng(0).standard_normal((400, 3))
    dates = counts({"rows": 400, "counts": []}, {"rows": 400, "counts": []}, "datetime").model_copy(
        update={"name": "c0"}
    )
    live = rows.copy()
    live[:, 0] += 50
    signal = joint_drift(summary(dates), sample(rows, live, (False,) * 3), LIMITS, 0.01)
    assert signal.state == "ok" and "without 1 column" in signal.detail
    assert joint_drift(summary(dates), sample(rows[:9], live[:9], (False,) * 3), LIMITS, 0.01).state == "too few"
    nothing = np.full((400, 1), np.nan)
    assert joint_drift(summary(rows=400), sample(nothing, nothing, (True,)), LIMITS, 0.01).state == "ok"


def test_equal_windows_give_equal_signals_whatever_is_beside_them() -> None:
    drawn = Drawn.columns(3)
    made = [window(drawn, np.random.default_rng(5), 2_000, 400, Change(0.5)) for _ in range(2)]
    first, second = (input_signals(*one, None, Monitoring()) for one in made)
    assert first == second
