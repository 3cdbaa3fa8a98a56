"""Numbers that seem to be in another unit: the same distribution, times a factor or moved as degrees are."""

from __future__ import annotations

import math
from typing import NamedTuple

from modelcycle.contract.measured import LEVELS, Spread, distance, share_below
from modelcycle.contract.terms import ColumnTerms

MIN_VALUES = 50  # now and then
MIN_DISTINCT = 10  # of the quantiles; codes and counts of few values have no unit
MIN_FACTOR = 1.25
MIN_DISTANCE = 0.3  # of the distributions as they are
MAX_GROWTH = 2.0  # of numbers that are assigned one after the other, such as those of customers
MAX_UNEVEN = 0.1  # of their range, between its middle and the median
MAX_REST = 0.03  # of them after the change of unit is undone, beyond chance
MAX_ERROR = 0.12  # of a known factor
KNOWN_FACTORS = {
    0.01: "such as per cent or cents", 100.0: "such as per cent or cents", 0.001: "such as g and kg, or ms and s",
    1000.0: "such as kg and g, or s and ms", 1.609344: "such as miles and km", 0.621371: "such as km and miles",
    2.204623: "such as kg and lb", 0.453592: "such as lb and kg", 3.28084: "such as m and ft",
    0.3048: "such as ft and m", 2.54: "such as inches and cm", 0.393701: "such as cm and inches",
    60.0: "such as minutes and seconds", 1 / 60: "such as seconds and minutes", 24.0: "such as days and hours",
    1 / 24: "such as hours and days", 3600.0: "such as hours and seconds", 12.0: "such as years and months",
    1 / 12: "such as months and years", 1e-6: "such as millions", 1e6: "such as millions",
}  # fmt: skip
DEGREES = {
    "from Celsius to Fahrenheit": (32.0, 1.8), "from Fahrenheit to Celsius": (-160 / 9, 5 / 9),
    "from Celsius to kelvin": (273.15, 1.0), "from kelvin to Celsius": (-273.15, 1.0),
}  # fmt: skip


class Scale(NamedTuple):
    """How the numbers of now come from those of then: offset + factor x then."""

    offset: float
    factor: float
    name: str = ""

    def sentence(self) -> str:
        """Return it for people.

        >>> Scale(0.0, 2.2, "such as kg and lb").sentence()
        'the values look 2.2 times as large, such as kg and lb, with the same distribution otherwise: another unit?'
        """
        if self.offset:
            return f"the values look as if they had changed {self.name}, with the same distribution otherwise"
        size = f"{self.factor:.3g} times as large" if self.factor >= 1 else f"1/{1 / self.factor:.3g} as large"
        known = f", {self.name}" if self.name else ""
        return f"the values look {size}{known}, with the same distribution otherwise: another unit?"


def other_scale(then: ColumnTerms, now: Spread) -> Scale | None:
    """Return the change of unit that explains how the numbers of a column have moved, None if none does."""
    values = then.rows - then.missing
    if not then.quantiles or min(values, now.values) < MIN_VALUES:
        return None
    if min(len(set(then.quantiles)), len(set(now.quantiles))) < MIN_DISTINCT:
        return None
    if distance(then.quantiles, now.quantiles) < MIN_DISTANCE:
        return None
    allowed = MAX_REST + 1.36 * math.sqrt(1 / values + 1 / now.values)  # the test's critical value at 5 %
    if _are_assigned(then, now):
        return None
    found = [scale for scale in _candidates(then, now) if _rest(then, now, scale) <= allowed]
    return min(found, key=lambda scale: (not scale.name, _rest(then, now, scale))) if found else None


def _are_assigned(then: ColumnTerms, now: Spread) -> bool:
    """Return whether whole numbers are spread evenly from the lowest on: of rows that name one of many, which grow."""
    least, most = then.quantiles[0], then.quantiles[-1]
    if not (then.whole and now.whole) or least < 0 or now.quantiles[0] > least + MAX_UNEVEN * (most - least):
        return False
    ends = ((least, then.quantiles[len(LEVELS) // 2], most), (*now.quantiles[:: len(LEVELS) // 2],))
    evenly = all(abs(median - (low + high) / 2) <= MAX_UNEVEN * (high - low) for low, median, high in ends)
    return evenly and most < now.quantiles[-1] <= MAX_GROWTH * most


def _candidates(then: ColumnTerms, now: Spread) -> list[Scale]:
    candidates = [Scale(offset, factor, name) for name, (offset, factor) in DEGREES.items()]
    ratios = sorted(
        after / before for before, after in zip(then.quantiles, now.quantiles, strict=True) if before * after > 0
    )
    if len(ratios) < len(LEVELS) // 2:
        return candidates
    factor = ratios[len(ratios) // 2]
    if not 1 / MIN_FACTOR < factor < MIN_FACTOR:
        near = min(KNOWN_FACTORS, key=lambda known: abs(math.log(factor / known)))
        is_known = abs(math.log(factor / near)) <= MAX_ERROR
        candidates.append(Scale(0.0, factor, KNOWN_FACTORS[near] if is_known else ""))
    return candidates


def _rest(then: ColumnTerms, now: Spread, scale: Scale) -> float:
    """Return the distance of the distributions after the change is undone."""
    moved = [scale.offset + scale.factor * value for value in then.quantiles]
    return max(abs(share_below(now.quantiles, value) - share_below(moved, value)) for value in {*moved, *now.quantiles})
