"""From signals to a verdict: what is broken is not degraded, and what is small is not drift."""

from __future__ import annotations

import pytest

from modelcycle.messages import Broken, Signal
from modelcycle.monitor.verdict import Judged
from modelcycle.monitor.verdict import judge_window as by_metric
from modelcycle.spec import Monitoring

LIMITS = Monitoring(minimum_rows=100, share=0.3)


def judge_window(signals: list[Signal], broken: list[Broken], rows: int, columns: int, limits: Monitoring) -> Judged:
    return by_metric(signals, broken, rows, columns, limits, "accuracy")


def drift(column: str, state: str = "alarm") -> Signal:
    return Signal(kind="input drift", subject=column, state=state, detail="mean 3 instead of 2")  # type: ignore[arg-type]


def test_signals_within_chance_are_ok() -> None:
    judged = judge_window([drift("a", "ok"), drift("b", "slight")], [], 500, 10, LIMITS)
    assert (judged.state, judged.drifted, judged.why) == ("ok", [], [])


@pytest.mark.parametrize(("columns", "state"), [(3, "degraded"), (4, "drifted"), (10, "drifted")])
def test_the_share_of_drifted_columns_degrades(columns: int, state: str) -> None:
    judged = judge_window([drift("a")], [], 500, columns, LIMITS)
    assert (judged.state, judged.degraded) == (state, state == "degraded")
    assert judged.why == [f"1 of {columns} columns has drifted: a"]


@pytest.mark.parametrize("kind", ["performance", "estimated performance", "concept drift"])
def test_lost_performance_degrades_without_any_drift(kind: str) -> None:
    lost = Signal(kind=kind, subject="accuracy", state="alarm", detail="0.71 instead of 0.87")  # type: ignore[arg-type]
    judged = judge_window([lost], [], 500, 10, LIMITS)
    assert (judged.state, judged.degraded) == ("degraded", True)
    assert judged.why == [f"{kind} of accuracy: 0.71 instead of 0.87"]


def test_broken_data_are_never_called_degraded() -> None:
    lost = Signal(kind="performance", subject="accuracy", state="alarm")
    broken = [Broken(column="height", cause="other units", detail="100 times smaller: metres instead of centimetres?")]
    judged = judge_window([drift("height"), drift("weight"), lost], broken, 500, 2, LIMITS)
    assert (judged.state, judged.degraded) == ("broken", False)
    assert judged.drifted == ["height", "weight"]
    assert judged.why[0].startswith("height: 100 times smaller")


def test_few_rows_give_no_verdict_unless_outcomes_show_a_loss() -> None:
    assert judge_window([drift("a")], [], 99, 2, LIMITS).state == "no data"
    assert judge_window([], [], 0, 0, LIMITS).why == ["0 predictions; a result needs 100 (monitoring.minimum_rows)"]
    lost = Signal(kind="performance", subject="accuracy", state="alarm")
    assert judge_window([lost], [], 99, 2, LIMITS).state == "degraded"


def test_what_is_no_drift_is_told_and_changes_no_verdict() -> None:
    slow = Signal(kind="latency", state="alarm", detail="p99 900 ms instead of 20")
    judged = judge_window([slow], [], 500, 10, LIMITS)
    assert (judged.state, judged.why) == ("ok", ["latency: p99 900 ms instead of 20"])


def test_a_column_that_changed_in_two_ways_counts_once() -> None:
    missing = Signal(kind="missing", subject="a", state="alarm")
    assert judge_window([drift("a"), missing], [], 500, 10, LIMITS).drifted == ["a"]


def test_a_slice_alone_is_told_and_does_not_degrade_the_model() -> None:
    worse = Signal(kind="performance", subject="region = north", state="alarm", detail="0.7 instead of 0.9")
    judged = judge_window([worse], [], 500, 10, LIMITS)
    told = "performance of region = north: 0.7 instead of 0.9"
    assert (judged.state, judged.degraded, judged.why) == ("ok", False, [told])
    assert told in judge_window([worse], [], 99, 10, LIMITS).why
    assert judge_window([worse, drift("a")], [], 500, 10, LIMITS).state == "drifted"
