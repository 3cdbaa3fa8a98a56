"""How far the rates of groups are apart, with intervals that hold for all pairs of groups at once.

The ratio of the lowest to the highest rate falls as there are more groups, by chance alone: of ten equal groups of 60
rows it is about 0.4. A bootstrap of that ratio repeats the bias: it resamples groups that chance has already set apart.
So the bootstrap is of each pair, and one factor makes the intervals of all pairs hold together (max-t; Romano and Wolf
2005). The lowest ratio of any pair is then at most the lowest of the upper bounds, and at least the lowest of the lower
bounds. Rows that belong together are drawn together.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.measured.group_rates import OUTCOMES, RATES, Rate, counts
from modelcycle.measured.grouped_means import MIN_GROUP_CLUSTERS
from modelcycle.measured.units import Units

DRAWS = 2_000
SEED = 20_211  # equal rows give equal intervals
MAX_JUDGED_GROUPS = 40  # of a column, the largest: 780 pairs
MAX_BLOCKS = 1_000  # of clusters that are drawn together, so that memory and time do not grow with the rows
DRAWS_AT_ONCE = 250
PAIRS_AT_ONCE = 400
PRIOR = 0.5  # rows added to each outcome of a group that is drawn from: no rate is known to be exactly 0 or 1
FALSE_CLAIMS = 0.05  # probability that an interval of any pair of groups misses

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]


class Gap(NamedTuple):
    """Two groups and how far a rate of them is apart; `low` is the group with the lower rate, `rates` are of both."""

    low: int
    high: int
    rates: tuple[float, float]
    value: float
    interval: tuple[float, float]


class Disparity(NamedTuple):
    """How far a rate of several groups is apart.

    Parameters
    ----------
    judged : codes of the groups that are large enough
    ratio : lowest by highest rate, with an interval; NaN where every rate is 0
    difference : highest less lowest rate, with an interval
    clearest_ratio, clearest_difference : the pairs whose gap is the surest; they need not have the extreme rates
    """

    rate: Rate
    judged: list[int]
    ratio: Gap
    difference: Gap
    clearest_ratio: Gap
    clearest_difference: Gap


def group_cells(outcome: Array, codes: Array, n_groups: int) -> npt.NDArray[np.int64]:
    """Return the rows of each group by outcome, (groups, OUTCOMES).

    Parameters
    ----------
    outcome : of each row (n,), see `group_rates.outcomes`
    codes : group (n,) of each row, -1 for none
    """
    known = codes >= 0
    cells = np.bincount(codes[known].astype(np.int64) * OUTCOMES + outcome[known], minlength=n_groups * OUTCOMES)
    return cells.reshape(n_groups, OUTCOMES).astype(np.int64)


def disparities(
    outcome: Array, codes: Array, groups: list[int], units: Units, minimum: int, claims: int = 1
) -> list[Disparity]:
    """Return how far each rate is apart, as far as two groups are large enough.

    Parameters
    ----------
    outcome : of each row (n,)
    codes : group (n,) of each row
    groups : codes of the groups that may be judged
    units : which rows are independent of each other
    minimum : rows that a group needs for a rate, of those that the rate is a share of
    claims : by how many sets of groups the 5 % are shared (Bonferroni)

    Examples
    --------
    >>> codes, outcome = np.repeat([0, 1], 500), np.tile([0, 0, 0, 1], 250)
    >>> (gap,) = [found for found in disparities(outcome, codes, [0, 1], Units(1000), 50) if found.rate == "fpr"]
    >>> gap.ratio.value, [round(bound, 2) for bound in gap.ratio.interval]
    (1.0, [0.81, 1.0])
    """
    largest = sorted(groups, key=lambda code: (-int((codes == code).sum()), code))[:MAX_JUDGED_GROUPS]
    chosen = sorted(largest)
    place = np.full(max([*groups, int(codes.max(initial=0))]) + 2, -1, dtype=np.int64)  # the last one is for code -1
    place[chosen] = np.arange(len(chosen))
    own = place[codes]
    rows = own >= 0
    cells = group_cells(outcome, own, len(chosen))
    members = np.array([units.take(own == number).count for number in range(len(chosen))])
    found = []
    drawn: Numbers | None = None
    for rate in RATES:
        hits, counted = counts(cells, rate)
        judged = np.flatnonzero((counted >= minimum) & (members >= MIN_GROUP_CLUSTERS))
        if len(judged) < 2:
            continue
        if drawn is None:
            drawn = _draw(cells, outcome[rows], own[rows], units.take(rows))
        names = [chosen[number] for number in judged]
        found.append(_disparity(rate, names, hits[judged], counted[judged], counts(drawn[:, judged], rate), claims))
    return found


def _draw(cells: Array, outcome: Array, codes: Array, units: Units) -> Numbers:
    """Return the cells (DRAWS, groups, OUTCOMES) of as many samples."""
    random = np.random.default_rng(SEED)
    if units.are_rows:
        drawn = np.empty((DRAWS, *cells.shape))
        for number, group in enumerate(cells):
            shares = (group + PRIOR) / (group.sum() + OUTCOMES * PRIOR)
            drawn[:, number] = random.multinomial(int(group.sum()), shares, size=DRAWS)
        return drawn
    assert units.clusters is not None
    # clusters are independent of each other, so their sums over random blocks are too
    n_blocks = min(units.count, MAX_BLOCKS)
    block = random.permutation(units.count) % n_blocks
    place = codes * OUTCOMES + outcome
    blocks = np.zeros((n_blocks, cells.size), dtype=np.float64)
    np.add.at(blocks, (block[units.clusters], place), 1.0)
    drawn = np.empty((DRAWS, cells.size))
    for start in range(0, DRAWS, DRAWS_AT_ONCE):
        several = slice(start, min(start + DRAWS_AT_ONCE, DRAWS))
        weights = random.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=several.stop - several.start)
        drawn[several] = weights @ blocks
    drawn += random.poisson(PRIOR, size=drawn.shape)
    return drawn.reshape(DRAWS, *cells.shape)


def _disparity(
    rate: Rate, names: list[int], hits: Array, counted: Array, drawn: tuple[Array, Array], claims: int
) -> Disparity:
    """Return the disparity of judged groups.

    Parameters
    ----------
    hits, counted : of each group (groups,)
    drawn : the same of each sample (DRAWS, groups)
    """
    rates = hits / counted
    pairs = np.array(list(itertools.combinations(range(len(names)), 2)))
    # the lower rate first
    pairs = np.where((rates[pairs[:, 0]] > rates[pairs[:, 1]])[:, None], pairs[:, ::-1], pairs)
    logs = np.log((hits + PRIOR) / (counted + PRIOR))  # Walter 1975
    drawn_logs = np.log((drawn[0] + PRIOR) / (drawn[1] + PRIOR))
    widths = _widths(drawn_logs, pairs, claims)
    middle = logs[pairs[:, 0]] - logs[pairs[:, 1]]
    with np.errstate(invalid="ignore"):
        ratios = rates[pairs[:, 0]] / rates[pairs[:, 1]]
    low, high = np.exp(middle - widths), np.exp(middle + widths)
    low, high = np.fmin(low, ratios), np.fmin(np.fmax(high, ratios), 1.0)
    differences = rates[pairs[:, 1]] - rates[pairs[:, 0]]
    reach = _widths((drawn[0] + PRIOR) / (drawn[1] + 2 * PRIOR), pairs, claims)
    least, most = np.maximum(differences - reach, 0.0), np.minimum(differences + reach, 1.0)

    def gap(pair: int, values: Numbers, interval: tuple[float, float]) -> Gap:
        first, second = pairs[pair]
        return Gap(
            names[first], names[second], (float(rates[first]), float(rates[second])), float(values[pair]), interval
        )

    extreme = _position(pairs, (int(np.argmin(rates)), int(np.argmax(rates))))
    lowest, widest = int(np.argmin(high)), int(np.argmax(least))
    return Disparity(
        rate, names,
        ratio=gap(extreme, ratios, (float(low.min()), float(high.min()))),
        difference=gap(extreme, differences, (float(least.max()), float(most.max()))),
        clearest_ratio=gap(lowest, ratios, (float(low[lowest]), float(high[lowest]))),
        clearest_difference=gap(widest, differences, (float(least[widest]), float(most[widest]))),
    )  # fmt: skip


def _position(pairs: Array, of: tuple[int, int]) -> int:
    """Return the position of a pair; where all rates are equal, the first one."""
    return int(np.argmax((np.sort(pairs, axis=1) == sorted(of)).all(axis=1)))


def _widths(drawn: Numbers, pairs: Array, claims: int) -> Numbers:
    """Return half the width of each pair's interval (pairs,): its standard error by one factor for all of them."""
    errors, highest = np.empty(len(pairs)), np.zeros(len(drawn))
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        several = pairs[start : start + PAIRS_AT_ONCE]
        gaps = drawn[:, several[:, 0]] - drawn[:, several[:, 1]]
        gaps -= gaps.mean(axis=0)
        own = gaps.std(axis=0)
        errors[start : start + PAIRS_AT_ONCE] = own
        highest = np.maximum(highest, (np.abs(gaps) / np.maximum(own, np.finfo(np.float64).tiny)).max(axis=1))
    level = FALSE_CLAIMS / claims
    factor = float(np.quantile(highest, 1 - level))
    if level * len(drawn) < 1:  # more seldom than any draw shows: at least the normal tail, shared by Bonferroni
        from scipy.stats import norm

        factor = max(factor, float(norm.isf(level / (2 * len(pairs)))))
    return errors * factor
