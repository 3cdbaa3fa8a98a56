"""Whether live requests hold what the reference holds: values that can be read, are known and in range; and how many
rows."""

from __future__ import annotations

import math

from scipy.stats import nbinom
from scipy.stats import t as student

from modelcycle.messages.monitoring import Signal, SignalKind
from modelcycle.model.window import ColumnCounts, Side, WindowSummary
from modelcycle.monitor.inputs.counted import Table, share_interval, share_table
from modelcycle.monitor.signals import NOT_READ, clauses, not_watched, signal, state_of, too_few
from modelcycle.spec import Monitoring

# changes of a share beyond chance that alarm: parts of the rows, or of the values
MISSING_CHANGE = 0.1
ABSENT_CHANGE = 0.1
UNPARSED_CHANGE = 0.05
UNKNOWN_CHANGE = 0.1
OUT_OF_RANGE_CHANGE = 0.05
VOLUME_FACTOR = 2.0  # times as many or as few rows as in the windows before
MIN_WINDOWS_BEFORE = 5  # with any rows, for a comparison of the volume
MIN_VOLUME_DEVIATION = 0.05  # of the logarithm of rows: the captures of the last minutes may still be on their way
ARRIVAL_MINUTES = 10.0  # in which a captured prediction arrives
SILENT_SHARE = 0.5  # of the window, without a prediction at its end


def quality_signals(summary: WindowSummary, limits: Monitoring, limit: float) -> list[Signal]:
    """Return what was seen of the quality of live data.

    Parameters
    ----------
    limit : p value up to which a change is not chance, as `calibration.smallest_p` returns it
    """
    signals = [_volume(summary, limit), _freshness(summary, limit)]
    if summary.rows < limits.minimum_rows:
        kinds: list[SignalKind] = ["missing", "absent", "unparsed", "unknown values", "out of range"]
        return [*(too_few(kind, summary.rows, limits) for kind in kinds), *signals]
    for column in summary.columns:
        signals += _column_signals(column, limit)
    return signals


def quality_tables(summary: WindowSummary) -> list[Table]:
    """Return the tables whose p values `quality_signals` reads."""
    found: list[Table] = []
    for column in summary.columns:
        found += [_missing(column), _unparsed(column)]
        if column.live.absent:
            found.append(_absent(column))
    return [table for table in found if table.says_something and table.reference[1] + table.live[1]]


def other_quality_tests(summary: WindowSummary, limits: Monitoring) -> int:
    """Return the number of tests of `quality_signals` that are not of a table."""
    enough = summary.rows >= limits.minimum_rows
    numbers = enough * sum(column.type in {"text", "number"} and _values(column.live) > 0 for column in summary.columns)
    return numbers + (_usual_volume(summary) is not None) + _freshness_is_watched(summary)


def _column_signals(column: ColumnCounts, limit: float) -> list[Signal]:
    if not column.reference.rows:
        return [not_watched("missing", column.name, "there is no reference")]
    if not column.reads and column.live.absent == column.live.rows:
        return [not_watched("missing", column.name, f"no request holds the column; {NOT_READ}")]
    absent = _share_signal(column, _absent(column), limit, ABSENT_CHANGE, "requests do not hold the column")
    if absent.state == "alarm":
        missing = not_watched("missing", column.name, "requests do not hold the column")
    else:
        missing = _share_signal(column, _missing(column), limit, MISSING_CHANGE, "values are missing", fewer=True)
    unparsed = _share_signal(
        column, _unparsed(column), limit, UNPARSED_CHANGE, f"values cannot be read as {_kind_of(column)}"
    )
    signals = [missing, absent, unparsed]
    if column.type == "text":
        signals.append(_unknown_values(column, limit))
    elif column.type == "number":
        signals.append(_out_of_range(column, limit))
    return signals


def _kind_of(column: ColumnCounts) -> str:
    return {"number": "numbers", "boolean": "true or false", "datetime": "dates", "text": "texts"}[column.type]


def _values(side: Side) -> int:
    return max(side.rows - side.masked - side.missing, 0)


def _missing(column: ColumnCounts) -> Table:
    """Rows without a value; also those whose request does not hold the column, since some clients leave out nulls."""
    sides = [
        (max(side.missing - side.unparsed, 0), side.rows - side.masked) for side in (column.reference, column.live)
    ]
    return share_table("missing", column.name, *sides)


def _absent(column: ColumnCounts) -> Table:
    """Rows whose request does not hold the column, against those without a value in the reference."""
    reference, live = column.reference, column.live
    return share_table(
        "absent",
        column.name,
        (max(reference.missing - reference.unparsed, 0), reference.rows),
        (live.absent, live.rows),
    )


def _unparsed(column: ColumnCounts) -> Table:
    sides = [(side.unparsed, _values(side) + side.unparsed) for side in (column.reference, column.live)]
    return share_table("unparsed", column.name, *sides)


def _share_signal(
    column: ColumnCounts, table: Table, limit: float, threshold: float, what: str, *, fewer: bool = False
) -> Signal:
    """Return the signal of a share.

    Parameters
    ----------
    what : happens to the rows, as a clause
    fewer : whether a smaller share is a change too
    """
    (before, now), (hits, live_hits) = table.rows, (int(table.reference[1]), int(table.live[1]))
    if not now:
        return not_watched(table.kind, column.name, "masked (capture.mask)" if column.live.masked else "no values")
    share, expected = live_hits / now, hits / before if before else 0.0
    effect = abs(share - expected) if fewer else max(share - expected, 0.0)
    state = state_of(table.p, limit, effect, threshold, reads=column.reads)
    low, high = share_interval(live_hits, now)
    detail = "" if state == "ok" else f"{what}: {_percent(share)} of the rows, {_percent(expected)} expected"
    return signal(
        table.kind, column.name, state, value=share, low=low, high=high, expected=expected, effect=share - expected,
        p=table.p, unit="share", detail=clauses(detail, "" if column.reads or state == "ok" else NOT_READ),
    )  # fmt: skip


def _percent(share: float) -> str:
    """Return a share as people read it.

    >>> [_percent(share) for share in (0.0, 0.00042, 0.5)]
    ['0 %', '0.042 %', '50 %']
    """
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.3g} %"


def _unknown_values(column: ColumnCounts, limit: float) -> Signal:
    """Values that the reference does not hold.

    Their expected share is that of the values that the reference holds once (Good, The population frequencies of
    species and the estimation of population parameters, Biometrika, 1953). Its variance is at most that of Esty (A
    normal limit law for a nonparametric estimator of the coverage of a random sample, Annals of Statistics, 1983).
    """
    reference, live = column.reference, column.live
    rows, known = _values(live), _values(reference)
    if not rows or not known:
        return not_watched("unknown values", column.name, "no values")
    expected, share = reference.once / known, live.unknown / rows
    p = _p_of_unknown(reference, known, live.unknown, rows)
    state = state_of(p, limit, share - expected, UNKNOWN_CHANGE, reads=column.reads)
    low, high = share_interval(live.unknown, rows)
    detail = f"unknown values: {_percent(share)}, {_percent(expected)} expected; {len(column.new):,} or more different"
    return signal(
        "unknown values", column.name, state, value=share, low=low, high=high, expected=expected,
        effect=share - expected, p=p, unit="share", detail="" if state == "ok" else detail,
    )  # fmt: skip


def _p_of_unknown(reference: Side, known: int, unknown: int, rows: int) -> float:
    """Return the probability of as many unknown values: a binomial whose share is uncertain, as a negative binomial."""
    if not unknown:
        return 1.0
    if reference.distinct <= len(reference.counts):  # each value has a bin of its own
        twice = sum(count == 2 for count in reference.counts)
    else:
        twice = min(max(reference.distinct - reference.once, 0), max(known - reference.once, 0) // 2)
    share = (reference.once + 1) / known
    variance = (reference.once + 1 + 2 * twice) / known**2
    size = share**2 / variance
    return float(nbinom.sf(unknown - 1, size, size / (size + rows * share)))


def _out_of_range(column: ColumnCounts, limit: float) -> Signal:
    """Numbers outside of the reference's range.

    Without a change, the x largest of both sides' values are all live ones with the probability (n)x / (n + m)x,
    whatever the distribution (Gumbel and von Schelling, The distribution of the number of exceedances, Annals of
    Mathematical Statistics, 1950).
    """
    reference, live = column.reference, column.live
    rows, known = _values(live), _values(reference)
    if not rows or not known:
        return not_watched("out of range", column.name, "no values")
    outside = live.below + live.above
    share, expected = outside / rows, min(2 / (known + 1), 1.0)
    p = min(2 * min(_p_of_exceeding(live.below, rows, known), _p_of_exceeding(live.above, rows, known)), 1.0)
    state = state_of(p, limit, share - expected, OUT_OF_RANGE_CHANGE, reads=column.reads)
    low, high = share_interval(outside, rows)
    detail = (
        f"outside of the reference's range: {_percent(live.below / rows)} below, {_percent(live.above / rows)} above"
    )
    return signal(
        "out of range", column.name, state, value=share, low=low, high=high, expected=expected,
        effect=share - expected, p=p, unit="share", detail="" if state == "ok" else detail,
    )  # fmt: skip


def _p_of_exceeding(exceeding: int, rows: int, known: int) -> float:
    """Return the probability that so many of `rows` values, or more, are beyond all `known` ones.

    >>> round(_p_of_exceeding(1, 1, 9), 3), _p_of_exceeding(0, 5, 9)
    (0.1, 1.0)
    """
    total = rows + known
    return math.exp(
        math.lgamma(rows + 1) - math.lgamma(rows - exceeding + 1)
        - math.lgamma(total + 1) + math.lgamma(total - exceeding + 1)
    )  # fmt: skip


def _served(summary: WindowSummary) -> list[int]:
    """Return the rows of the model in the windows before, without those before its first prediction."""
    served = list(summary.before)
    while served and not served[-1]:
        served.pop()
    return served


def _usual_volume(summary: WindowSummary) -> tuple[float, float, int] | None:
    """Return mean and deviation of the logarithm of rows + 1 in the windows before, and their number.

    The windows before are those of the whole model; which version answered then is not counted. None if there are too
    few, or another version answers in this window: then the route decides how many rows this one gets.
    """
    served = _served(summary)
    if len(served) < MIN_WINDOWS_BEFORE or _others_answer(summary):
        return None
    logs = [math.log1p(rows) for rows in served]
    mean = sum(logs) / len(logs)
    variance = sum((log - mean) ** 2 for log in logs) / (len(logs) - 1)
    by_chance = 1 / max(sum(served) / len(served), 1.0)
    return mean, math.sqrt(max(variance, by_chance, MIN_VOLUME_DEVIATION**2)), len(logs)


def _others_answer(summary: WindowSummary) -> bool:
    return any(rows and version != summary.version for version, rows in summary.versions.items())


def _volume(summary: WindowSummary, limit: float) -> Signal:
    usual = _usual_volume(summary)
    if usual is None:
        if _others_answer(summary):
            return not_watched("volume", "", "other versions answer too, and the route decides how many rows each gets")
        return Signal(
            kind="volume", state="too few", value=summary.rows, unit="rows",
            detail=f"compared after {MIN_WINDOWS_BEFORE} windows",
        )  # fmt: skip
    mean, deviation, windows = usual
    spread = deviation * math.sqrt(1 + 1 / windows)
    moved = math.log1p(summary.rows) - mean
    p = float(2 * student.sf(abs(moved) / spread, windows - 1))
    reach = float(student.isf(0.025, windows - 1)) * spread
    state = state_of(p, limit, abs(moved), math.log(VOLUME_FACTOR))
    usual_rows = math.expm1(mean)
    return signal(
        "volume", "", state, value=summary.rows, low=max(math.expm1(min(mean - reach, 700)), 0.0),
        high=math.expm1(min(mean + reach, 700)), expected=usual_rows, effect=math.exp(moved), p=p, unit="rows",
        detail="" if state == "ok" else f"{summary.rows:,} predictions; usual are {usual_rows:,.0f}",
    )  # fmt: skip


def _freshness_is_watched(summary: WindowSummary) -> bool:
    return summary.kind == "hour" and _usual_volume(summary) is not None


def _freshness(summary: WindowSummary, limit: float) -> Signal:
    """How long the newest prediction is ago.

    Predictions come by chance at the rate of the windows before, with their spread: the silence at the end is
    exponentially distributed. Where the rate changes by the hour, the spread is large, and a night is no alarm.
    """
    start, end = summary.window
    length = (end - start).total_seconds() / 60
    if summary.newest is None:
        return not_watched("freshness", "", "no predictions: see the volume")
    silent = max((end - summary.newest).total_seconds() / 60, 0.0)
    if not _freshness_is_watched(summary):
        why = "it is judged in the windows of an hour, not of a day" if summary.kind == "day" else "no usual volume yet"
        return Signal(kind="freshness", state="not watched", value=round(silent, 3), unit="minutes", detail=why)
    before = _served(summary)
    mean = sum(before) / len(before)
    spread = max(sum((rows - mean) ** 2 for rows in before) / (len(before) - 1) / mean, 1.0)
    waited = max(silent - ARRIVAL_MINUTES, 0.0) / length if length else 0.0
    p = math.exp(-waited * mean / spread)
    state = state_of(p, limit, waited, SILENT_SHARE)
    return signal(
        "freshness", "", state, value=silent, effect=waited, p=p, unit="minutes",
        detail="" if state == "ok" else f"no prediction in the last {silent:,.0f} minutes of the window",
    )  # fmt: skip
