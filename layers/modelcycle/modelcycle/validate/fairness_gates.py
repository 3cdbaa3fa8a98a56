"""The limits of the section `fairness`: whether the groups are too far apart, beyond chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from modelcycle.measured.disparities import Gap
from modelcycle.measured.group_rates import RATE_NAMES
from modelcycle.spec import Fairness
from modelcycle.validate.fairness_report import Compared
from modelcycle.validate.gates import Gate
from modelcycle.validate.sensitive_groups import Grouping

MAX_SENTENCES = 3  # of the refusals, the clearest first
MAX_NAME_CHARACTERS = 80
Outcome = Literal["holds", "refused", "undecided"]


class FairnessVerdict(NamedTuple):
    """The gates, and why a person has to decide, as sentences."""

    gates: list[Gate]
    ask: list[str]


class _Judged(NamedTuple):
    outcome: Outcome
    sentence: str
    excess: float  # how far the sure end of the interval is beyond the limit


def fairness_gates(settings: Fairness, compared: Sequence[Compared], groupings: Sequence[Grouping]) -> FairnessVerdict:
    """Judge every limit by the interval of what was measured.

    A ratio whose interval lies below the limit as a whole refuses, one whose interval lies above it as a whole holds.
    If the limit is within the interval, the rows show neither, and `fairness.undecided` says what happens.

    Parameters
    ----------
    compared : every rate of every grouping that could be judged
    groupings : all of them
    """
    gates: list[Gate] = []
    ask: list[str] = []
    remedy = _remedy(settings, any(entry.of_class for entry in compared))
    for name, judged in (("demographic_parity", list(_parity(settings, compared, groupings))),
                         ("equalized_odds", list(_odds(settings, compared, groupings)))):  # fmt: skip
        gate = f"fairness.{name}"
        refused = sorted((entry for entry in judged if entry.outcome == "refused"), key=lambda entry: -entry.excess)
        undecided = sorted((entry for entry in judged if entry.outcome == "undecided"), key=lambda entry: -entry.excess)
        gates += [Gate(gate, False, entry.sentence + remedy) for entry in refused[:MAX_SENTENCES]]
        if len(refused) > MAX_SENTENCES:
            gates.append(Gate(gate, False, f"{gate}: and {len(refused) - MAX_SENTENCES:,} more such groups"))
        if undecided:
            more = f"; and {len(undecided) - 1:,} more such groups" if len(undecided) > 1 else ""
            sentence = f"{undecided[0].sentence}{more}"
            gates.append(Gate(gate, settings.undecided != "refuse", sentence))
            ask += [sentence] if settings.undecided == "ask" else []
        if judged and not refused and not undecided:
            nearest = max(judged, key=lambda entry: entry.excess)
            gates.append(Gate(gate, True, nearest.sentence))
    return FairnessVerdict(gates, ask)


def _remedy(settings: Fairness, several_classes: bool) -> str:
    if settings.mitigate == "none":
        ways = "`fairness.mitigate: reweighing`" + ("" if several_classes else " or `thresholds`")
        return f"; {ways} narrows the gap, and says what that costs"
    further = settings.mitigate == "reweighing" and not several_classes
    other = "; `fairness.mitigate: thresholds` goes further" if further else ""
    return f", although fairness.mitigate is {settings.mitigate}{other}"


def _parity(settings: Fairness, compared: Sequence[Compared], groupings: Sequence[Grouping]) -> Iterator[_Judged]:
    for grouping in groupings:
        limit = settings.limits_of(grouping.columns).demographic_parity
        if limit is None:
            continue
        own = [entry for entry in compared if entry.grouping is grouping and entry.found.rate == "selection_rate"]
        if not own and len(grouping.columns) == 1:
            yield _unjudged(grouping, settings.minimum_rows)
        for entry in own:
            ratio, clearest = entry.found.ratio, entry.found.clearest_ratio
            low, high = ratio.interval
            if high < limit:
                told = _told(entry, clearest, "ratio", f"all of it below {limit:g}, the lowest allowed")
                yield _Judged("refused", told, limit - high)
            elif low < limit:
                why = f"{limit:g} is the lowest allowed, and these rows show neither that it is kept nor that it is not"
                yield _Judged("undecided", _told(entry, _with(ratio, low, high), "ratio", why), limit - low)
            else:
                told = _told(entry, _with(ratio, low, high), "ratio", f"{limit:g} is the lowest allowed")
                yield _Judged("holds", told, limit - low)


def _odds(settings: Fairness, compared: Sequence[Compared], groupings: Sequence[Grouping]) -> Iterator[_Judged]:
    for grouping in groupings:
        limit = settings.limits_of(grouping.columns).equalized_odds
        if limit is None:
            continue
        own = [entry for entry in compared if entry.grouping is grouping and entry.found.rate in ("tpr", "fpr")]
        missing = {"tpr", "fpr"} - {entry.found.rate for entry in own}
        if missing and len(grouping.columns) == 1:
            yield _unjudged(grouping, settings.minimum_rows)
        for entry in own:
            gap, clearest = entry.found.difference, entry.found.clearest_difference
            low, high = gap.interval
            if low > limit:
                told = _told(entry, clearest, "difference", f"all of it above {limit:g}, the highest allowed")
                yield _Judged("refused", told, low - limit)
            elif high > limit:
                why = (
                    f"{limit:g} is the highest allowed, and these rows show neither that it is kept nor that it is not"
                )
                yield _Judged("undecided", _told(entry, _with(gap, low, high), "difference", why), high - limit)
            else:
                told = _told(entry, _with(gap, low, high), "difference", f"{limit:g} is the highest allowed")
                yield _Judged("holds", told, high - limit)


def _unjudged(grouping: Grouping, minimum: int) -> _Judged:
    title = grouping.title[:MAX_NAME_CHARACTERS]
    return _Judged("undecided", f"{title}: no two groups have the {minimum} test rows that a rate is judged by", 0.0)


def _with(gap: Gap, low: float, high: float) -> Gap:
    return gap._replace(interval=(low, high))


def _told(entry: Compared, gap: Gap, kind: str, why: str) -> str:
    """Return the sentence of two groups and how far they are apart."""
    grouping, rate = entry.grouping, RATE_NAMES[entry.found.rate]
    lower, higher = (grouping.names[code][:MAX_NAME_CHARACTERS] for code in (gap.low, gap.high))
    of_class = f" of {entry.of_class[:MAX_NAME_CHARACTERS]}" if entry.of_class else ""
    low, high = gap.interval
    value = "undefined" if math.isnan(gap.value) else f"{gap.value:.3g}"
    return (
        f"{grouping.title[:MAX_NAME_CHARACTERS]}: {rate}{of_class} {gap.rates[0]:.3g} of {lower}, {gap.rates[1]:.3g} of"
        f" {higher}: {kind} {value} ({low:.3g} to {high:.3g}): {why}"
    )
