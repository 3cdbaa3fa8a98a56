"""Confidence sequences: they hold the true value at every look, and they are narrow enough to be of use."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelcycle.deploy.sequential import (
    class_radius,
    distribution_radius,
    mean_radius,
    quantile_interval,
    share_interval,
)

ALPHA = 0.1
RUNS = 200
LOOKS = [20, 30, 50, 80, 130, 200, 400, 800, 1500]
MOST_MISSES = 0.15  # of RUNS; with ALPHA = 0.1, more than 30 of 200 come once in a hundred times


def misses(is_missed) -> float:  # type: ignore[no-untyped-def]
    """The share of runs in which a sequence misses the true value at any look."""
    random = np.random.default_rng(7)
    return sum(any(is_missed(sample, count) for count in LOOKS) for sample in samples(random)) / RUNS


def samples(random: np.random.Generator) -> np.ndarray:
    return random.random((RUNS, LOOKS[-1]))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_the_sequence_of_a_share_holds_the_truth_at_every_look(share: float) -> None:
    def is_missed(sample: np.ndarray, count: int) -> bool:
        low, high = share_interval(float((sample[:count] < share).sum()), count, ALPHA)
        return not low <= share <= high

    assert misses(is_missed) <= MOST_MISSES


def test_values_between_zero_and_one_are_no_exception() -> None:
    def is_missed(sample: np.ndarray, count: int) -> bool:
        low, high = share_interval(float(sample[:count].sum()), count, ALPHA)
        return not low <= 0.5 <= high

    assert misses(is_missed) <= ALPHA / 2


@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_the_sequence_of_a_quantile_holds_under_heavy_tails_and_ties(quantile: float) -> None:
    def is_missed(sample: np.ndarray, count: int) -> bool:
        pareto = np.sort(1 / (1 - sample[:count]))  # without a mean
        low, high = quantile_interval(pareto, quantile, ALPHA)
        return not low <= 1 / (1 - quantile) <= high

    def is_missed_in_whole_numbers(sample: np.ndarray, count: int) -> bool:
        low, high = quantile_interval(np.sort(np.floor(4 * sample[:count])), quantile, ALPHA)
        return not low <= math.ceil(4 * quantile) - 1 <= high

    assert misses(is_missed) <= MOST_MISSES
    assert misses(is_missed_in_whole_numbers) <= MOST_MISSES


def test_the_sequence_of_a_mean_holds_for_skewed_values() -> None:
    def is_missed(sample: np.ndarray, count: int) -> bool:
        values = -np.log(1 - sample[:count])  # exponential: mean 1
        return bool(abs(values.mean() - 1) > mean_radius(float(values.std(ddof=1)), count, ALPHA))

    assert misses(is_missed) <= MOST_MISSES


def test_the_observed_distribution_stays_within_its_radius() -> None:
    def is_missed(sample: np.ndarray, count: int) -> bool:
        ordered = np.sort(sample[:count])
        farthest = max(
            np.abs(np.arange(1, count + 1) / count - ordered).max(), np.abs(np.arange(count) / count - ordered).max()
        )
        return bool(farthest > distribution_radius(count, ALPHA))

    shares = np.array([0.5, 0.2, 0.2, 0.1])

    def is_missed_in_classes(sample: np.ndarray, count: int) -> bool:
        counts = np.histogram(sample[:count], bins=np.concatenate([[0], np.cumsum(shares)]))[0]
        return bool(np.abs(counts / count - shares).sum() / 2 > class_radius(count, 4, ALPHA))

    assert misses(is_missed) <= ALPHA and misses(is_missed_in_classes) <= ALPHA


def test_a_fixed_interval_would_be_wrong_far_more_often() -> None:
    """The test of the tests: looked at as often, a usual 90 % interval misses."""

    def is_missed(sample: np.ndarray, count: int) -> bool:
        return bool(abs(sample[:count].mean() - 0.5) > 1.645 * sample[:count].std(ddof=1) / math.sqrt(count))

    assert misses(is_missed) > 0.25


def test_sequences_become_narrower_and_are_of_use_at_the_usual_sizes() -> None:
    for radius in (lambda n: class_radius(n, 2, 0.01), lambda n: distribution_radius(n, 0.01)):
        widths = [radius(count) for count in (30, 200, 1000, 10_000)]
        assert widths == sorted(widths, reverse=True) and widths[1] < 0.25 and widths[3] < 0.05
    assert share_interval(0, 1000, 0.01).high < 0.012
    assert math.isinf(mean_radius(1.0, 1, 0.05)) and distribution_radius(3, 0.05) == 1.0
