"""One look at one version through one window: all signals, and what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np

from modelcycle.faults import Tampered, Unknown
from modelcycle.messages import Monitored, MonitoringReport, Signal, SummarizedWindow
from modelcycle.model.labelled import Labelled
from modelcycle.model.reference import read_judged
from modelcycle.model.signature import Signature
from modelcycle.model.window import WindowSample, WindowSummary
from modelcycle.monitor.estimate.estimate import estimate, estimate_signal
from modelcycle.monitor.estimate.predicted_groups import predicted_group_signals
from modelcycle.monitor.inputs.cause import broken_columns
from modelcycle.monitor.inputs.inputs import input_signals
from modelcycle.monitor.performance.audit import estimate_error, estimates_by_day, widened
from modelcycle.monitor.performance.change_point import change_point
from modelcycle.monitor.performance.days import Days
from modelcycle.monitor.performance.expected import Expected, expected_performance
from modelcycle.monitor.performance.judged_rows import reference_rows
from modelcycle.monitor.performance.outcomes import outcome_counts
from modelcycle.monitor.performance.performance import performance_signals
from modelcycle.monitor.resources.resources import Resources, resource_signals
from modelcycle.monitor.verdict import judge_window
from modelcycle.registry import Version
from modelcycle.spec import Monitoring, Pipeline, parse
from modelcycle.store import Store

ONE_THRESHOLD = "the estimate without outcomes uses one threshold for all: the thresholds of the test rows are not kept"
FAMILIES = 3  # inputs, the estimate, and outcomes share `monitoring.false_alarms` of a window equally


class Subject(NamedTuple):
    """A version that is watched, and what its live traffic is held against.

    Parameters
    ----------
    reference : the test rows on which it was judged, with their outcomes; None if they are gone, or were not recorded
    expected : how it performed on them
    """

    version: Version
    pipeline: Pipeline
    signature: Signature
    reference: Labelled | None
    expected: Expected

    @staticmethod
    def read(version: Version, artifacts: Store) -> Subject:
        """Read what a version is held against."""
        pipeline = parse(artifacts.read(version.pipeline))
        signature = Signature.model_validate_json(artifacts.read(version.signature))
        reference = _reference(version, artifacts)
        expected = expected_performance(version, reference, signature.threshold)
        return Subject(version, pipeline, signature, reference, expected)


class Looked(NamedTuple):
    """The report of a window and the result that the registry keeps, both before anything is announced.

    `newest` is the time of the newest prediction in the window, None without one.
    """

    report: MonitoringReport
    result: Monitored
    newest: datetime | None


def judge_look(
    subject: Subject, window: SummarizedWindow, labelled: Labelled | None, earlier: Sequence[Monitored],
    took: Resources, before: Resources | None, notes: Sequence[str], artifacts: Store, days: Days,
) -> Looked:  # fmt: skip
    """Judge a window of a version.

    Parameters
    ----------
    earlier : results of earlier windows of all versions
    took, before : resources of serving in this window, and in the one before it
    notes : of the summary, as sentences
    days : measured days of all versions
    """
    version, whole, expected = subject.version, subject.pipeline.monitoring, subject.expected
    limits = whole.model_copy(update={"false_alarms": whole.false_alarms / FAMILIES})
    summary = WindowSummary.model_validate_json(artifacts.read(window.summary))
    sample = WindowSample.from_bytes(artifacts.read(window.sample)) if window.sample else None
    own = [result for result in earlier if result.version == version.version]
    performance = performance_signals(
        labelled, expected.metrics, expected.interval, version=version.version, task=version.task,
        metric=version.metric, threshold=subject.signature.threshold, window=window.window, limits=limits,
        of_window_only=window.kind == "hour", reference=subject.reference, measured=days,
        estimates=estimates_by_day(own), fairness=subject.pipeline.fairness,
    )  # fmt: skip
    changed, since = _concept_drift(version, window, labelled, limits)
    rows = performance.judged.now if performance.judged else np.zeros(0, dtype=np.int64)
    outcomes = outcome_counts(
        subject.reference, labelled, rows, version.task, subject.signature.target, subject.signature.classes
    )
    signals = input_signals(summary, sample, outcomes, limits)
    broken = broken_columns(summary, signals)
    error = estimate_error(performance.days, version.version)
    estimated = widened(
        estimate(sample, version.task, version.metric, subject.signature.threshold),
        performance.days, version.version,
    )  # fmt: skip
    signals += [*performance.signals, changed]
    by_group = sample is not None and sample.live_groups is not None
    # the estimate and the groups, neither of which needs outcomes, share the part of a family
    halved = limits.model_copy(update={"false_alarms": limits.false_alarms / (2 if by_group else 1)})
    signals.append(estimate_signal(estimated, expected.metrics, expected.interval, version.metric, halved, error))
    signals += predicted_group_signals(sample, version.task, subject.signature.threshold, halved.false_alarms)
    signals += resource_signals(took, version.version, before.of(version.version) if before else None, subject.pipeline)
    columns = sum(column.reads for column in summary.columns)
    judged = judge_window(signals, broken, window.rows, columns, limits, version.metric)
    of_window = performance.judged is not None and performance.judged.of_window
    measured = _headline(performance.signals, version.metric) if of_window else None
    unknown = subject.signature.groups is not None and sample is not None and sample.live_selected is None
    common = [ONE_THRESHOLD] if unknown and estimated else []
    notes = [*notes, *summary.notes, *performance.notes, *took.notes, *filter(None, [expected.note]), *common]
    report = MonitoringReport(
        model=version.model, version=version.version, kind=window.kind, window=window.window, rows=window.rows,
        state=judged.state, why=judged.why, signals=signals, broken=broken, estimated=estimated,
        days=performance.days, estimate_error=error, change_point=since, resources=took.versions,
        throttles=took.throttles, notes=list(dict.fromkeys(notes)),
    )  # fmt: skip
    result = Monitored(
        model=version.model, version=version.version, kind=window.kind, window=window.window, rows=window.rows,
        state=judged.state, drifted=judged.drifted, broken=broken, degraded=judged.degraded, why=judged.why,
        metric=version.metric, estimated=estimated.value if estimated else None,
        estimate=estimated, realized=measured.value if measured else None,
        realized_interval=_interval(measured), labelled=performance.labelled, change_point=since,
    )  # fmt: skip
    return Looked(report, result, summary.newest)


def _concept_drift(
    version: Version, window: SummarizedWindow, labelled: Labelled | None, limits: Monitoring
) -> tuple[Signal, datetime | None]:
    """Return whether a version's predictions have become worse, and since when; an hour tells nothing that a day does
    not."""
    if window.kind == "hour":
        return Signal(kind="concept drift", state="not watched", detail="in the longer window"), None
    return change_point(labelled, version.version, version.task, window.window, limits)


def _reference(version: Version, artifacts: Store) -> Labelled | None:
    """Return the test rows on which the version was judged."""
    if version.reference is None:
        return None
    try:
        judged = read_judged(version.reference, artifacts)
    except (Unknown, Tampered):
        return None
    if judged is None:
        return None
    rows = reference_rows(judged.scores, judged.target, judged.groups)
    return rows if judged.cutoffs is None else replace(rows, cutoffs=judged.cutoffs)


def _headline(signals: Sequence[Signal], metric: str) -> Signal | None:
    """Return the signal of the headline metric, if it could be measured."""
    found = (one for one in signals if one.kind == "performance" and one.subject == metric and one.value is not None)
    return next(found, None)


def _interval(signal: Signal | None) -> tuple[float, float] | None:
    if signal is None or signal.low is None or signal.high is None:
        return None
    return signal.low, signal.high
