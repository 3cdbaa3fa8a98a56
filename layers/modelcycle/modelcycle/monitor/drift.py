"""Whether a column's live values are distributed as in training: by effect size, and beyond what chance gives.

The population stability index (Siddiqi, Credit Risk Scorecards, 2006) is the sum of (q - p) ln(q / p) over bins, p
the training rows' share and q the live rows'. With few rows it is large by chance alone: without any drift it is
distributed as chi-square (bins - 1) times (1/n + 1/m) (Yurdakul and Naranjo, Statistical properties of the population
stability index, Journal of Risk Model Validation, 2020). A column has drifted where its index reaches the limit of
the pipeline file and the 99.9th percentile of that.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from modelcycle.messages import Drift
from modelcycle.model.columns import Values
from modelcycle.model.profile import ColumnProfile

MISSING_MORE = 0.1  # change of the share of missing values that counts by itself
Z_999 = 3.0902  # of the normal distribution


def compared(profile: ColumnProfile, values: Values, limit: float) -> Drift:
    """One row of the report.

    Parameters
    ----------
    values : live ones, n > 0; typed as the profile's column
    limit : index from which a column has drifted
    """
    counts, missing = profile.bin_counts(values)
    now = missing / max(int(counts.sum()) + missing, 1)
    before = profile.missing_share
    detail = ""
    if abs(now - before) >= MISSING_MORE:
        detail = f"missing values: {before:.0%} in training, {now:.0%} now"
    if profile.type == "datetime":
        # time goes on: later dates are no drift
        return Drift(
            column=profile.name, psi=None, missing_before=before, missing_now=now, drifted=bool(detail),
            detail=detail or "a date; only its missing values are judged",
        )  # fmt: skip
    reference = np.array([*profile.counts, profile.missing])
    live = np.array([*counts, missing])
    index = stability(reference, live)
    chance = by_chance(reference, live)
    moved = index >= limit and index >= chance
    if index >= limit and not moved and not detail:
        detail = f"too few rows to tell it from chance (which gives up to {chance:.2f})"
    return Drift(
        column=profile.name, psi=round(index, 4), missing_before=before, missing_now=now,
        drifted=moved or abs(now - before) >= MISSING_MORE, detail=detail,
    )  # fmt: skip


def stability(reference: npt.NDArray[np.int64], live: npt.NDArray[np.int64]) -> float:
    """Population stability index of two arrays of counts by the same bins; an empty bin counts as half a row.

    >>> round(stability(np.array([50, 50]), np.array([70, 30])), 3)
    0.169
    """
    p = np.maximum(reference, 0.5) / max(reference.sum(), 1)
    q = np.maximum(live, 0.5) / max(live.sum(), 1)
    used = (reference > 0) | (live > 0)
    return float(np.sum((q - p)[used] * np.log(q / p)[used]))


def by_chance(reference: npt.NDArray[np.int64], live: npt.NDArray[np.int64]) -> float:
    """What the index reaches without drift, once in a thousand times (chi-square by Wilson and Hilferty, 1931)."""
    freedom = int(((reference > 0) | (live > 0)).sum()) - 1
    if freedom < 1:
        return 0.0
    part = 2 / (9 * freedom)
    quantile = freedom * (1 - part + Z_999 * math.sqrt(part)) ** 3
    return float(quantile * (1 / max(reference.sum(), 1) + 1 / max(live.sum(), 1)))
