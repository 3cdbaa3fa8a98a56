"""Compare a column's live values with the training data.

The population stability index (PSI; Siddiqi, Credit Risk Scorecards, 2006) is the sum of (q - p) ln(q / p) over bins,
where p is the share of the training rows and q that of the live rows. With few rows it is large by chance: without
drift it is distributed as chi-square(bins - 1) times (1/n + 1/m) (Yurdakul and Naranjo, Statistical properties of the
population stability index, Journal of Risk Model Validation, 2020). So a column has drifted if its PSI reaches both
the limit in the pipeline file and the 99.9th percentile of that distribution.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from modelcycle.messages import Drift
from modelcycle.model.columns import Values
from modelcycle.model.profile import ColumnProfile

MISSING_SHARE_LIMIT = 0.1  # a change of the share of missing values that counts as drift
Z_999 = 3.0902  # 99.9th percentile of the standard normal distribution


def compare_column(profile: ColumnProfile, values: Values, psi_limit: float) -> Drift:
    """Return how a column's live values differ from training.

    Parameters
    ----------
    profile : of the column in training
    values : live values (n,), n > 0, typed as in training
    psi_limit : PSI from which a column has drifted
    """
    counts, missing = profile.bin_counts(values)
    missing_now = missing / max(int(counts.sum()) + missing, 1)
    by_missing = compare_missing(profile, missing_now, "a date: only missing values are compared")
    if profile.type == "datetime":  # later dates are expected
        return by_missing
    detail = by_missing.detail if by_missing.drifted else ""
    training_counts = np.array([*profile.counts, profile.missing])
    live_counts = np.array([*counts, missing])
    psi = population_stability_index(training_counts, live_counts)
    chance = psi_by_chance(training_counts, live_counts)
    if psi_limit <= psi < chance and not detail:
        detail = f"too few rows: chance alone gives a PSI of up to {chance:.2f}"
    return Drift(
        column=profile.name, psi=round(psi, 4), missing_before=profile.missing_share, missing_now=missing_now,
        drifted=psi >= max(psi_limit, chance) or by_missing.drifted, detail=detail,
    )  # fmt: skip


def compare_missing(profile: ColumnProfile, missing_now: float, why_only: str) -> Drift:
    """Return how the share of a column's missing values differs from training.

    Parameters
    ----------
    why_only : why nothing else is compared, for people
    """
    before = profile.missing_share
    drifted = abs(missing_now - before) >= MISSING_SHARE_LIMIT
    return Drift(
        column=profile.name, psi=None, missing_before=before, missing_now=missing_now, drifted=drifted,
        detail=f"missing values: {before:.0%} in training, {missing_now:.0%} now" if drifted else why_only,
    )  # fmt: skip


def population_stability_index(training: npt.NDArray[np.int64], live: npt.NDArray[np.int64]) -> float:
    """Return the PSI of two arrays of counts (bins,). An empty bin counts as half a row.

    Examples
    --------
    >>> round(population_stability_index(np.array([50, 50]), np.array([70, 30])), 3)
    0.169
    """
    p = np.maximum(training, 0.5) / max(training.sum(), 1)
    q = np.maximum(live, 0.5) / max(live.sum(), 1)
    used = (training > 0) | (live > 0)
    return float(np.sum((q - p)[used] * np.log(q / p)[used]))


def psi_by_chance(training: npt.NDArray[np.int64], live: npt.NDArray[np.int64]) -> float:
    """Return the PSI that is exceeded once in a thousand times without drift.

    The chi-square quantile is approximated (Wilson and Hilferty, 1931), since the data layer has no scipy.

    Examples
    --------
    >>> round(psi_by_chance(np.array([5000, 5000]), np.array([70, 30])), 3)
    0.113
    """
    freedom = int(((training > 0) | (live > 0)).sum()) - 1
    if freedom < 1:
        return 0.0
    part = 2 / (9 * freedom)
    quantile = freedom * (1 - part + Z_999 * math.sqrt(part)) ** 3
    return float(quantile * (1 / max(training.sum(), 1) + 1 / max(live.sum(), 1)))
