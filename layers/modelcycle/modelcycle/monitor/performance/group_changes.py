"""Changes of what a group gets beside all others, and when one is an alarm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.measured.grouped_means import holm, upper_p
from modelcycle.messages import Signal
from modelcycle.messages.monitoring import SignalState
from modelcycle.monitor.performance.gaps import Side, gaps

MAX_NAME_CHARACTERS = 80
Z = 1.959964  # half the width of a 95 % interval in standard errors
Numbers = npt.NDArray[np.float64]


class Rate(NamedTuple):
    """A mean by which groups are compared.

    Parameters
    ----------
    name : for people
    scale : by which a change is divided
    unit : of the divided change, for people
    least : divided change that is an alarm
    """

    name: str
    scale: float
    unit: str
    least: float


class GroupChange(NamedTuple):
    """How far a group's rate is from that of all other rows, now and before."""

    column: str
    group: str
    rate: Rate
    rows: int
    now: float
    before: float
    error: float
    p: float


def group_changes(column: str, groups: Sequence[str], rate: Rate, now: Side, before: Side) -> Iterator[GroupChange]:
    """Yield the change of each group that has enough rows on both sides.

    Parameters
    ----------
    groups : names of the groups by code
    now, before : rows on which the rate is defined, by the same codes
    """
    result = gaps(now, before, len(groups))
    p_values = _two_sided(result.changes, result.errors, result.degrees)
    for code in np.flatnonzero(np.isfinite(p_values)).tolist():
        yield GroupChange(
            column, groups[code], rate, int((now.codes == code).sum()), float(result.now[code]),
            float(result.before[code]), float(result.errors[code]), float(p_values[code]),
        )  # fmt: skip


def change_signals(found: Sequence[GroupChange], false_alarms: float) -> list[Signal]:
    """Return a signal for each change, the clearest first.

    Parameters
    ----------
    false_alarms : probability of any alarm without a change, over all of them (Holm 1979)
    """
    corrected = holm([entry.p for entry in found])
    pairs = sorted(zip(found, corrected, strict=True), key=lambda pair: pair[1])
    return [_signal(entry, p, false_alarms) for entry, p in pairs]


def _two_sided(changes: Numbers, errors: Numbers, degrees: Numbers) -> Numbers:
    lower, upper = upper_p(changes, errors, degrees), upper_p(-changes, errors, degrees)
    both: Numbers = np.minimum(2 * np.minimum(lower, upper), 1.0)
    return both


def _signal(entry: GroupChange, p: float, limit: float) -> Signal:
    rate = entry.rate
    growth = (abs(entry.now) - abs(entry.before)) / rate.scale if rate.scale > 0 else 0.0
    state: SignalState = "ok" if p >= limit or growth <= 0 else "alarm" if growth >= rate.least else "slight"
    reach = Z * entry.error
    return Signal(
        kind="fairness",
        subject=f"{entry.column[:MAX_NAME_CHARACTERS]} = {entry.group[:MAX_NAME_CHARACTERS]}: {rate.name}",
        state=state, value=entry.now, low=entry.now - reach, high=entry.now + reach, expected=entry.before,
        effect=growth, unit=rate.unit, p=p,
        detail=f"{rate.name} less that of the others: {entry.now:+.3g}, before {entry.before:+.3g};"
        f" {entry.rows:,} rows",
    )  # fmt: skip
