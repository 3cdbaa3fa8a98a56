"""Everything that is judged of a window's counts and rows, with one limit for all of it."""

from __future__ import annotations

from modelcycle.messages.monitoring import Signal
from modelcycle.model.window import ColumnCounts, WindowSample, WindowSummary
from modelcycle.monitor.inputs.calibration import smallest_p
from modelcycle.monitor.inputs.drift import drift_signals, drift_tables, label_signals, label_table
from modelcycle.monitor.inputs.joint import joint_is_watched
from modelcycle.monitor.inputs.quality import other_quality_tests, quality_signals, quality_tables
from modelcycle.spec import Monitoring


def input_signals(
    summary: WindowSummary, sample: WindowSample | None, labels: ColumnCounts | None, limits: Monitoring
) -> list[Signal]:
    """Return the signals of data quality, and of drift of inputs, predictions and outcomes.

    Parameters
    ----------
    sample : None: joint drift is not watched
    labels : outcomes of the reference and of the window; None: label drift is not watched
    """
    limit = window_limit(summary, sample, labels, limits)
    signals = [*quality_signals(summary, limits, limit), *drift_signals(summary, sample, limits, limit)]
    return signals + (label_signals(labels, limits, limit) if labels is not None else [])


def window_limit(
    summary: WindowSummary, sample: WindowSample | None, labels: ColumnCounts | None, limits: Monitoring
) -> float:
    """Return the p value up to which any test of the window counts; see `calibration.smallest_p`."""
    enough = summary.rows >= limits.minimum_rows
    tables = [*quality_tables(summary), *drift_tables(summary)] if enough else []
    if labels is not None and sum(labels.live.counts) >= limits.minimum_rows:
        tables.append(label_table(labels))
    others = other_quality_tests(summary, limits) + (enough and joint_is_watched(summary, sample))
    return smallest_p(tables, others, limits.false_alarms)
