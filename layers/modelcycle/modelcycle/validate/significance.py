"""What could be chance: the paired comparison of two models on the same rows, and whether scores rank beyond chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.measured.intervals import CONFIDENCE_LEVEL
from modelcycle.measured.ranked_pairs import auc_influences
from modelcycle.measured.units import Units
from modelcycle.spec import Task

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
    variance : of the advantage
    """

    advantage: float
    interval: tuple[float, float]
    p: float
    variance: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Better or worse if the difference is significant, else inconclusive."""
        if self.p >= 1 - CONFIDENCE_LEVEL or self.advantage == 0:
            return "inconclusive"
        return "better" if self.advantage > 0 else "worse"

    @property
    def p_text(self) -> str:
        """The p value for a sentence."""
        return p_in_words(self.p)


def p_in_words(p: float) -> str:
    """Return a p value for a sentence."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def compare(candidate: Array, other: Array, units: Units | None = None) -> Comparison:
    """Compare the losses (n,) of two models on the same rows by Student's paired t test.

    With clusters, the differences of a cluster are added first: the variance is cluster-robust, with as many degrees of
    freedom as there are clusters, less one (Cameron and Miller 2015).

    Examples
    --------
    >>> comparison = compare(np.array([0.1, 0.2, 0.1, 0.3]), np.array([0.4, 0.4, 0.5, 0.4]))
    >>> round(comparison.advantage, 2), comparison.verdict, comparison.p_text
    (0.25, 'better', 'p = 0.03')
    """
    differences = other - candidate
    units = units or Units(len(differences))
    advantage = float(differences.mean()) if len(differences) else 0.0
    if units.count < 2 or float(np.ptp(differences)) == 0.0:
        # without variance the t test is undefined: equal differences of several units are significant, one is not
        significant = units.count > 1 and advantage != 0
        return Comparison(advantage, (advantage, advantage), 0.0 if significant else 1.0)
    variance = units.variance((differences - advantage) / len(differences))
    error = math.sqrt(variance)
    width = units.quantile * error
    return Comparison(
        advantage, (advantage - width, advantage + width), _two_sided(advantage, error, units.count - 1), variance
    )


class Ranking(NamedTuple):
    """How well scores order the rows.

    Parameters
    ----------
    advantage : over chance: area under the ROC curve less 0.5, or the rank correlation; 0 if it is undefined
    p : one-sided p value of the hypothesis that the scores do not rank the target; 1 if it is undefined
    """

    advantage: float
    p: float


def ranking(scores: Array, target: Array, task: Task, units: Units) -> Ranking:
    """Return how well the scores rank the target, and whether that could be chance.

    Two classes: the area under the ROC curve against 0.5. More: the mean of each class against the rest, over the
    classes of these rows. Regression: Spearman's correlation of prediction and target against 0.

    Examples
    --------
    >>> ranking(np.arange(20.0)[:, None], np.arange(20.0), "regression", Units(20)).p < 0.001
    True
    """
    from scipy.stats import norm

    if units.count < 3 or float(np.ptp(target)) == 0.0:
        return Ranking(0.0, 1.0)
    freedom, chance = units.count - 1, 0.0
    if task == "regression":
        advantage, influences = _rank_correlation(scores[:, 0], target)
    else:
        counts = np.unique(target, return_counts=True)[1]
        of_rarest = min(units.take(target == code).count for code in np.unique(target))
        freedom = min(freedom, of_rarest - 1)  # a rare class decides how much the rows tell
        present = [1] if task == "binary" else np.unique(target).tolist()
        parts = [auc_influences(scores[:, code], (target == code).astype(int)) for code in present]
        advantage = sum(auc - 0.5 for auc, _ in parts) / len(parts)
        influences = np.sum([influence for _, influence in parts], axis=0) / len(parts)
        if task == "binary":
            # without any ranking; the measured variance is too low on a few rows
            chance = math.sqrt((len(target) + 1) / 12 / float(counts.prod()))
    if advantage > 0 and chance > 0 and units.are_rows:
        # without any ranking the variance is known, however few positive rows there are (Mann and Whitney 1947)
        return Ranking(advantage, float(norm.sf(advantage / chance)))
    if advantage <= 0 or freedom < 1:
        return Ranking(advantage, 1.0)
    error = max(units.standard_error(influences), chance)
    return Ranking(advantage, _two_sided(advantage, error, freedom) / 2)


def _rank_correlation(predicted: Array, target: Array) -> tuple[float, Array]:
    from scipy.stats import rankdata

    ranks = [rankdata(values) for values in (predicted, target)]
    if any(float(np.ptp(rank)) == 0.0 for rank in ranks):
        return 0.0, np.zeros(len(target))
    first, second = ((rank - rank.mean()) / rank.std() for rank in ranks)
    correlation = float((first * second).mean())
    return correlation, (first * second - correlation) / len(target)


def _two_sided(advantage: float, error: float, freedom: int) -> float:
    from scipy.stats import t

    if error == 0:
        return 0.0 if advantage else 1.0
    p = 2 * float(t.sf(abs(advantage) / error, freedom))
    return p if math.isfinite(p) else 1.0
