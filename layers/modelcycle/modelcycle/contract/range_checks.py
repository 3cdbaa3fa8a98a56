"""Numbers and dates outside of the rule's bounds, or of what there was."""

from __future__ import annotations

from datetime import UTC, datetime

from modelcycle.cells.reading import Reading
from modelcycle.contract.batch import Batch
from modelcycle.contract.limits import (
    DECLARED,
    DEFAULT,
    MAX_BROKEN_SHARE,
    MAX_OUTSIDE_SHARE,
    MIN_BROKEN_CELLS,
    MIN_STANDARD_ERRORS,
    RANGE_MARGIN,
)
from modelcycle.contract.measured import Spread
from modelcycle.contract.shifts import MIN_ORDER, shown
from modelcycle.contract.terms import ColumnTerms, Contract
from modelcycle.contract.violations import Anomaly, Violation, with_share
from modelcycle.model.proportions import proportions_z
from modelcycle.spec import ColumnRule, Level, Rules, bound

RANGE_ANOMALIES: dict[tuple[str, bool], Anomaly] = {
    ("below", False): "FLOAT_TYPE_SMALL_FLOAT", ("above", False): "FLOAT_TYPE_BIG_FLOAT",
    ("below", True): "INT_TYPE_SMALL_INT", ("above", True): "INT_TYPE_BIG_INT",
}  # fmt: skip
MAX_CODES = 100  # distinct whole numbers that may be codes or counts; more of them may be numbers that were assigned


def check_range(batch: Batch, contract: Contract | None, rules: Rules) -> list[Violation]:
    """Return the columns with values outside of the rule's bounds, or far outside of what there was."""
    terms = contract.terms() if contract is not None else {}
    found = []
    for name, spread in batch.spreads().items():
        if batch.readings[name].type == "boolean":
            continue
        typed = batch.parsed(name)
        rule, then = rules.column(name), terms.get(name)
        declared = rule.min is not None or rule.max is not None
        low, high = bounds(rule, then)
        if batch.readings[name].type == "datetime" and not declared:
            continue  # time goes on
        outside = {"below": (low, spread.minimum < low), "above": (high, spread.maximum > high)}
        if not any(broken for _, broken in outside.values()):
            continue
        if not declared and (spread.whole or _begins_above(then, spread)) and _follows_rows(batch, typed):
            continue  # a counter, or the reading of a meter
        for side, (limit, broken) in outside.items():
            if not broken:
                continue
            condition = f"{typed} {'<' if side == 'below' else '>'} {limit!r}"
            count = batch.count(condition)
            if not count:
                continue
            default: Level = (DECLARED if declared else DEFAULT)["range"]
            if declared:
                told = f"{side} {_value(limit, batch.readings[name])}, the rule's limit"
            else:
                assert then is not None and then.minimum is not None and then.maximum is not None
                told = f"far {side} {shown(then.minimum)} to {shown(then.maximum)}, the range before"
                equal = _most_frequent(batch, typed, condition)
                if _is_misplaced(count, equal, spread, then, side):
                    default = "ask"
                    if equal == count > 1:
                        told += ", all of them the same value: does it stand for a missing one?"
            found.append(
                Violation(
                    anomaly=RANGE_ANOMALIES[side, spread.whole], check="range", column=name,
                    level=rules.level("range", name, default),
                    what=f"{name}: {with_share(count, spread.values)} {'is' if count == 1 else 'are'} {told}",
                    count=count, of=spread.values, examples=batch.examples(condition, batch.texts[name]),
                )
            )  # fmt: skip
    return found


def bounds(rule: ColumnRule, then: ColumnTerms | None) -> tuple[float, float]:
    """Return between which values a column may lie: the rule's, else what there was and a margin."""
    low, high = bound(rule.min), bound(rule.max)
    if low is not None or high is not None or then is None or then.minimum is None or then.maximum is None:
        return (float("-inf") if low is None else low), (float("inf") if high is None else high)
    margin = RANGE_MARGIN * (then.maximum - then.minimum)
    return then.minimum - margin, then.maximum + margin


def _is_misplaced(count: int, equal: int, spread: Spread, then: ColumnTerms, side: str) -> bool:
    """Return whether too many values are out of range to be an accident, or one value is there too often.

    Whole numbers grow: years, counts, numbers that were assigned.

    Parameters
    ----------
    count, equal : values out of range, and those of the most frequent one
    """
    assert then.minimum is not None and then.maximum is not None
    if spread.whole and side == "above" and spread.maximum <= then.maximum + max(then.maximum - then.minimum, 1):
        return False
    if equal >= MIN_BROKEN_CELLS and equal > MAX_BROKEN_SHARE * spread.values:
        return True
    if spread.whole and then.distinct > MAX_CODES:
        return False
    z = proportions_z(count, spread.values, 0, max(then.rows - then.missing, 1))
    return count > MAX_OUTSIDE_SHARE * spread.values and z > MIN_STANDARD_ERRORS


def _begins_above(then: ColumnTerms | None, spread: Spread) -> bool:
    """Return whether values begin above the highest one, at most as far away as those before reached."""
    if then is None or then.minimum is None or then.maximum is None:
        return False
    return 0 <= spread.minimum - then.maximum <= then.maximum - then.minimum


def _most_frequent(batch: Batch, typed: str, condition: str) -> int:
    """Return the rows of the most frequent value of those that meet a condition."""
    rows: int = batch.engine.execute(
        f"SELECT count(*) AS rows FROM {batch.source} WHERE {condition} GROUP BY {typed} ORDER BY rows DESC LIMIT 1"
    ).fetchone()[0]
    return rows


def _follows_rows(batch: Batch, typed: str) -> bool:
    order = batch.engine.execute(f"SELECT corr({typed}, row_id) FROM {batch.source}").fetchone()[0]
    return order is not None and abs(order) >= MIN_ORDER


def _value(limit: float, reading: Reading) -> str:
    if reading.type != "datetime":
        return f"{limit:g}"
    return f"{datetime.fromtimestamp(limit, UTC):%Y-%m-%d}"
