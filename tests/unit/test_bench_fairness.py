"""The shape of what `bench/fairness.py` counts."""

from __future__ import annotations

from bench.fairness import CASES, ERRORS, count, count_errors


def test_equal_groups_are_not_refused_by_chance() -> None:
    ten = count(CASES[1], 15)
    assert ten.ours <= 0.1 and ten.ours_covers >= 0.9
    assert ten.figure == 1.0  # by the figure alone every table of ten equal groups would be


def test_groups_that_are_far_apart_are_refused() -> None:
    assert count(CASES[3], 5).ours == 1.0


def test_equal_errors_are_not_refused_by_chance() -> None:
    for case in ERRORS[1:3]:
        ten = count_errors(case, 15)
        assert max(ten.ours) <= 0.14 and min(ten.covers) >= 0.8
        assert ten.figure[0] == ten.figure[1] == 1.0


def test_errors_that_are_far_apart_are_held_by_the_intervals() -> None:
    assert min(count_errors(ERRORS[4], 10).covers) >= 0.8
