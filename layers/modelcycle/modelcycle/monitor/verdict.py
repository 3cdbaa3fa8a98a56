"""From the signals of a window to its verdict, with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from modelcycle.messages import Broken, Signal, Verdict
from modelcycle.spec import Monitoring

MAX_NAMED = 5  # columns in a sentence
DRIFT_KINDS = ("input drift", "missing", "unknown values")
OTHER_DRIFT_KINDS = ("joint drift", "prediction drift", "label drift")
LOSS_KINDS = ("concept drift", "estimated performance")  # and performance by the headline metric
OTHER_KINDS = (
    "unparsed", "absent", "out of range", "volume", "freshness", "fairness", "latency", "errors", "memory", "cost",
)  # fmt: skip


class Judged(NamedTuple):
    """What a window comes to.

    Parameters
    ----------
    drifted : columns that have changed with effect, in the order of their signals
    why : sentences
    """

    state: Verdict
    drifted: list[str]
    degraded: bool
    why: list[str]


def judge_window(
    signals: Sequence[Signal], broken: Sequence[Broken], rows: int, columns: int, limits: Monitoring, metric: str
) -> Judged:
    """Return the verdict on a window.

    A model is degraded if it performs worse by its headline metric (measured or estimated), or if `monitoring.share`
    of the columns that it reads have drifted. A slice on which it performs worse is told, and has an incident of its
    own. Where values are wrong rather than different (`broken`), nothing that was measured on them says
    anything about the model: the verdict is `broken`, and the model is not called degraded.

    Parameters
    ----------
    rows : of the window
    columns : that the model reads and that could be compared
    metric : the headline metric
    """
    alarms = [signal for signal in signals if signal.state == "alarm"]
    drifted = list(dict.fromkeys(signal.subject for signal in alarms if signal.kind in DRIFT_KINDS))
    losses = [signal for signal in alarms if signal.kind in LOSS_KINDS or _is_performance(signal, metric)]
    slices = [signal for signal in alarms if signal.kind == "performance" and not _is_performance(signal, metric)]
    others = [signal for signal in alarms if signal.kind in OTHER_DRIFT_KINDS]
    shown = [_sentence(signal) for signal in alarms if signal.kind in OTHER_KINDS]
    if broken:
        why = [f"{one.column}: {one.detail}" for one in broken[:MAX_NAMED]]
        return Judged("broken", drifted, degraded=False, why=[*why, *shown])
    if rows < limits.minimum_rows and not losses:
        why = [f"{rows:,} predictions; a result needs {limits.minimum_rows:,} (monitoring.minimum_rows)"]
        return Judged("no data", [], degraded=False, why=[*why, *map(_sentence, slices), *shown])
    why = [_sentence(signal) for signal in (*losses, *slices, *others)]
    many = bool(drifted) and len(drifted) >= limits.share * columns
    if drifted:
        why.append(_drifted_sentence(drifted, columns))
    why += shown
    if losses or many:
        return Judged("degraded", drifted, degraded=True, why=why)
    return Judged("drifted" if drifted or others else "ok", drifted, degraded=False, why=why)


def _is_performance(signal: Signal, metric: str) -> bool:
    return signal.kind == "performance" and signal.subject == metric


def _sentence(signal: Signal) -> str:
    subject = f" of {signal.subject}" if signal.subject else ""
    return f"{signal.kind}{subject}: {signal.detail}" if signal.detail else f"{signal.kind}{subject}"


def _drifted_sentence(drifted: Sequence[str], columns: int) -> str:
    """Return which columns have drifted.

    >>> _drifted_sentence(["age"], 11)
    '1 of 11 columns has drifted: age'
    """
    verb = "has" if len(drifted) == 1 else "have"
    rest = f" and {len(drifted) - MAX_NAMED:,} more" if len(drifted) > MAX_NAMED else ""
    return f"{len(drifted):,} of {columns:,} columns {verb} drifted: {', '.join(drifted[:MAX_NAMED])}{rest}"
