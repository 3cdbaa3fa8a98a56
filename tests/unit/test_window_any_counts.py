"""Whatever was counted is judged: no counts make a window fail, and all figures are numbers."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.model.window import QUANTILES, ColumnCounts, Side
from modelcycle.monitor.inputs.cause import broken_columns
from modelcycle.monitor.inputs.inputs import input_signals
from tests.unit.judged_windows import LIMITS, summary

numbers = st.floats(allow_nan=True, allow_infinity=True)
few_or_many = st.one_of(st.integers(0, 5), st.integers(0, 10**6), st.just(10**10))


@st.composite
def sides(draw: st.DrawFn, bins: int) -> Side:
    counts = draw(st.lists(few_or_many, min_size=bins, max_size=bins))
    values = sum(counts)
    missing, masked = draw(few_or_many), draw(st.sampled_from([0, 0, 7]))
    absent = draw(st.integers(0, missing))
    part = st.integers(0, values)
    below = draw(part)
    return Side(
        rows=values + missing + masked, counts=counts, missing=missing, masked=masked, absent=absent,
        unparsed=draw(st.integers(0, missing - absent)), unknown=draw(part),
        below=below, above=draw(st.integers(0, values - below)),
        once=draw(part), distinct=draw(part), mean=draw(st.none() | numbers), deviation=draw(st.none() | numbers),
        quantiles=draw(st.lists(numbers, min_size=len(QUANTILES), max_size=len(QUANTILES)) | st.just([])),
    )  # fmt: skip


@st.composite
def columns(draw: st.DrawFn) -> ColumnCounts:
    bins = draw(st.integers(0, 6))
    labels = [f"level {number}" for number in range(bins)]
    return ColumnCounts(
        name=draw(st.text(max_size=9)), type=draw(st.sampled_from(["number", "text", "boolean", "datetime"])),
        labels=labels, reference=draw(sides(bins)), live=draw(sides(bins)), reads=draw(st.booleans()),
        new=draw(st.lists(st.tuples(st.text(max_size=9), st.integers(0, 10**6)), max_size=3)),
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(columns(), columns(), st.lists(few_or_many, max_size=28))
def test_any_counts_are_judged(column: ColumnCounts, labels: ColumnCounts, before: list[int]) -> None:
    window = summary(column, before=before, scores=labels)
    signals = input_signals(window, None, labels, LIMITS)
    for signal in signals:
        for value in (signal.value, signal.low, signal.high, signal.expected, signal.effect, signal.p):
            assert value is None or math.isfinite(value)
        assert signal.p is None or 0 <= signal.p <= 1
        assert signal.detail or signal.state in {"ok", "too few"}
    alarms = [signal.model_copy(update={"state": "alarm"}) for signal in signals]
    assert all(broken.detail for broken in broken_columns(window, alarms))
