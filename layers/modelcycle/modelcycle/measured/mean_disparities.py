"""How far the means of groups are apart, with intervals that hold for all pairs of groups at once.

They are Student's t intervals of each pair, shared over the pairs by Bonferroni: of differences as they are, of ratios
on the log scale (delta method). The variance of two groups counts what they share: rows of one entity may be in both.
That of the highest mean of any group are t intervals of each group on the log scale, shared over the groups.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.measured.disparities import FALSE_CLAIMS, MAX_JUDGED_GROUPS, Gap
from modelcycle.measured.grouped_means import MIN_GROUP_CLUSTERS
from modelcycle.measured.units import Units

Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]


class Apart(NamedTuple):
    """Two gaps.

    Parameters
    ----------
    extreme : of the groups with the lowest and the highest mean; its interval is that of the widest gap of any pair
    clearest : of the pair whose gap is the surest, with its own interval; it need not have the extreme means
    """

    extreme: Gap
    clearest: Gap


class Highest(NamedTuple):
    """The group with the highest mean; the interval is that of the highest mean of any group."""

    group: int
    value: float
    interval: tuple[float, float]


class MeanDisparity(NamedTuple):
    """How far the mean of several groups is apart.

    Parameters
    ----------
    judged : codes of the groups that are large enough
    means : (groups,) of these
    difference : highest less lowest mean
    ratio : lowest by highest mean; None unless every mean is above zero: beyond chance, where values are below it
    highest : None if a mean is below zero
    clearest_highest : the group whose mean is the surest to be high
    """

    judged: list[int]
    means: list[float]
    difference: Apart
    ratio: Apart | None
    highest: Highest | None
    clearest_highest: Highest | None


def mean_disparity(
    values: Numbers, codes: Array, groups: list[int], units: Units, minimum: int, claims: int = 1
) -> MeanDisparity | None:
    """Return how far the means are apart; None unless two groups are large enough.

    Parameters
    ----------
    values : (n,)
    codes : group (n,) of each row
    groups : codes of the groups that may be judged
    units : which rows are independent of each other
    minimum : rows that a group needs
    claims : by how many sets of groups the 5 % are shared (Bonferroni)

    Examples
    --------
    >>> codes, values = np.repeat([0, 1], 100), np.tile([1.0, 3.0], 100) + np.repeat([0.0, 1.0], 100)
    >>> found = mean_disparity(values, codes, [0, 1], Units(200), 50)
    >>> gap = found.difference.extreme
    >>> gap.value, [round(bound, 2) for bound in gap.interval], round(found.ratio.extreme.value, 2)
    (1.0, [0.72, 1.28], 0.67)
    """
    from scipy.stats import t

    sizes = {code: int((codes == code).sum()) for code in groups}
    large = [code for code in groups if sizes[code] >= minimum and _members(codes == code, units) >= MIN_GROUP_CLUSTERS]
    judged = sorted(sorted(large, key=lambda code: (-sizes[code], code))[:MAX_JUDGED_GROUPS])
    if len(judged) < 2:
        return None
    place = np.full(max([*groups, int(codes.max(initial=0))]) + 2, -1, dtype=np.int64)  # the last one is for code -1
    place[judged] = np.arange(len(judged))
    own = place[codes]
    rows = own >= 0
    means, covariances, degrees = _means(values[rows], own[rows], len(judged), units.take(rows))

    pairs = np.array(list(itertools.combinations(range(len(judged)), 2)))
    pairs = np.where((means[pairs[:, 0]] > means[pairs[:, 1]])[:, None], pairs[:, ::-1], pairs)  # the lower mean first
    factors = t.ppf(
        1 - FALSE_CLAIMS / (2 * len(pairs) * claims), np.minimum(degrees[pairs[:, 0]], degrees[pairs[:, 1]])
    )
    differences = means[pairs[:, 1]] - means[pairs[:, 0]]
    reach = factors * _errors(covariances, pairs)
    difference = _apart(judged, means, pairs, differences, np.maximum(differences - reach, 0.0), differences + reach)

    each = t.ppf(1 - FALSE_CLAIMS / (2 * len(judged) * claims), degrees)
    errors = np.sqrt(np.diag(covariances))
    ratio = highest = clearest = None
    if (means >= 0).all():
        widths = np.divide(each * errors, means, out=np.zeros_like(means), where=means > 0)
        low, high = means * np.exp(-widths), means * np.exp(np.minimum(widths, 700))
        top, surest = int(np.argmax(means)), int(np.argmax(low))
        highest = Highest(judged[top], float(means[top]), (float(low.max()), float(high.max())))
        clearest = Highest(judged[surest], float(means[surest]), (float(low[surest]), float(high[surest])))
    never_below_zero = bool((values[rows] >= 0).all())
    if (means > 0).all() and (never_below_zero or (means - each * errors > 0).all()):
        logs = factors * _errors(covariances / np.outer(means, means), pairs)
        ratios = means[pairs[:, 0]] / means[pairs[:, 1]]
        ratio = _apart(judged, means, pairs, ratios, ratios * np.exp(-logs), np.minimum(ratios * np.exp(logs), 1.0),
                       lowest=True)  # fmt: skip
    return MeanDisparity(judged, means.tolist(), difference, ratio, highest, clearest)


def _members(rows: Array, units: Units) -> int:
    return units.take(rows).count


def _means(values: Numbers, codes: Array, n_groups: int, units: Units) -> tuple[Numbers, Numbers, Numbers]:
    """Return means (g,), their covariances (g, g) by cluster, and degrees of freedom (g,)."""
    from scipy.sparse import coo_array

    counts = np.bincount(codes, minlength=n_groups)
    means = np.bincount(codes, values, minlength=n_groups) / counts
    influences = (values - means[codes]) / counts[codes]
    if units.clusters is None:
        variances = np.bincount(codes, np.square(influences), minlength=n_groups) * counts / (counts - 1)
        return means, np.diag(variances), (counts - 1).astype(np.float64)
    sums = coo_array((influences, (units.clusters, codes)), shape=(units.count, n_groups)).tocsr()
    members = np.array([len(np.unique(units.clusters[codes == code])) for code in range(n_groups)])
    factors = np.sqrt(members / (members - 1))
    covariances = np.asarray((sums.T @ sums).todense()) * np.outer(factors, factors)
    return means, covariances, (members - 1).astype(np.float64)


def _errors(covariances: Numbers, pairs: Array) -> Numbers:
    """Return the standard error of the difference of each pair."""
    first, second = pairs[:, 0], pairs[:, 1]
    of_each = np.diag(covariances)
    errors: Numbers = np.sqrt(np.maximum(of_each[first] + of_each[second] - 2 * covariances[first, second], 0.0))
    return errors


def _apart(
    names: list[int], means: Numbers, pairs: Array, values: Numbers, low: Numbers, high: Numbers, lowest: bool = False
) -> Apart:
    """Return the widest and the surest gap.

    Parameters
    ----------
    values, low, high : of each pair
    lowest : whether the lowest value is the widest gap
    """

    def gap(pair: int, interval: tuple[float, float]) -> Gap:
        first, second = pairs[pair]
        both = float(means[first]), float(means[second])
        return Gap(names[first], names[second], both, float(values[pair]), interval)

    if lowest:
        widest, surest = int(np.argmin(values)), int(np.argmin(high))
        whole = float(low.min()), float(high.min())
    else:
        widest, surest = int(np.argmax(values)), int(np.argmax(low))
        whole = float(low.max()), float(high.max())
    return Apart(gap(widest, whole), gap(surest, (float(low[surest]), float(high[surest]))))
