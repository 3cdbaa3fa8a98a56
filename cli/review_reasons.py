"""What speaks for a human's look at a prediction: an answer that hangs by a thread, or values unlike training's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cli.captured_prediction import Captured
from modelcycle.model.profile import ColumnProfile

SMALL_CHANGE = 0.05  # share of the training rows' spread: a number that differs so little may be an error of measuring
SAME_NUMBER = 1e-4  # largest relative difference of two answers that are the same


def is_same(recorded: Any, again: Any) -> bool:
    """Return whether two answers are the same, up to the digits of a float32.

    >>> is_same(0.30000001, 0.3), is_same("yes", "no")
    (True, False)
    """
    if isinstance(recorded, int | float) and isinstance(again, int | float):
        return abs(float(recorded) - float(again)) <= SAME_NUMBER * max(1.0, abs(float(recorded)))
    return bool(recorded == again)


def reasons_for_review(
    captured: Captured, answer: dict[str, Any], columns: dict[str, ColumnProfile], fields: Collection[str],
    state: str,
) -> list[str]:  # fmt: skip
    """Return what speaks for a human's look, as sentences.

    Parameters
    ----------
    answer : of the version, asked again
    columns : of the training rows' profile, by name
    fields : that the version reads
    state : of the version now
    """
    reasons = []
    if not captured.masked and not is_same(captured.record.get("prediction"), answer["prediction"]):
        reasons.append("the version does not give the recorded answer any more")
    if captured.record.get("failure"):
        reasons.append("another version answered than the one that the traffic was meant for")
    changes = answer["nearest"]["changes"] or {}
    if len(changes) == 1:
        ((name, change),) = changes.items()
        if _is_small(columns.get(name), change):
            reasons.append(f"a small change of {name} alters the answer")
    for name in sorted(fields):
        value, column = captured.instance.get(name), columns.get(name)
        if value is None or column is None:
            continue
        if _is_outside(value, column):
            reasons.append(f"{name} has a value outside those of the training rows")
    if state in ("rolled_back", "rejected"):
        reasons.append(f"the version was {state.replace('_', ' ')} since")
    return reasons


def _is_small(column: ColumnProfile | None, change: dict[str, Any]) -> bool:
    before, after = change["from"], change["to"]
    if column is None or column.type != "number" or column.maximum is None or column.minimum is None:
        return False
    if not isinstance(before, int | float) or not isinstance(after, int | float):
        return False
    spread = (column.percentile_99 or column.maximum) - (column.percentile_1 or column.minimum)
    return spread > 0 and abs(after - before) <= SMALL_CHANGE * spread


def _is_outside(value: Any, column: ColumnProfile) -> bool:
    if column.type == "number" and isinstance(value, int | float):
        return (column.minimum is not None and value < column.minimum) or (
            column.maximum is not None and value > column.maximum
        )
    complete = column.type == "text" and column.distinct <= len(column.levels)
    return complete and isinstance(value, str) and value not in column.levels
