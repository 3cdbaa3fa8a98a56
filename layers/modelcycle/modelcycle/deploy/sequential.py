"""Confidence sequences: intervals that hold at every sample size at once.

A 95 % confidence interval is right at one sample size that was chosen before. Looked at after every request, it is
wrong sooner or later. A confidence sequence may be looked at as often as one likes, and the sampling may stop at any
look: the chance that it ever misses the true value is at most `alpha`.

All observations are independent (the callers see to that, see `samples`); `alpha` covers both sides.

References
----------
Howard, Ramdas, McAuliffe, Sekhon: Time-uniform, nonparametric, nonasymptotic confidence sequences. Annals of
Statistics, 2021.
Howard, Ramdas: Sequential estimation of quantiles with applications to A/B testing and best-arm identification.
Bernoulli, 2022.
Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas: Time-uniform central limit theory and asymptotic confidence sequences.
Annals of Statistics, 2024.
Robbins: Statistical methods related to the law of the iterated logarithm. Annals of Mathematical Statistics, 1970.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

TUNED_FOR = 200  # observations at which the intervals are narrowest; they hold at any number
QUANTILE_PRIOR = 20.0  # observations that the mixture of a quantile's test weighs as much as
MIN_EMPIRICAL = 20  # observations before the bound on a distribution function holds
MAX_SUBSETS_OF_CLASSES = 12  # classes; of more, only sets of neighbours are compared
BISECTIONS = 60

Array = npt.NDArray[np.float64]


class Interval(NamedTuple):
    low: float
    high: float


def share_interval(total: float, count: int, alpha: float) -> Interval:
    """Return the confidence sequence of the mean of values between 0 and 1, by Robbins' beta-binomial mixture.

    Exact for events that happen or not. For shares in between it is conservative: a share x scales the likelihood ratio
    by q**x (1-q)**(1-x) / (p**x (1-p)**(1-x)), which is at most x q/p + (1-x)(1-q)/(1-p) (Jensen).

    Parameters
    ----------
    total : sum of the values
    count : how many

    Examples
    --------
    >>> low, high = share_interval(10, 200, 0.05)
    >>> round(low, 3), round(high, 3)
    (0.014, 0.121)
    >>> share_interval(0, 0, 0.05)
    Interval(low=0.0, high=1.0)
    """
    if not count:
        return Interval(0.0, 1.0)
    mean = total / count

    def is_refuted(share: float) -> bool:
        return _log_mixture(total, count, share, 0.5, 0.5) >= math.log(1 / alpha)

    low = 0.0 if total <= 0 else _boundary(is_refuted, 0.0, mean)
    high = 1.0 if total >= count else _boundary(is_refuted, 1.0, mean)
    return Interval(low, high)


def quantile_interval(values: Array, quantile: float, alpha: float) -> Interval:
    """Return the confidence sequence of a quantile of any distribution.

    Inverts the test of `share_interval` for the share of values up to the quantile (Howard and Ramdas 2022, with a
    beta-binomial mixture around `quantile`): no moments are assumed, so heavy tails do no harm.

    Parameters
    ----------
    values : (n,), sorted
    quantile : above 0 and below 1

    Examples
    --------
    >>> low, high = quantile_interval(np.arange(1000.0), 0.5, 0.05)
    >>> int(low), int(high)
    (449, 550)
    """
    count = len(values)
    positions = _possible_counts(count, quantile, alpha)
    low = values[positions[0] - 1] if positions[0] > 0 else -math.inf
    high = values[positions[1]] if positions[1] < count else math.inf
    return Interval(float(low), float(high))


def mean_radius(deviation: float, count: int, alpha: float) -> float:
    """Return the half width of the asymptotic confidence sequence of a mean (Waudby-Smith et al. 2024, theorem 2.2).

    Parameters
    ----------
    deviation : standard deviation of one observation
    count : of observations, some dozens at least

    Examples
    --------
    >>> round(mean_radius(1.0, 200, 0.05), 3)
    0.215
    """
    if count < 2:
        return math.inf
    tuned = -2 * math.log(alpha)
    spread = (tuned + math.log(tuned) + 1) / TUNED_FOR  # rho squared
    grown = count * spread + 1
    return deviation * math.sqrt(2 * grown / (count**2 * spread) * math.log(math.sqrt(grown) / alpha))


def class_radius(count: int, classes: int, alpha: float) -> float:
    """Return how far the observed distribution of classes may lie from the true one, in total variation.

    A bound for each set of classes, of which each is a mean of zeros and ones and so sub-Gaussian with deviation 1/2
    (Hoeffding), by the normal mixture of Howard et al. 2021. With more than MAX_SUBSETS_OF_CLASSES classes, the sets
    are those of `distribution_radius`.

    Examples
    --------
    >>> [round(class_radius(200, classes, 0.05), 3) for classes in (2, 5, 99)]
    [0.107, 0.137, 0.185]
    """
    if classes > MAX_SUBSETS_OF_CLASSES:
        return distribution_radius(count, alpha)
    sets = 2 ** (max(classes, 2) - 1) - 1  # a set and its complement are as far off
    return min(1.0, mean_radius(0.5, count, alpha / sets))


def distribution_radius(count: int, alpha: float) -> float:
    """Return how far an empirical distribution function may lie from the true one, at its farthest point.

    The Dvoretzky-Kiefer-Wolfowitz bound for all sample sizes at once: Howard and Ramdas 2022, corollary 2.

    Examples
    --------
    >>> round(distribution_radius(200, 0.05), 3)
    0.185
    """
    if count < MIN_EMPIRICAL:
        return 1.0
    grown = math.log(math.log(math.e * count / MIN_EMPIRICAL)) + 0.8 * math.log(1612 / alpha)
    return min(1.0, 0.85 * math.sqrt(grown / count))


def _log_mixture(total: float, count: int, share: float, a: float, b: float) -> float:
    """Return the logarithm of the likelihood ratio of a beta(a, b) mixture against `share`: a martingale under it."""
    if share <= 0:
        return math.inf if total > 0 else 0.0
    if share >= 1:
        return math.inf if total < count else 0.0
    mixed = _log_beta(a + total, b + count - total) - _log_beta(a, b)
    return mixed - total * math.log(share) - (count - total) * math.log1p(-share)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _boundary(is_refuted: Callable[[float], bool], refuted: float, kept: float) -> float:
    """Return, between a value that may be refuted and one that is kept, the last that is refuted."""
    for _ in range(BISECTIONS):
        middle = (refuted + kept) / 2
        if is_refuted(middle):
            refuted = middle
        else:
            kept = middle
    return refuted


def _possible_counts(count: int, quantile: float, alpha: float) -> tuple[int, int]:
    """Return the fewest and the most of `count` values that may lie up to their true quantile."""
    a, b = QUANTILE_PRIOR * quantile, QUANTILE_PRIOR * (1 - quantile)

    def is_refuted(total: int) -> bool:
        return _log_mixture(total, count, quantile, a, b) >= math.log(1 / alpha)

    expected = round(count * quantile)
    return _last_kept(is_refuted, expected, 0), _last_kept(is_refuted, expected, count)


def _last_kept(is_refuted: Callable[[int], bool], kept: int, end: int) -> int:
    """Return the value farthest from `kept` towards `end` that is not refuted."""
    if not is_refuted(end):
        return end
    refuted = end
    while abs(refuted - kept) > 1:
        middle = (refuted + kept) // 2
        if is_refuted(middle):
            refuted = middle
        else:
            kept = middle
    return kept
