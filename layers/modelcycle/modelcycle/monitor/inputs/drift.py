"""Whether values, predictions and outcomes are distributed as in the reference.

A change counts if chance does not explain it (`counted.Table`), and alarms if it is also large: its population
stability index, less what chance adds, reaches `monitoring.psi` of the pipeline file. With much traffic the smallest
change is beyond chance; it is then slight, and told as such.
"""

from __future__ import annotations

import math

from modelcycle.messages.monitoring import Signal, SignalKind
from modelcycle.model.window import ColumnCounts, WindowSample, WindowSummary
from modelcycle.monitor.inputs.calendar_parts import may_be_part_of_a_date, window_holds_some
from modelcycle.monitor.inputs.calibration import smallest_p
from modelcycle.monitor.inputs.counted import Table, binned_table
from modelcycle.monitor.inputs.joint import joint_drift
from modelcycle.monitor.signals import NOT_READ, clauses, not_watched, signal, state_of, too_few
from modelcycle.spec import Monitoring

MIN_NAMED_SHARE = 0.01  # of the reference, for a text that is named in a message; rarer ones may identify somebody
TOLD_DEVIATION = 1.1  # ratio of two standard deviations from which it is told


def drift_signals(
    summary: WindowSummary, sample: WindowSample | None, limits: Monitoring, limit: float
) -> list[Signal]:
    """Return what was seen of the distribution of inputs and predictions.

    Parameters
    ----------
    limit : p value up to which a change is not chance, as `calibration.smallest_p` returns it
    """
    if summary.rows < limits.minimum_rows:
        kinds: list[SignalKind] = ["input drift", "joint drift", "prediction drift"]
        return [too_few(kind, summary.rows, limits) for kind in kinds]
    signals = [_input_drift(column, summary, limits, limit) for column in summary.columns]
    signals.append(joint_drift(summary, sample, limits, limit))
    signals += [
        _compared(counts, table, limits, limit)
        for counts, table in _predictions(summary)
    ]  # fmt: skip
    return signals


def label_signals(labels: ColumnCounts, limits: Monitoring, limit: float | None = None) -> list[Signal]:
    """Return what was seen of the distribution of outcomes.

    Parameters
    ----------
    labels : outcomes of the reference and of the window
    limit : p value up to which a change is not chance; None: the outcomes are judged by themselves
    """
    rows = sum(labels.live.counts)
    if rows < limits.minimum_rows:
        detail = f"{rows:,} outcomes; monitoring.minimum_rows in the pipeline file is {limits.minimum_rows:,}"
        return [Signal(kind="label drift", subject=labels.name, state="too few", detail=detail)]
    table = label_table(labels)
    if limit is None:
        limit = smallest_p([table], 0, limits.false_alarms)
    return [_compared(labels, table, limits, limit)]


def label_table(labels: ColumnCounts) -> Table:
    """Return the table whose p value `label_signals` reads."""
    return _table("label drift", labels.name, labels)


def drift_tables(summary: WindowSummary) -> list[Table]:
    """Return the tables whose p values `drift_signals` reads."""
    inputs = [
        _table("input drift", column.name, column) for column in summary.columns if not _why_not_watched(column)
    ]  # fmt: skip
    return [table for table in [*inputs, *(table for _, table in _predictions(summary))] if table.says_something]


def _predictions(summary: WindowSummary) -> list[tuple[ColumnCounts, Table]]:
    number = summary.task == "regression"
    named = [(summary.predictions, "predicted number" if number else "predicted class"), (summary.scores, "score")]
    return [(counts, _table("prediction drift", name, counts)) for counts, name in named if counts is not None]


def _table(kind: SignalKind, subject: str, counts: ColumnCounts) -> Table:
    return binned_table(kind, subject, counts.reference.counts, counts.live.counts, ordered=counts.type == "number")


def _why_not_watched(column: ColumnCounts) -> str:
    """Return why a column's values are not compared; empty if they are."""
    if column.type == "datetime":
        return "a date: later ones are expected"
    if column.live.masked:
        return "masked (capture.mask): only missing values are compared"
    if column.live.rows and column.live.absent == column.live.rows:
        return "no request holds the column"
    if not sum(column.reference.counts):
        return "the reference has no values"
    return "" if sum(column.live.counts) else "no values"


def _input_drift(column: ColumnCounts, summary: WindowSummary, limits: Monitoring, limit: float) -> Signal:
    why = _why_not_watched(column)
    if why:
        return not_watched("input drift", column.name, why)
    found = _compared(column, _table("input drift", column.name, column), limits, limit)
    if found.state == "alarm" and may_be_part_of_a_date(column, summary):
        return found.model_copy(
            update={"state": "slight", "detail": clauses(window_holds_some(summary), found.detail)}
        )  # fmt: skip
    return found


def _compared(counts: ColumnCounts, table: Table, limits: Monitoring, limit: float) -> Signal:
    if not table.says_something:  # one value on both sides, or too few rows for two bins
        constant = len(counts.reference.counts) < 2 or counts.reference.distinct == counts.live.distinct == 1
        if constant:
            return signal(table.kind, table.subject, "ok", value=0.0, effect=0.0, unit="PSI", detail="one value")
        return signal(table.kind, table.subject, "too few", detail="too few values for a comparison")
    state = state_of(table.p, limit, table.effect, limits.psi, reads=counts.reads)
    found = table.psi_found(limit)
    detail = ""
    if state == "ok" and found > limits.psi:
        state = "too few"
        detail = f"{table.rows[1]:,} values: a PSI below {found:.2g} cannot be told from chance"
    elif state != "ok":
        detail = clauses(_moved(counts) or "other values are frequent", "" if counts.reads else NOT_READ)
    return signal(
        table.kind, table.subject, state, value=table.psi, expected=table.psi - table.effect if table.effect else None,
        effect=table.effect, p=table.p, unit="PSI", detail=detail,
    )  # fmt: skip


def _moved(counts: ColumnCounts) -> str:
    """Return how a distribution has moved, as a clause: its mean and spread, or the level that changed most."""
    if counts.type == "number":
        return _shifted(counts)
    rows = [max(sum(side.counts), 1) for side in (counts.reference, counts.live)]
    shares = [
        (before / rows[0], now / rows[1])
        for before, now in zip(counts.reference.counts, counts.live.counts, strict=True)
    ]  # fmt: skip
    if not shares:
        return ""
    position = max(range(len(shares)), key=lambda number: abs(shares[number][1] - shares[number][0]))
    before, now = shares[position]
    named = before >= MIN_NAMED_SHARE and position < len(counts.labels)
    label = f"`{counts.labels[position]}`" if named else "the value that changed most"
    return f"{label}: {before:.1%} in the reference, {now:.1%} now"


def _shifted(counts: ColumnCounts) -> str:
    reference, live = counts.reference, counts.live
    if None in (reference.mean, reference.deviation, live.mean, live.deviation) or not reference.deviation:
        return ""
    assert reference.mean is not None and live.mean is not None and live.deviation is not None
    moved, ratio = (live.mean - reference.mean) / reference.deviation, live.deviation / reference.deviation
    if not (math.isfinite(moved) and math.isfinite(ratio)):
        return ""
    spread = ratio >= TOLD_DEVIATION or ratio <= 1 / TOLD_DEVIATION
    return clauses(
        f"the mean is {abs(moved):.2g} standard deviations {'higher' if moved > 0 else 'lower'}",
        f"the standard deviation is {ratio:.2g} times as large" if spread else "",
    )
