"""What could be chance: intervals of a metric, and the paired comparison of two models on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modelcycle.model.losses import row_losses
from modelcycle.model.scoring import predicted_codes
from modelcycle.spec import Task

CONFIDENCE_LEVEL = 0.95
Array = npt.NDArray[Any]
Verdict = Literal["better", "worse", "inconclusive"]


@dataclass(frozen=True)
class Comparison:
    """The candidate against another model.

    Parameters
    ----------
    advantage : mean difference of the losses per row, above zero if the candidate is better
    interval : its confidence interval
    p : two-sided p value
    """

    advantage: float
    interval: tuple[float, float]
    p: float

    @property
    def verdict(self) -> Verdict:
        """Better or worse if the difference is significant, else inconclusive."""
        if self.p >= 1 - CONFIDENCE_LEVEL or self.advantage == 0:
            return "inconclusive"
        return "better" if self.advantage > 0 else "worse"

    @property
    def p_text(self) -> str:
        """The p value for a sentence."""
        return "p < 0.001" if self.p < 0.001 else f"p = {self.p:.2g}"


def compare(candidate: Array, other: Array) -> Comparison:
    """Compare the losses (n,) of two models on the same rows by Student's paired t test (scipy `ttest_rel`).

    Examples
    --------
    >>> comparison = compare(np.array([0.1, 0.2, 0.1, 0.3]), np.array([0.4, 0.4, 0.5, 0.4]))
    >>> round(comparison.advantage, 2), comparison.verdict, comparison.p_text
    (0.25, 'better', 'p = 0.03')
    """
    from scipy.stats import ttest_rel

    differences = other - candidate
    advantage = float(differences.mean()) if len(differences) else 0.0
    if len(differences) < 2 or float(np.ptp(differences)) == 0.0:
        # without variance the t test is undefined: equal differences of several rows are significant, one row is not
        significant = len(differences) > 1 and advantage != 0
        return Comparison(advantage, (advantage, advantage), 0.0 if significant else 1.0)
    result = ttest_rel(other, candidate)
    low, high = result.confidence_interval(CONFIDENCE_LEVEL)
    p = float(result.pvalue)
    return Comparison(advantage, (float(low), float(high)), p if math.isfinite(p) else 1.0)


def headline_interval(scores: Array, target: Array, task: Task) -> tuple[float, float]:
    """Return the 95 % confidence interval of the headline metric, (0, 0) without rows.

    Accuracy: Wilson's interval (scipy `binomtest`). Root mean squared error: delta method on the mean of the squared
    errors, without resampling; it is too narrow on a few dozen rows with heavy tails.

    Parameters
    ----------
    scores : probabilities (n, k), or values (n, 1)
    target : codes (n,), or numbers (n,)

    Examples
    --------
    >>> low, high = headline_interval(np.tile([0.1, 0.9], (10, 1)), np.array([1] * 8 + [0] * 2), "binary")
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    if not len(target):
        return 0.0, 0.0
    if task != "regression":
        from scipy.stats import binomtest

        correct = int((predicted_codes(scores) == target).sum())
        interval = binomtest(correct, len(target)).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
        return float(interval.low), float(interval.high)
    from scipy.stats import norm

    squared = row_losses(scores, target, task)
    mean, half_width = float(squared.mean()), 0.0
    if len(squared) > 1:
        quantile = norm.ppf((1 + CONFIDENCE_LEVEL) / 2)
        half_width = float(quantile * squared.std(ddof=1) / math.sqrt(len(squared)))
    return math.sqrt(max(mean - half_width, 0.0)), math.sqrt(mean + half_width)
