"""How far apart the groups of a regression are: in the mean prediction, the mean error, and the absolute error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from modelcycle.measured.disparities import Gap
from modelcycle.measured.mean_disparities import Highest, MeanDisparity, mean_disparity
from modelcycle.measured.units import Units
from modelcycle.validate.sensitive_groups import Grouping

Measure = Literal["mean_prediction", "mean_error", "mae"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
MEASURE_NAMES: dict[Measure, str] = {
    "mean_prediction": "mean prediction", "mean_error": "mean error", "mae": "mean absolute error",
}  # fmt: skip
"""For people."""

# figures travel through the state machine; the report has all
MAX_COLUMNS_WITH_FIGURES = 8
MAX_FIGURE_COLUMN = 100  # characters of a column's name in the name of a figure
ENDS = ("", "_low", "_high")

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ComparedMeans:
    """How far a mean of the groups of a grouping is apart."""

    grouping: Grouping
    measure: Measure
    found: MeanDisparity


class MeanGaps(NamedTuple):
    """The gaps for the validation report, as they are, and the worst of all by dotted name."""

    json: dict[str, Any]
    compared: list[ComparedMeans]
    figures: dict[str, float]


def mean_gaps(
    predicted: Numbers, target: npt.NDArray[Any], groupings: Sequence[Grouping], units: Units, minimum: int
) -> MeanGaps:
    """Compare the means of groups; intervals of a measure hold for all pairs of all groupings together (Bonferroni).

    Parameters
    ----------
    predicted, target : numbers (n,)
    groupings : of the rows
    units : which rows are independent of each other
    minimum : rows of a group that is compared

    Returns
    -------
    gaps : by grouping and measure: the groups with the lowest and the highest mean, their difference and ratio with
        intervals, and of absolute errors the highest mean of any group. `mean_error` is prediction minus truth: a group
        above zero is overestimated; it has no ratio
    """
    errors = predicted - target
    values: dict[Measure, Numbers] = {"mean_prediction": predicted, "mean_error": errors, "mae": np.abs(errors)}
    compared = []
    for grouping in groupings:
        codes = grouping.codes.astype(np.int64)
        for measure in MEASURES:
            found = mean_disparity(values[measure], codes, grouping.comparable, units, minimum, len(groupings))
            if found is not None:
                if measure == "mean_error":
                    found = found._replace(ratio=None)
                if measure != "mae":
                    found = found._replace(highest=None, clearest_highest=None)
                compared.append(ComparedMeans(grouping, measure, found))
    report: dict[str, Any] = {grouping.title: {} for grouping in groupings}
    for entry in compared:
        report[entry.grouping.title][entry.measure] = _json(entry)
    return MeanGaps(report, compared, _figures(compared))


def _json(entry: ComparedMeans) -> dict[str, Any]:
    found, names = entry.found, entry.grouping.names
    gap = found.difference.extreme
    told: dict[str, Any] = {
        "low_group": names[gap.low], "high_group": names[gap.high], "low": gap.rates[0], "high": gap.rates[1],
        "value": gap.value, "interval": list(gap.interval), "judged_groups": len(found.judged),
    }  # fmt: skip
    if found.ratio is not None:
        told["ratio"] = {"value": found.ratio.extreme.value, "interval": list(found.ratio.extreme.interval)}
    if found.highest is not None:
        told["highest"] = {"value": found.highest.value, "interval": list(found.highest.interval)}
    return told


def _figures(compared: Sequence[ComparedMeans]) -> dict[str, float]:
    """Return the worst of all groupings, and of each column alone."""
    figures: dict[str, float] = {}
    single = dict.fromkeys(entry.grouping.title for entry in compared if len(entry.grouping.columns) == 1)
    columns = [column for column in single if len(column) <= MAX_FIGURE_COLUMN][:MAX_COLUMNS_WITH_FIGURES]
    for entry in compared:
        is_single = len(entry.grouping.columns) == 1
        of_column = [f":{entry.grouping.title}"] if is_single and entry.grouping.title in columns else []
        for suffix in ["", *of_column]:
            for kind, gap in _parts(entry.found):
                worse = min if kind == "ratio" else max
                for end, value in zip(ENDS, (gap.value, *gap.interval), strict=True):
                    key = f"fairness.{entry.measure}.{kind}{end}{suffix}"
                    figures[key] = worse(value, figures.get(key, value))
    return figures


def _parts(found: MeanDisparity) -> list[tuple[str, Gap | Highest]]:
    parts: list[tuple[str, Gap | Highest]] = [("difference", found.difference.extreme)]
    parts += [("ratio", found.ratio.extreme)] if found.ratio is not None else []
    parts += [("highest", found.highest)] if found.highest is not None else []
    return parts
