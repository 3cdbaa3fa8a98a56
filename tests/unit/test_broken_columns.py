"""Columns whose values are wrong rather than different."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelcycle.messages.monitoring import Broken
from tests.unit.judged_windows import broken, counts, numbers, texts

REFERENCE, LIVE = (np.random.default_rng(seed).gamma(9, 4.5, rows) for seed, rows in ((0, 20_000), (1, 2_000)))
LEVELS = {"Female": 5_000, "Male": 5_000, "New York": 20, "3": 400}


def causes(*found: Broken) -> list[tuple[str, str]]:
    return [(one.column, one.cause) for one in found]


def gone(share: float) -> Any:
    return np.where(np.arange(len(LIVE)) < share * len(LIVE), np.nan, LIVE)


@pytest.mark.parametrize(
    ("live", "cause", "told"),
    [
        (LIVE * 100, "other units", "about 100 times as large (cents, or per cent)"),
        (LIVE / 1000, "other units", "about 1,000 times as small"), (gone(0.5), "missing", "50% of the values"),
        (np.full(2_000, 7.25), "constant", "one value"),
        (np.where(LIVE > 40, -999.0, LIVE), "missing", "are one number"),
    ],
)  # fmt: skip
def test_numbers_that_are_wrong(live: Any, cause: str, told: str) -> None:
    found = broken(numbers(REFERENCE, live))
    assert causes(*found) == [("x", cause)] and told in found[0].detail


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values + 12, lambda values: values * 2.0, lambda values: (values - 40) * 1.8 + 45,
        lambda values: np.where(values > 52, np.nan, values), lambda values: values[values > 40],
        lambda values: np.where(np.arange(len(values)) < 150, 0.0, values), lambda values: np.round(values, -1),
    ],
)  # fmt: skip
def test_numbers_of_another_world_are_not_broken(change: Callable[[Any], Any]) -> None:
    column = numbers(REFERENCE, change(LIVE))
    assert broken(column) == []


def test_a_month_is_constant_in_a_day() -> None:
    months = np.repeat(np.arange(1.0, 4.0), 1_000)
    assert broken(numbers(months, np.full(700, 4.0), name="month")) == []
    assert broken(texts({f"2026-0{month}": 500 for month in range(1, 4)}, {"2026-03": 700})) == []
    assert broken(numbers(np.tile(np.arange(1.0, 366.0), 9), np.full(700, 101.0), name="day of the year")) == []


@pytest.mark.parametrize(
    ("live", "cause"),
    [
        ({"female": 500, "male": 500, "new york": 3}, "unknown values"),
        ({"Female": 480, "Male": 380, " MALE": 140}, "unknown values"), ({"f": 500, "m": 500}, "unknown values"),
        ({"Female": 480, "Male": 480, "3.0": 190}, "unknown values"),
        ({"Female": 480, "Male": 380, "n/a": 140}, "missing"),
    ],
)  # fmt: skip
def test_texts_that_are_wrong(live: dict[str, int], cause: str) -> None:
    found = broken(texts(LEVELS, live))
    assert causes(*found) == [("x", cause)] and not any(
        level.strip() in found[0].detail for level in ("female", "MALE")
    )


@pytest.mark.parametrize(
    "live",
    [
        {"Female": 800, "Male": 200}, {"Female": 100, "Male": 400, "Diverse": 300}, {"Male": 1_000},
        {"Boston": 800, "Female": 100, "Male": 100},
    ],
)  # fmt: skip
def test_new_levels_and_other_shares_are_not_broken(live: dict[str, int]) -> None:
    assert broken(texts(LEVELS, live)) == []


def test_a_level_whose_name_is_a_word_for_missing_is_a_level() -> None:
    assert broken(texts({"None": 500, "Some": 500}, {"None": 900, "Some": 100})) == []


def test_columns_that_are_absent_or_cannot_be_read() -> None:
    reference = {"rows": 10_000, "counts": [5_000, 5_000]}
    absent = counts(reference, {"rows": 500, "counts": [0, 0], "missing": 500, "absent": 500})
    assert causes(*broken(absent)) == [("x", "absent")]
    few = counts(reference, {"rows": 500, "counts": [200, 200], "missing": 100, "absent": 100})
    assert broken(few) == []
    unparsed = counts(reference, {"rows": 500, "counts": [200, 200], "missing": 100, "unparsed": 100})
    assert causes(*broken(unparsed)) == [("x", "unparsed")]


def test_only_columns_that_the_model_reads_can_be_broken_and_they_keep_their_order() -> None:
    reference, live = {"rows": 10_000, "counts": [10_000, 0]}, {"rows": 500, "counts": [0, 0], "missing": 500}
    assert broken(counts(reference, live, reads=False)) == []
    pair = [counts(reference, live).model_copy(update={"name": name}) for name in ("z", 'a"b')]
    assert causes(*broken(*pair)) == [("z", "missing"), ('a"b', "missing")]


def test_fifty_thousand_new_levels_are_a_change_unless_none_of_the_old_ones_is_left() -> None:
    old = {f"id {number}": 1 for number in range(9_000)}
    assert broken(texts(old, {f"new {number}": 1 for number in range(2_000)})) == []
    few = {f"shop {number}": 40 for number in range(300)}
    assert causes(*broken(texts(few, {f"{number}": 7 for number in range(300)}))) == [("x", "unknown values")]
