"""The bench of estimates, in small: a drop is seen in its month, and a shifted window lies in its band."""

from __future__ import annotations

from bench.estimates import adult_windows, bikeshare_months


def test_the_drop_of_a_month_is_seen_when_its_outcomes_are_known() -> None:
    month = next(bikeshare_months(1))
    signal = month.performance.signals[0]
    assert signal.state == "alarm"
    assert month.month == "2011-04" and "predictions of 2011-04-" in signal.detail
    assert signal.value > 1.2 * signal.expected  # type: ignore[operator]


def test_the_accuracy_of_a_shifted_window_lies_in_its_band() -> None:
    assert next(adult_windows("accuracy", 0)).is_inside
