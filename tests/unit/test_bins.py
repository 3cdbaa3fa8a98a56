"""Bins of a reference: every value is in one of them, and they have names that people can tell apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.model.bins import NUMBER_BINS, number_bins

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(FLOATS, st.sampled_from([0.0, -0.0, 1.0, 3.4028234663852886e38])), max_size=80), st.lists(FLOATS)
)
def test_every_number_is_in_one_bin_and_frequent_ones_have_their_own(before: list[float], now: list[float]) -> None:
    reference, live = (np.sort(np.array(values, dtype=np.float32)) for values in (before, now))
    bins = number_bins(reference)
    assert np.all(np.diff(bins.edges) > 0)
    assert len(set(bins.labels)) == len(bins.labels) == len(bins.edges) + 1 <= 4 * NUMBER_BINS
    for values in (reference, live):
        counts = bins.counts(values)
        assert len(counts) == len(bins.labels) and sum(counts) == len(values) and min(counts) >= 0
    different, counts = np.unique(reference + np.float32(0), return_counts=True)
    for value, count in zip(different, counts, strict=True):
        if count * NUMBER_BINS > len(reference):
            held = bins.counts(np.array([value], dtype=np.float32)).index(1)
            assert bins.counts(reference)[held] == count


@pytest.mark.parametrize(
    ("values", "labels", "counts"),
    [
        ([], ["all"], [0]),
        ([5.0], ["below 5", "5", "above 5"], [0, 1, 0]),
        ([0.0] * 9 + [1.0], ["below 0", "0", "0 to below 1", "1", "above 1"], [0, 9, 0, 1, 0]),
    ],
)
def test_a_constant_has_a_bin_of_its_own(values: list[float], labels: list[str], counts: list[int]) -> None:
    reference = np.array(values, dtype=np.float32)
    bins = number_bins(reference)
    assert (bins.labels, bins.counts(reference)) == (labels, counts)


def test_bins_of_a_continuous_reference_have_equally_many_rows() -> None:
    reference = np.sort(np.random.default_rng(0).normal(size=1003).astype(np.float32))
    counts = number_bins(reference).counts(reference)
    assert len(counts) == NUMBER_BINS and max(counts) - min(counts) <= 1
