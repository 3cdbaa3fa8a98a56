"""What chance alone would do: intervals, and the paired comparison of two models on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modelcycle.model.scoring import chosen
from modelcycle.spec import Task
from modelcycle.validate.metrics import losses

LEVEL = 0.95
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Comparison:
    """Mean advantage of the candidate in loss per row (above zero: better), its interval, and the two-sided p value."""

    advantage: float
    interval: tuple[float, float]
    p: float

    @property
    def verdict(self) -> Literal["better", "worse", "not told apart"]:
        if self.p >= 1 - LEVEL or self.advantage == 0:
            return "not told apart"
        return "better" if self.advantage > 0 else "worse"

    @property
    def chance(self) -> str:
        return "p < 0.001" if self.p < 0.001 else f"p = {self.p:.2g}"


def compare(candidate: Array, other: Array) -> Comparison:
    """Student's paired t test on losses (n,) of two models on the same rows (scipy `ttest_rel`)."""
    from scipy.stats import ttest_rel

    advantage = other - candidate
    mean = float(advantage.mean()) if len(advantage) else 0.0
    if len(advantage) < 2 or float(np.ptp(advantage)) == 0.0:
        # no variance to hold the difference against: rows that all say the same are told apart, one row is not
        return Comparison(mean, (mean, mean), 0.0 if len(advantage) > 1 and mean != 0 else 1.0)
    result = ttest_rel(other, candidate)
    low, high = result.confidence_interval(LEVEL)
    p = float(result.pvalue)
    return Comparison(mean, (float(low), float(high)), p if math.isfinite(p) else 1.0)


def interval(scores: Array, target: Array, task: Task) -> tuple[float, float]:
    """95 % interval of the deciding metric.

    Accuracy: Wilson's interval (scipy `binomtest`). Root mean squared error: the delta method on the mean of squared
    errors, which needs no resampling; it is too narrow on some dozens of rows with heavy tails.
    """
    if not len(target):
        return 0.0, 0.0
    if task != "regression":
        from scipy.stats import binomtest

        right = int((chosen(scores) == target).sum())
        found = binomtest(right, len(target)).proportion_ci(LEVEL, method="wilson")
        return float(found.low), float(found.high)
    from scipy.stats import norm

    squared = losses(scores, target, task)
    half = float(norm.ppf((1 + LEVEL) / 2) * squared.std(ddof=1) / math.sqrt(len(squared))) if len(squared) > 1 else 0.0
    middle = float(squared.mean())
    return math.sqrt(max(middle - half, 0.0)), math.sqrt(middle + half)
