"""The limits of the section `fairness`: whether the groups are too far apart, beyond chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from modelcycle.measured.disparities import Gap
from modelcycle.measured.group_rates import RATE_NAMES
from modelcycle.spec import Fairness
from modelcycle.validate.fairness_report import Compared
from modelcycle.validate.limit_outcomes import (
    MAX_NAME_CHARACTERS,
    NEITHER,
    FairnessVerdict,
    Judged,
    unjudged,
    verdict_of,
)
from modelcycle.validate.mean_gaps import ComparedMeans
from modelcycle.validate.mean_gates import mean_gates
from modelcycle.validate.sensitive_groups import Grouping


def fairness_gates(
    settings: Fairness, compared: Sequence[Compared], groupings: Sequence[Grouping],
    means: Sequence[ComparedMeans] | None = None,
) -> FairnessVerdict:  # fmt: skip
    """Judge every limit by the interval of what was measured.

    A ratio whose interval lies below the limit as a whole refuses, one whose interval lies above it as a whole holds.
    If the limit is within the interval, the rows show neither, and `fairness.undecided` says what happens.

    Parameters
    ----------
    compared : of classes: every rate of every grouping that could be judged
    groupings : all of them
    means : of a regression: every mean of every grouping that could be judged; None: the model predicts classes
    """
    if means is not None:
        verdicts = list(mean_gates(settings, means, groupings))
    else:
        remedy = _remedy(settings, any(entry.of_class for entry in compared))
        verdicts = [
            verdict_of(name, list(judge(settings, compared, groupings)), settings, remedy)
            for name, judge in (("demographic_parity", _parity), ("equalized_odds", _odds))
        ]
    return FairnessVerdict(
        [gate for verdict in verdicts for gate in verdict.gates], [why for verdict in verdicts for why in verdict.ask]
    )


def _remedy(settings: Fairness, several_classes: bool) -> str:
    if settings.mitigate == "none":
        ways = "`fairness.mitigate: reweighing`" + ("" if several_classes else " or `thresholds`")
        return f"; {ways} narrows the gap, and says what that costs"
    further = settings.mitigate == "reweighing" and not several_classes
    other = "; `fairness.mitigate: thresholds` goes further" if further else ""
    return f", although fairness.mitigate is {settings.mitigate}{other}"


def _parity(settings: Fairness, compared: Sequence[Compared], groupings: Sequence[Grouping]) -> Iterator[Judged]:
    for grouping in groupings:
        limit = settings.limits_of(grouping.columns).demographic_parity
        if limit is None:
            continue
        own = [entry for entry in compared if entry.grouping is grouping and entry.found.rate == "selection_rate"]
        if not own and len(grouping.columns) == 1:
            yield unjudged(grouping, settings.minimum_rows, "a rate")
        for entry in own:
            ratio, clearest = entry.found.ratio, entry.found.clearest_ratio
            low, high = ratio.interval
            if high < limit:
                told = _told(entry, clearest, "ratio", f"all of it below {limit:g}, the lowest allowed")
                yield Judged("refused", told, limit - high)
            elif low < limit:
                why = f"{limit:g} is the lowest allowed, and {NEITHER}"
                yield Judged("undecided", _told(entry, _with(ratio, low, high), "ratio", why), limit - low)
            else:
                told = _told(entry, _with(ratio, low, high), "ratio", f"{limit:g} is the lowest allowed")
                yield Judged("holds", told, limit - low)


def _odds(settings: Fairness, compared: Sequence[Compared], groupings: Sequence[Grouping]) -> Iterator[Judged]:
    for grouping in groupings:
        limit = settings.limits_of(grouping.columns).equalized_odds
        if limit is None:
            continue
        own = [entry for entry in compared if entry.grouping is grouping and entry.found.rate in ("tpr", "fpr")]
        missing = {"tpr", "fpr"} - {entry.found.rate for entry in own}
        if missing and len(grouping.columns) == 1:
            yield unjudged(grouping, settings.minimum_rows, "a rate")
        for entry in own:
            gap, clearest = entry.found.difference, entry.found.clearest_difference
            low, high = gap.interval
            if low > limit:
                told = _told(entry, clearest, "difference", f"all of it above {limit:g}, the highest allowed")
                yield Judged("refused", told, low - limit)
            elif high > limit:
                why = f"{limit:g} is the highest allowed, and {NEITHER}"
                yield Judged("undecided", _told(entry, _with(gap, low, high), "difference", why), high - limit)
            else:
                told = _told(entry, _with(gap, low, high), "difference", f"{limit:g} is the highest allowed")
                yield Judged("holds", told, high - limit)


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
