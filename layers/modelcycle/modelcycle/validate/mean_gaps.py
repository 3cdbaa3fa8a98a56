"""How far apart the groups of a regression are: in the mean prediction, the mean error, and the absolute error."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.measured.grouped_means import means
from modelcycle.measured.units import Units
from modelcycle.validate.sensitive_groups import Grouping

FALSE_CLAIMS = 0.05  # probability that an interval of any two groups misses
MAX_GROUPS = 40  # of a grouping, the largest

Numbers = npt.NDArray[np.float64]


class MeanGaps(NamedTuple):
    """The gaps for the validation report, and the largest of all by dotted name."""

    json: dict[str, Any]
    figures: dict[str, float]


def mean_gaps(
    predicted: Numbers, target: npt.NDArray[Any], groupings: Sequence[Grouping], units: Units, minimum: int
) -> MeanGaps:
    """Compare the means of groups; intervals hold for all pairs of all groupings together (Bonferroni).

    Parameters
    ----------
    predicted, target : numbers (n,)
    groupings : of the rows
    units : which rows are independent of each other
    minimum : rows of a group that is compared

    Returns
    -------
    gaps : by grouping and measure: the groups with the lowest and the highest mean, the difference and its interval.
        `mean_error` is prediction minus truth: a group above zero is overestimated
    """
    errors = predicted - target
    measures = {"mean_prediction": predicted, "mean_error": errors, "mae": np.abs(errors)}
    report: dict[str, Any] = {}
    figures: dict[str, float] = {}
    for grouping in groupings:
        report[grouping.title] = {}
        for name, values in measures.items():
            gap = _gap(values, grouping, units, minimum, len(groupings))
            if gap is None:
                continue
            report[grouping.title][name] = gap
            of_column = [f":{grouping.title}"] if len(grouping.columns) == 1 else []
            for suffix in ["", *of_column]:
                for part, value in (("difference", gap["value"]), ("difference_low", gap["interval"][0]),
                                    ("difference_high", gap["interval"][1])):  # fmt: skip
                    key = f"fairness.{name}.{part}{suffix}"
                    figures[key] = max(value, figures.get(key, value))
    return MeanGaps(report, figures)


def _gap(values: Numbers, grouping: Grouping, units: Units, minimum: int, claims: int) -> dict[str, Any] | None:
    from scipy.stats import t

    codes = grouping.codes.astype(np.int64)
    sizes = np.bincount(codes, minlength=len(grouping.names))
    averages, errors, degrees = means(values, codes, len(grouping.names), units.clusters)
    judged = [group for group in grouping.comparable if sizes[group] >= minimum and np.isfinite(errors[group])]
    judged = sorted(judged, key=lambda group: -int(sizes[group]))[:MAX_GROUPS]
    if len(judged) < 2:
        return None
    n_pairs = len(judged) * (len(judged) - 1) // 2
    low, high = 0.0, 0.0
    for first, second in itertools.combinations(judged, 2):
        factor = float(t.ppf(1 - FALSE_CLAIMS / (2 * n_pairs * claims), min(degrees[first], degrees[second])))
        reach = factor * float(np.hypot(errors[first], errors[second]))
        value = abs(float(averages[first] - averages[second]))
        low, high = max(low, value - reach), max(high, value + reach)
    order = sorted(judged, key=lambda group: float(averages[group]))
    return {
        "low_group": grouping.names[order[0]], "high_group": grouping.names[order[-1]],
        "low": float(averages[order[0]]), "high": float(averages[order[-1]]),
        "value": float(averages[order[-1]] - averages[order[0]]), "interval": [low, high],
        "judged_groups": len(judged),
    }  # fmt: skip
