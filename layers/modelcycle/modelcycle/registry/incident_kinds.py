"""Which signals of a window belong to one incident, and what the incident says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from modelcycle.messages import Broken, Signal

IncidentKind = Literal["broken data", "data quality", "traffic", "drift", "performance", "fairness", "operations"]

MAX_DETAILS = 10  # clauses about the subjects, in an incident
MAX_NAMED = 5  # subjects in a sentence
MAX_NAME = 200  # characters of a subject

KINDS: dict[str, IncidentKind] = {
    "unparsed": "data quality", "missing": "data quality", "absent": "data quality",
    "unknown values": "data quality", "out of range": "data quality",
    "volume": "traffic", "freshness": "traffic",
    "input drift": "drift", "joint drift": "drift", "prediction drift": "drift", "label drift": "drift",
    "performance": "performance", "estimated performance": "performance", "concept drift": "performance",
    "fairness": "fairness",
    "latency": "operations", "errors": "operations", "memory": "operations", "cost": "operations",
}  # fmt: skip
HEADLINES: dict[IncidentKind, str] = {
    "broken data": "live values are wrong ({})",
    "data quality": "the quality of live values has changed ({})",
    "traffic": "the traffic is unusual ({})",
    "drift": "live data have drifted ({})",
    "performance": "predictions have become worse ({})",
    "fairness": "groups are treated less equally than on the test rows ({})",
    "operations": "serving has changed ({})",
}
FOLLOWS_FROM_BROKEN = frozenset({"joint drift", "prediction drift", "estimated performance"})
"""Kinds of signals that wrong values of one column raise by themselves."""


class Seen(NamedTuple):
    """What a window shows of one kind of incident.

    Parameters
    ----------
    alarms : the subjects with an alarm, each with its detail
    quiet : the subjects that were judged, and have none
    unsettled : of broken data: the columns that alarm, but whose values were not found to be wrong
    """

    alarms: dict[str, str]
    quiet: set[str]
    unsettled: set[str]

    @property
    def details(self) -> list[str]:
        """The first MAX_DETAILS alarms as clauses."""
        clauses = [f"{subject}: {detail}" if detail else subject for subject, detail in self.alarms.items()]
        return clauses[:MAX_DETAILS]

    def is_quiet(self, subjects: Sequence[str], *, settles: bool) -> bool:
        """Return whether the window has judged one of these subjects, and none has an alarm.

        Parameters
        ----------
        settles : whether the window is as large as the one that opened the incident. What is wrong with values is seen
            in enough rows only, so a smaller one with another alarm of such a column does not say that they are right
        """
        unsettled = self.unsettled.intersection(subjects)
        if self.alarms or (unsettled and not settles):
            return False
        return bool(unsettled or self.quiet.intersection(subjects))


def by_kind(signals: Sequence[Signal], broken: Sequence[Broken]) -> dict[IncidentKind, Seen]:
    """Sort the signals of a window by the incident that they belong to.

    A column whose values are wrong has one incident, not three: its other alarms, and those that follow from it, are
    left to that one.

    Examples
    --------
    >>> drifted = Signal(kind="input drift", subject="age", state="alarm")
    >>> by_kind([drifted], [])["drift"].alarms
    {'age': ''}
    >>> wrong = Broken(column="age", cause="other units", detail="about 365 times as large")
    >>> by_kind([drifted], [wrong])["broken data"].alarms
    {'age': 'about 365 times as large'}
    >>> by_kind([drifted], [wrong])["drift"].alarms
    {}
    """
    found: dict[IncidentKind, Seen] = {kind: Seen({}, set(), set()) for kind in HEADLINES}
    wrong = {column.column for column in broken}
    found["broken data"].alarms.update({column.column[:MAX_NAME]: column.detail for column in broken})
    for signal in signals:
        kind, name = KINDS[signal.kind], (signal.subject or signal.kind)[:MAX_NAME]
        if signal.state in ("too few", "not watched"):
            continue
        if kind in ("data quality", "drift") and signal.subject and signal.subject not in wrong:
            of_column = found["broken data"]
            (of_column.unsettled if signal.state == "alarm" else of_column.quiet).add(name)
        if (signal.subject in wrong and kind in ("data quality", "drift")) or (
            wrong and signal.kind in FOLLOWS_FROM_BROKEN
        ):
            continue
        if signal.state == "alarm":
            found[kind].alarms.setdefault(name, signal.detail)
        else:
            found[kind].quiet.add(name)
    return found


def headline(kind: IncidentKind, subjects: Sequence[str]) -> str:
    """Return what is wrong, as a clause.

    >>> headline("drift", ["age", "hours"])
    'live data have drifted (age, hours)'
    """
    return HEADLINES[kind].format(named(subjects))


def named(subjects: Sequence[str]) -> str:
    r"""Return the first MAX_NAMED subjects on one line.

    >>> named(["a\nb", *"cdefg"])
    'a b, c, d, e, f and 1 more'
    """
    first = ", ".join(" ".join(subject.split()) for subject in subjects[:MAX_NAMED])
    return first + (f" and {len(subjects) - MAX_NAMED} more" if len(subjects) > MAX_NAMED else "")
