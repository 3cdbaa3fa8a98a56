"""What is seen of the quality of live requests."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tests.unit.judged_windows import END, counts, judged, numbers, texts


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_missing_values_are_told_from_chance_and_from_a_small_change() -> None:
    def window(missing: int) -> str:
        column = counts(
            {"rows": 10_000, "counts": [5_000, 4_500], "missing": 500},
            {"rows": 1_000, "counts": [500, 500 - missing], "missing": missing},
        )
        return judged(column)["missing", "x"].state

    assert [window(missing) for missing in (50, 70, 120, 300)] == ["ok", "ok", "slight", "alarm"]


def test_clients_that_leave_out_what_is_null_change_nothing() -> None:
    column = counts(
        {"rows": 10_000, "counts": [4_000, 4_000], "missing": 2_000},
        {"rows": 1_000, "counts": [400, 400], "missing": 200, "absent": 200},
    )
    found = judged(column)
    assert found["missing", "x"].state == found["absent", "x"].state == "ok"


def test_a_column_that_no_request_holds_alarms_once() -> None:
    column = counts(
        {"rows": 10_000, "counts": [10_000, 0]}, {"rows": 500, "counts": [0, 0], "missing": 500, "absent": 500}
    )
    found = judged(column)
    assert found["absent", "x"].state == "alarm" and found["absent", "x"].value == 1
    assert found["missing", "x"].state == found["input drift", "x"].state == "not watched"


def test_a_column_that_the_model_does_not_read_never_alarms() -> None:
    reference, live = {"rows": 10_000, "counts": [10_000, 0]}, {"rows": 500, "counts": [0, 0], "missing": 500}
    signal = judged(counts(reference, live, reads=False))["missing", "x"]
    assert signal.state == "slight" and "does not read it" in signal.detail
    absent = judged(counts(reference, {**live, "absent": 500}, reads=False))["missing", "x"]
    assert absent.state == "not watched" and "does not read it" in absent.detail


def test_unparsed_values_are_no_missing_ones() -> None:
    column = counts(
        {"rows": 10_000, "counts": [5_000, 5_000]}, {"rows": 500, "counts": [200, 200], "missing": 100, "unparsed": 100}
    )
    found = judged(column)
    assert (
        found["unparsed", "x"].state == "alarm" and "cannot be read as true or false" in found["unparsed", "x"].detail
    )
    assert found["missing", "x"].state == "ok"


@pytest.mark.parametrize("seed", range(3))
def test_new_values_are_expected_where_the_reference_holds_many_once(seed: int) -> None:
    draw = rng(seed)
    shares = 1 / np.arange(10, 50_010)
    sides = [draw.choice(50_000, size, p=shares / shares.sum()) for size in (20_000, 5_000)]
    levels = [
        dict(zip(*(part.tolist() for part in np.unique(side, return_counts=True)), strict=True)) for side in sides
    ]
    signal = judged(texts(*({f"id {code}": rows for code, rows in side.items()} for side in levels)))[
        "unknown values", "x"
    ]
    assert signal.value is not None and signal.expected is not None
    assert signal.value > 0.1 and abs(signal.value - signal.expected) < 0.02 and signal.state == "ok"


def test_a_new_level_alarms_and_its_name_is_not_told() -> None:
    column = texts({"red": 600, "blue": 400}, {"red": 300, "blue": 200, "Mr Smith": 100})
    found = judged(column)["unknown values", "x"]
    assert found.state == "alarm" and found.value == pytest.approx(1 / 6, abs=1e-5) and "Smith" not in found.detail


def test_numbers_outside_of_the_range_are_expected_as_often_as_chance_makes_them() -> None:
    draw = rng()
    reference, live = draw.standard_normal(1_000), draw.standard_normal(5_000)
    assert judged(numbers(reference, live))["out of range", "x"].state == "ok"
    live[:500] = 40.0
    signal = judged(numbers(reference, live))["out of range", "x"]
    assert signal.state == "alarm" and "10 % above" in signal.detail


def test_a_masked_column_is_watched_for_missing_values_only() -> None:
    column = counts(
        {"rows": 10_000, "counts": [5_000, 5_000]}, {"rows": 500, "counts": [0, 0], "masked": 300, "missing": 200}
    )
    found = judged(column)
    assert found["missing", "x"].state == "alarm" and "masked" in found["input drift", "x"].detail
    column = counts({"rows": 10_000, "counts": [5_000, 5_000]}, {"rows": 500, "counts": [0, 0], "masked": 500})
    assert judged(column)["missing", "x"].state == "not watched"


def test_too_few_predictions_are_told_once_for_each_kind() -> None:
    found = judged(counts({"rows": 10_000, "counts": [10_000, 0]}, {"rows": 199, "counts": [0, 199]}))
    kinds = {kind for (kind, _), signal in found.items() if signal.state == "too few"}
    assert {"missing", "input drift", "joint drift", "prediction drift"} <= kinds
    assert "monitoring.minimum_rows in the pipeline file is 200" in found["missing", ""].detail


@pytest.mark.parametrize(
    ("rows", "before", "state"),
    [
        (1_000, [1_000, 1_030, 990, 980, 1_010, 1_000], "ok"), (950, [1_000, 1_030, 990, 980, 1_010, 1_000], "ok"),
        (0, [1_000, 1_030, 990, 980, 1_010, 1_000], "alarm"), (9_000, [1_000, 1_030, 990, 980, 1_010, 1_000], "alarm"),
        (20, [20, 900, 1_000, 30, 10, 1_100, 15, 950], "ok"),  # nights
        (900, [950, 40, 0, 0, 0, 0, 0, 0], "too few"),  # a new version
        (1, [], "too few"), (10**9, [10**9] * 28, "ok"),
    ],
)  # fmt: skip
def test_the_volume_is_held_against_the_windows_before(rows: int, before: list[int], state: str) -> None:
    assert judged(rows=rows, before=before)["volume", ""].state == state


def test_the_volume_of_a_version_in_a_rollout_is_the_routes_matter() -> None:
    signal = judged(rows=10, before=[1_000] * 9, versions={1: 10, 2: 900})["volume", ""]
    assert signal.state == "not watched" and "the route decides" in signal.detail
    silent = judged(rows=0, before=[1_000] * 9, versions={1: 0, 2: 900})["volume", ""]
    assert silent.state == "not watched" and "the route decides" in silent.detail
    assert judged(rows=0, before=[1_000] * 9, versions={1: 0, 2: 0})["volume", ""].state == "alarm"


@pytest.mark.parametrize(
    ("minutes", "before", "kind", "state"),
    [
        (3, [1_000] * 9, "hour", "ok"), (50, [1_000] * 9, "hour", "alarm"), (50, [9, 1_000, 20] * 9, "hour", "ok"),
        (50, [2] * 9, "hour", "ok"), (50, [1_000] * 9, "day", "not watched"), (-30, [1_000] * 9, "hour", "ok"),
    ],
)  # fmt: skip
def test_silence_at_the_end_alarms_where_traffic_is_steady(
    minutes: int, before: list[int], kind: str, state: str
) -> None:
    newest = END - timedelta(minutes=minutes)
    assert judged(rows=300, before=before, newest=newest, kind=kind)["freshness", ""].state == state


def test_a_window_without_predictions_or_columns_is_judged() -> None:
    found = judged(rows=0, newest=None, versions={})
    assert found["freshness", ""].state == "not watched" and found["volume", ""].state == "too few"
