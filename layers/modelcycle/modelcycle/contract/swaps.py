"""Two columns of numbers that have changed places."""

from __future__ import annotations

import math
from collections.abc import Mapping

from modelcycle.contract.measured import Spread, distance
from modelcycle.contract.scales import MAX_REST, MIN_VALUES
from modelcycle.contract.terms import ColumnTerms

MIN_MOVED = 0.25  # of the distribution of each of the two
MAX_COMPARED = 100  # columns that have moved; with more of them, it is not two that changed places


def swapped_columns(before: Mapping[str, ColumnTerms], now: Mapping[str, Spread]) -> dict[str, str]:
    """Return the columns that have each the distribution which another one had, with the name of that one."""
    moved = [
        name
        for name, spread in now.items()
        if name in before and before[name].type == "number" and _is_moved(before[name], spread)
    ]
    if len(moved) > MAX_COMPARED:
        return {}
    found: dict[str, str] = {}
    for place, name in enumerate(moved):
        for other in moved[place + 1 :]:
            if {name, other} & found.keys():
                continue
            if _is_alike(before[name], now[other]) and _is_alike(before[other], now[name]):
                found |= {name: other, other: name}
    return found


def _is_moved(then: ColumnTerms, now: Spread) -> bool:
    if not then.quantiles or min(then.rows - then.missing, now.values) < MIN_VALUES:
        return False
    return distance(then.quantiles, now.quantiles) > MIN_MOVED


def _is_alike(then: ColumnTerms, now: Spread) -> bool:
    """Return whether a distribution is another one but for chance."""
    allowed = MAX_REST + 1.36 * math.sqrt(1 / (then.rows - then.missing) + 1 / now.values)
    return distance(then.quantiles, now.quantiles) <= allowed
