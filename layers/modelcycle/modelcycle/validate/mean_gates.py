"""The limits of the section `fairness` on numbers: whether the means of groups are too far apart, beyond chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from modelcycle.measured.disparities import Gap
from modelcycle.measured.mean_disparities import Apart, Highest
from modelcycle.spec import Fairness
from modelcycle.validate.gates import figure
from modelcycle.validate.limit_outcomes import (
    MAX_NAME_CHARACTERS,
    NEITHER,
    FairnessVerdict,
    Judged,
    unjudged,
    verdict_of,
)
from modelcycle.validate.mean_gaps import MEASURE_NAMES, ComparedMeans, Measure
from modelcycle.validate.sensitive_groups import Grouping

NO_MITIGATION = "; there is no mitigation for numbers: "
REMEDIES: dict[Measure, str] = {
    "mean_prediction": "leave out the proxies that `engineer features` names",
    "mean_error": "add columns that explain the difference, or set `features.use_sensitive` where the law allows it",
    "mae": "add rows of the group with the larger errors, or columns that explain them",
}
Kind = Literal["difference", "ratio"]


class _Limit(NamedTuple):
    name: str
    measure: Measure
    kind: Kind


LIMITS = (
    _Limit("mean_prediction_difference", "mean_prediction", "difference"),
    _Limit("mean_prediction_ratio", "mean_prediction", "ratio"),
    _Limit("mean_error_difference", "mean_error", "difference"),
    _Limit("mae_ratio", "mae", "ratio"),
)


def mean_gates(
    settings: Fairness, compared: Sequence[ComparedMeans], groupings: Sequence[Grouping]
) -> Iterator[FairnessVerdict]:
    """Yield the gates of each limit on numbers, by the intervals of what was measured (see `fairness_gates`)."""
    for limit in LIMITS:
        judged = list(_of_pairs(limit, settings, compared, groupings))
        yield verdict_of(limit.name, judged, settings, NO_MITIGATION + REMEDIES[limit.measure])
    judged = list(_of_groups(settings, compared, groupings))
    yield verdict_of("group_mae", judged, settings, NO_MITIGATION + REMEDIES["mae"])


def _of_pairs(
    limit: _Limit, settings: Fairness, compared: Sequence[ComparedMeans], groupings: Sequence[Grouping]
) -> Iterator[Judged]:
    for grouping, allowed, own in _limited(limit.name, limit.measure, settings, compared, groupings):
        if own is None:
            yield unjudged(grouping, settings.minimum_rows, "a mean")
            continue
        apart = own.found.difference if limit.kind == "difference" else own.found.ratio
        if apart is None:
            instead = "; write mean_prediction_difference instead" if limit.measure == "mean_prediction" else ""
            why = (
                f"the {MEASURE_NAMES[limit.measure]} has no ratio, since not that of every group is above zero beyond"
                f" chance{instead}"
            )
            yield Judged("undecided", f"{grouping.title[:MAX_NAME_CHARACTERS]}: {why}", 0.0)
            continue
        yield _judged(own, apart, limit.kind, allowed)


def _judged(own: ComparedMeans, apart: Apart, kind: Kind, allowed: float) -> Judged:
    low, high = apart.extreme.interval
    limit = figure(allowed)
    if kind == "difference":
        sure, unsure, side, which = low - allowed, high - allowed, "above", "highest"
    else:
        sure, unsure, side, which = allowed - high, allowed - low, "below", "lowest"
    if sure > 0:
        told = _told(own, apart.clearest, kind, f"all of it {side} {limit}, the {which} allowed")
        return Judged("refused", told, sure)
    if unsure > 0:
        told = _told(own, apart.extreme, kind, f"{limit} is the {which} allowed, and {NEITHER}")
        return Judged("undecided", told, unsure)
    return Judged("holds", _told(own, apart.extreme, kind, f"{limit} is the {which} allowed"), unsure)


def _of_groups(
    settings: Fairness, compared: Sequence[ComparedMeans], groupings: Sequence[Grouping]
) -> Iterator[Judged]:
    for grouping, allowed, own in _limited("group_mae", "mae", settings, compared, groupings):
        if own is None or own.found.highest is None or own.found.clearest_highest is None:
            yield unjudged(grouping, settings.minimum_rows, "a mean")
            continue
        highest, limit = own.found.highest, figure(allowed)
        low, high = highest.interval
        if low > allowed:
            why = f"all of it above {limit}, the highest allowed"
            yield Judged("refused", _told_group(own, own.found.clearest_highest, why), low - allowed)
        elif high > allowed:
            why = f"{limit} is the highest allowed, and {NEITHER}"
            yield Judged("undecided", _told_group(own, highest, why), high - allowed)
        else:
            yield Judged("holds", _told_group(own, highest, f"{limit} is the highest allowed"), high - allowed)


def _limited(
    name: str, measure: Measure, settings: Fairness, compared: Sequence[ComparedMeans], groupings: Sequence[Grouping]
) -> Iterator[tuple[Grouping, float, ComparedMeans | None]]:
    """Yield each grouping that a limit holds for, with the limit and what was measured.

    Pairs of columns of which nothing could be measured are left out: most of their groups are small.
    """
    for grouping in groupings:
        allowed = settings.limits_of(grouping.columns).limits.get(name)
        own = next((entry for entry in compared if entry.grouping is grouping and entry.measure == measure), None)
        if allowed is not None and (own is not None or len(grouping.columns) == 1):
            yield grouping, allowed, own


def _told(own: ComparedMeans, gap: Gap, kind: Kind, why: str) -> str:
    """Return the sentence of two groups and how far they are apart."""
    lower, higher = (own.grouping.names[code][:MAX_NAME_CHARACTERS] for code in (gap.low, gap.high))
    low, high = gap.interval
    return (
        f"{own.grouping.title[:MAX_NAME_CHARACTERS]}: {MEASURE_NAMES[own.measure]} {figure(gap.rates[0])} of"
        f" {lower}, {figure(gap.rates[1])} of {higher}: {kind} {figure(gap.value)} ({figure(low)} to"
        f" {figure(high)}): {why}"
    )


def _told_group(own: ComparedMeans, of: Highest, why: str) -> str:
    low, high = of.interval
    return (
        f"{own.grouping.title[:MAX_NAME_CHARACTERS]}: {MEASURE_NAMES[own.measure]} {figure(of.value)} of"
        f" {own.grouping.names[of.group][:MAX_NAME_CHARACTERS]} ({figure(low)} to {figure(high)}): {why}"
    )
