"""Which columns are wrong rather than different: another run would learn from broken data.

A column is called broken only for what a change of the world does not do. What is not certain stays drift: a challenger
has to beat the champion anyway.
"""

from __future__ import annotations

import re

from modelcycle.cells.missing import MARKS, WORDS
from modelcycle.messages.monitoring import Broken, Signal, SignalKind
from modelcycle.model.window import QUANTILES, ColumnCounts, Side, WindowSummary
from modelcycle.monitor.inputs.units import other_units

LOST_SHARE = 0.3  # of the values that used to be there
UNPARSED_SHARE = 0.05  # of the values
UNKNOWN_SHARE = 0.1  # of the values, of other spellings
ALL_UNKNOWN_SHARE = 0.9  # of the values, where the reference knew nearly all
SENTINEL_SHARE = 0.2  # of the values, equal and outside of the reference's range
MAX_CALENDAR_VALUES = 366  # different ones of a column that is a part of a date, such as the day of the year
MAX_CALENDAR_LEVELS = 31
MAX_COMMON_SHARE = 0.9  # of the reference, of a value that a constant column may well have by chance
MAX_CHANCE = 1e-6  # of a window with a single value


def broken_columns(summary: WindowSummary, signals: list[Signal]) -> list[Broken]:
    """Return the columns that the model reads and whose values are wrong, in the order of the data.

    Parameters
    ----------
    signals : of `quality_signals` and `drift_signals`; only a column with an alarm is looked at
    """
    alarms = {(signal.kind, signal.subject) for signal in signals if signal.state == "alarm"}
    broken: list[Broken] = []
    for column in summary.columns:
        kinds = {kind for kind, subject in alarms if subject == column.name}
        found = _cause(column, kinds) if column.reads and kinds else None
        if found is not None:
            broken.append(found)
    return broken


def _cause(column: ColumnCounts, alarms: set[SignalKind]) -> Broken | None:
    """Return what is wrong with a column that alarms: the first cause that explains it."""
    if "absent" in alarms and column.live.absent / column.live.rows >= LOST_SHARE:
        return _broken(column, "absent", f"{column.live.absent / column.live.rows:.0%} of the rows do not hold it")
    if "unparsed" in alarms and (unparsed := _unparsed(column)):
        return _broken(column, "unparsed", unparsed)
    if "missing" in alarms and (lost := _lost(column)) >= LOST_SHARE:
        return _broken(column, "missing", f"{lost:.0%} of the values that used to be there are missing")
    if column.type == "text" and (detail := _missing_words(column)):
        return _broken(column, "missing", detail)
    if column.type == "number" and "input drift" in alarms:
        if detail := other_units(column.reference, column.live):
            return _broken(column, "other units", detail)
        if detail := _sentinel(column):
            return _broken(column, "missing", detail)
    if column.type == "text" and (detail := _respelled(column)):
        return _broken(column, "unknown values", detail)
    if "input drift" in alarms and (detail := _constant(column)):
        return _broken(column, "constant", detail)
    return None


def _broken(column: ColumnCounts, cause: str, detail: str) -> Broken:
    return Broken.model_validate({"column": column.name, "cause": cause, "detail": detail})


def _values(side: Side) -> int:
    return max(side.rows - side.masked - side.missing, 0)


def _unparsed(column: ColumnCounts) -> str:
    share = column.live.unparsed / max(_values(column.live) + column.live.unparsed, 1)
    kind = {"number": "a number", "boolean": "true or false", "datetime": "a date", "text": "text"}[column.type]
    return f"{share:.0%} of the values cannot be read as {kind}" if share >= UNPARSED_SHARE else ""


def _lost(column: ColumnCounts) -> float:
    """Return the share of rows without a value, of those that would have one in the reference."""
    shares = [
        (side.missing - side.unparsed) / max(side.rows - side.masked, 1) for side in (column.reference, column.live)
    ]  # fmt: skip
    return max(shares[1] - shares[0], 0.0) / max(1 - shares[0], 1e-9)


def _missing_words(column: ColumnCounts) -> str:
    """Texts such as `n/a`, which mean a missing value but are not among the column's `missing_values`."""
    words = {_plain(word) for word in MARKS | WORDS} - {_plain(label) for label in column.labels}
    rows = sum(count for text, count in column.new if _plain(text) in words)
    share = rows / max(_values(column.live), 1)
    return f"{share:.0%} of the values are words for a missing value" if share >= UNKNOWN_SHARE else ""


def _respelled(column: ColumnCounts) -> str:
    """Levels in another spelling: another case, other spaces or marks, a number with decimals; or none of the old ones.

    A new level is no other spelling: that is a change of the world.
    """
    reference, live = column.reference, column.live
    values, known = max(_values(live), 1), max(_values(reference), 1)
    spellings = {_plain(label) for label, rows in zip(column.labels, reference.counts, strict=False) if rows}
    respelled = sum(count for text, count in column.new if _plain(text) in spellings)
    if respelled / values >= UNKNOWN_SHARE:
        return f"{respelled / values:.0%} of the values are levels of the reference in another spelling"
    expected = (reference.once + 1) / known
    if live.unknown / values >= ALL_UNKNOWN_SHARE and expected <= 1 - ALL_UNKNOWN_SHARE and reference.distinct > 1:
        return f"{live.unknown / values:.0%} of the values are unknown: the levels have other names"
    return ""


def _plain(text: str) -> str:
    """Return a text without what spellings differ in.

    >>> _plain(" New-York "), _plain("new york"), _plain("3.0"), _plain("?")
    ('newyork', 'newyork', '3', '?')
    """
    stripped = text.strip().casefold()
    if re.fullmatch(r"[+-]?\d+[.,]0*", stripped):
        stripped = re.split(r"[.,]", stripped)[0]
    return re.sub(r"[\W_]+", "", stripped) or stripped


def _sentinel(column: ColumnCounts) -> str:
    """One number outside of the reference's range that many rows have, such as -999 for a missing value."""
    live, values = column.live, max(_values(column.live), 1)
    if _may_be_calendar(column):
        return ""
    quantiles = live.quantiles
    for outside, low in ((live.below, True), (live.above, False)):
        share = outside / values
        if not share >= SENTINEL_SHARE or live.distinct == 1:
            continue
        levels = [level for level in QUANTILES if (level < share if low else level > 1 - share)]
        positions = [QUANTILES.index(level) for level in levels]
        if len(positions) >= 3 and len({quantiles[position] for position in positions}) == 1:
            return f"{share:.0%} of the values are one number outside of the reference's range"
    return ""


def _constant(column: ColumnCounts) -> str:
    """One value where there were many; more than a part of a date has, which is constant in a window of a day."""
    reference, live = column.reference, column.live
    if live.distinct != 1 or _values(live) < 2 or _may_be_calendar(column) or column.type not in {"number", "text"}:
        return ""
    common = max(reference.counts, default=0) / max(_values(reference), 1)
    if common > MAX_COMMON_SHARE or common ** _values(live) > MAX_CHANCE:
        return ""
    return f"all rows have one value; the reference has {reference.distinct:,} different ones"


def _may_be_calendar(column: ColumnCounts) -> bool:
    """Return whether a column may be a month, a weekday, a year or the like."""
    reference = column.reference
    if column.type != "number":
        return reference.distinct <= MAX_CALENDAR_LEVELS
    whole = all(float(value).is_integer() for value in reference.quantiles)
    return whole and reference.distinct <= MAX_CALENDAR_VALUES
