"""A short window holds only some months or weekdays; that is no drift, and any other column still alarms."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from modelcycle.model.window import WindowSample
from modelcycle.monitor.inputs.joint import joint_drift
from modelcycle.monitor.verdict import judge_window
from tests.unit.judged_windows import END, LIMITS, counts, judged, numbers, summary, texts

RNG = np.random.default_rng(18)
DAY_WINDOW = (END - timedelta(days=1), END)
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def whole(levels: range, *live: int, shares: list[float] | None = None) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    return RNG.choice(list(levels), 4_000, p=shares).astype(float), RNG.choice(live, 1_000).astype(float)


@pytest.mark.parametrize(
    ("name", "levels", "live"),
    [
        ("x", range(1, 13), (11,)), ("x", range(7), (5, 6)), ("x", range(1, 32), (30,)), ("season", range(1, 5), (4,)),
        ("mnth", range(1, 4), (3,)), ("workingday", range(2), (0,)), ("isHoliday", range(2), (1,)),
        ("order_year", range(2011, 2013), (2012,)),
    ],
)  # fmt: skip
def test_a_part_of_a_date_is_slight_in_a_day(name: str, levels: range, live: tuple[int, ...]) -> None:
    column = numbers(*whole(levels, *live), name=name)
    signal = judged(column, window=DAY_WINDOW, kind="day")["input drift", name]
    assert signal.state == "slight" and signal.effect is not None and signal.effect > LIMITS.psi
    assert signal.detail.startswith("may be a part of a date: a window of 24 hours holds only some of its values")


def test_so_are_hours_in_an_hour_texts_and_flags() -> None:
    hours = numbers(*whole(range(24), 9, 10), name="x")
    assert judged(hours)["input drift", "x"].state == "slight"
    assert judged(hours, window=DAY_WINDOW, kind="day")["input drift", "x"].state == "alarm"
    months = texts(dict.fromkeys(MONTHS, 300), {"Nov": 900})
    assert judged(months)["input drift", "x"].state == "slight"
    written = texts({str(number): 300 for number in range(1, 8)}, {"6": 900})
    assert judged(written)["input drift", "x"].state == "slight"
    free = counts({"rows": 900, "counts": [300, 600], "distinct": 2}, {"rows": 900, "counts": [900, 0], "distinct": 1})
    assert judged(free)["input drift", "x"].state == "alarm"
    weekend = free.model_copy(update={"name": "Weekend"})
    assert judged(weekend)["input drift", "Weekend"].state == "slight"


@pytest.mark.parametrize(
    ("name", "levels", "live", "shares"),
    [
        ("rooms", range(1, 9), (3,), None), ("children", range(4), (0,), None),
        ("age", range(18, 90), (40,), None),
        ("sold", range(1, 13), (1,), [0.45, *[0.05] * 11]), ("smoker", range(2), (1,), None),
        ("hours-per-week", range(1, 54), (40,), [0.48, *[0.01] * 52]), ("x", range(1, 13), (3, 4, 5), None),
        ("month", range(100, 112), (105,), None), ("level", range(1, 6), (3,), None),
        ("year_built", range(1950, 2000), (1980,), None), ("built year", range(1950, 2000), (1980,), None),
    ],
)  # fmt: skip
def test_any_other_column_that_becomes_constant_alarms(
    name: str, levels: range, live: tuple[int, ...], shares: list[float] | None
) -> None:
    column = numbers(*whole(levels, *live, shares=shares), name=name)
    assert judged(column, window=DAY_WINDOW, kind="day")["input drift", name].state == "alarm"


def test_texts_that_are_no_part_of_a_date_alarm() -> None:
    regions = texts({f"region {number}": 300 for number in range(12)}, {"region 3": 900})
    assert judged(regions)["input drift", "x"].state == "alarm"
    unknown = texts(dict.fromkeys(MONTHS, 300), {"Nov": 500, "Novembre": 400})
    assert judged(unknown)["input drift", "x"].state == "alarm"


def test_they_count_neither_as_drifted_nor_in_the_joint_test() -> None:
    columns = [numbers(*whole(range(1, 13), 11), name="month"), numbers(*whole(range(7), 6), name="weekday")]
    signals = list(judged(*columns, window=DAY_WINDOW, kind="day").values())
    assert judge_window(signals, [], 1_000, 2, LIMITS, "accuracy").state == "ok"
    rows = RNG.standard_normal((800, 2))
    live = rows[::2].copy()
    live[:, 0] = 11
    scores = np.zeros((1, 1), dtype=np.float32)
    sample = WindowSample(
        ["month", "x"], np.zeros(2, dtype=bool), rows.astype(np.float32), live.astype(np.float32), scores, scores,
        scores[0],
    )  # fmt: skip
    signal = joint_drift(summary(columns[0], rows=400), sample, LIMITS, 1e-4)
    assert signal.state == "ok" and "without 1 column: dates or parts of one" in signal.detail
