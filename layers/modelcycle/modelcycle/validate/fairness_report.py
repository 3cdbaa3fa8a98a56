"""How differently the groups of sensitive columns are treated: rates by group, and how far these are apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.measured.disparities import MAX_JUDGED_GROUPS, Disparity, Gap, disparities
from modelcycle.measured.group_rates import RATES, outcomes, row_rates
from modelcycle.measured.grouped_means import MIN_GROUP_CLUSTERS, means
from modelcycle.measured.intervals import CONFIDENCE_LEVEL, wilson
from modelcycle.measured.units import Units
from modelcycle.model.scoring import predicted_codes
from modelcycle.spec import Fairness, Task
from modelcycle.validate.gates import figure
from modelcycle.validate.mean_gaps import ComparedMeans, mean_gaps
from modelcycle.validate.sensitive_groups import MAX_INTERSECTIONS, MIN_NAMED_ROWS, Grouping

# figures and notes travel through the state machine; the report has all
MAX_COLUMNS_WITH_FIGURES = 8
MAX_FIGURE_COLUMN = 100  # characters of a column's name in the name of a figure
MAX_CLASSES = 10  # of several, the most frequent: each is judged against all others
MAX_GROUPS_IN_REPORT = 60  # of a grouping, the largest
MAX_NAMED = 3  # small groups in a sentence
MAX_NAME_CHARACTERS = 80

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Compared:
    """How far a rate of the groups of a grouping is apart.

    Parameters
    ----------
    of_class : name of the class that the rate is about, where there are more than two; else empty
    """

    grouping: Grouping
    of_class: str
    found: Disparity


@dataclass(frozen=True)
class FairnessReport:
    """What the groups show.

    Parameters
    ----------
    json : for the validation report
    compared : of classes, by grouping, class and rate
    figures : by dotted name, for policies
    notes : sentences for people about what was not judged
    means : of a regression, by grouping and measure; None for classes
    """

    json: dict[str, Any]
    compared: list[Compared]
    figures: dict[str, float]
    notes: list[str]
    means: list[ComparedMeans] | None = None


def fairness_report(
    scores: Array, target: Array, task: Task, classes: Sequence[str], groupings: Sequence[Grouping], units: Units,
    threshold: Any, settings: Fairness,
) -> FairnessReport:  # fmt: skip
    """Compare the groups.

    All intervals of one rate hold together with 95 %, over all groups, columns and classes.

    Parameters
    ----------
    scores : probabilities (n, k), or values (n, 1)
    target : codes (n,), or numbers (n,)
    classes : names in the order of the codes
    groupings : of the rows
    units : which rows are independent of each other
    threshold : probability from which the second of two classes is predicted; or one for each row (n,)
    """
    if not groupings or not len(target):
        return FairnessReport({}, [], {}, [], [] if task == "regression" else None)
    notes = list(_small(groupings, units, settings.minimum_rows)) + _left_out(groupings)
    if task == "regression":
        gaps = mean_gaps(scores[:, 0].astype(np.float64), target, groupings, units, settings.minimum_rows)
        deviation = float(np.std(target.astype(np.float64)))
        notes.insert(
            0, f"mean error is prediction less truth; one standard deviation of the target is {figure(deviation)}"
        )
        report = {
            "level": CONFIDENCE_LEVEL, "minimum_rows": settings.minimum_rows, "target_deviation": deviation,
            "notes": notes, "gaps": gaps.json,
        }  # fmt: skip
        return FairnessReport(report, [], gaps.figures, notes, gaps.compared)
    if task == "binary":
        notes.insert(0, f"selected means: predicted as {classes[1]!r} (`positive_class`)")
    predicted = predicted_codes(scores, threshold)
    codes = [1] if task == "binary" else np.argsort(-np.bincount(target), kind="stable")[:MAX_CLASSES].tolist()
    compared: list[Compared] = []
    by_grouping: dict[str, Any] = {}
    for grouping in groupings:
        found = []
        for code in codes:
            of_class = "" if task == "binary" else classes[code]
            outcome = outcomes(predicted, target, code)
            apart = disparities(
                outcome, grouping.codes, grouping.comparable, units, settings.minimum_rows, len(groupings) * len(codes)
            )
            found += [Compared(grouping, of_class, disparity) for disparity in apart]
        compared += found
        by_grouping[grouping.title] = {
            "columns": grouping.columns,
            "groups": list(_groups(grouping, predicted, scores, target, codes, classes, units)),
            "disparities": [_json(entry) for entry in found],
        }
    report = {
        "level": CONFIDENCE_LEVEL, "minimum_rows": settings.minimum_rows, "notes": notes, "groupings": by_grouping,
    }  # fmt: skip
    return FairnessReport(report, compared, _figures(compared), notes)


def _groups(
    grouping: Grouping, predicted: Array, scores: Array, target: Array, codes: list[int], classes: Sequence[str],
    units: Units,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Yield rates and calibration of each group and class, the largest groups first."""
    sizes = np.bincount(grouping.codes, minlength=len(grouping.names))
    rates = {code: row_rates(predicted, target, code) for code in codes}
    calibrated = {code: _calibration(grouping, scores[:, code], target == code, units) for code in codes}
    for group in np.argsort(-sizes, kind="stable")[:MAX_GROUPS_IN_REPORT].tolist():
        if sizes[group] < MIN_NAMED_ROWS and group in grouping.comparable:
            continue
        inside = grouping.codes == group
        for code in codes:
            entry: dict[str, Any] = {"group": grouping.names[group], "rows": int(sizes[group])}
            if len(codes) > 1:
                entry["class"] = classes[code]
            for rate, hits, counted in rates[code]:
                of_group = inside & counted
                if of_group.any():
                    low, high = wilson(hits[of_group], units.take(of_group))
                    entry[rate] = {
                        "value": float(hits[of_group].mean()), "low": low, "high": high, "rows": int(of_group.sum()),
                    }  # fmt: skip
            yield entry | {"calibration": calibrated[code][group]}


def _calibration(grouping: Grouping, probability: Array, happened: Array, units: Units) -> list[dict[str, Any]]:
    """Return for each group the mean prediction, what came true, and the interval of their difference."""
    from scipy.stats import t

    n_groups = len(grouping.names)
    said, true = probability.astype(np.float64), happened.astype(np.float64)
    codes = grouping.codes.astype(np.int64)
    rows = np.maximum(np.bincount(codes, minlength=n_groups), 1)
    excess, errors, degrees = means(said - true, codes, n_groups, units.clusters)
    reach = t.ppf((1 + CONFIDENCE_LEVEL) / 2, degrees) * errors
    said_means, true_means = (np.bincount(codes, values, minlength=n_groups) / rows for values in (said, true))
    return [
        {
            "predicted": float(said_means[group]), "observed": float(true_means[group]),
            "excess": float(excess[group]),
            "interval": None if math.isnan(reach[group]) else
            [float(excess[group] - reach[group]), float(excess[group] + reach[group])],
        }
        for group in range(n_groups)
    ]  # fmt: skip


def _json(entry: Compared) -> dict[str, Any]:
    found, names = entry.found, entry.grouping.names

    def gap(of: Gap) -> dict[str, Any]:
        low, high = of.interval
        return {
            "low_group": names[of.low], "high_group": names[of.high],
            "value": None if math.isnan(of.value) else of.value, "interval": [low, high],
        }  # fmt: skip

    about = {"class": entry.of_class} if entry.of_class else {}
    return about | {
        "rate": found.rate, "judged_groups": len(found.judged), "ratio": gap(found.ratio),
        "difference": gap(found.difference), "clearest_ratio": gap(found.clearest_ratio),
        "clearest_difference": gap(found.clearest_difference),
    }  # fmt: skip


def _figures(compared: Sequence[Compared]) -> dict[str, float]:
    """Return the worst of all groupings, and of each column alone."""
    figures: dict[str, float] = {}
    single = dict.fromkeys(entry.grouping.columns[0] for entry in compared if len(entry.grouping.columns) == 1)
    columns = [column for column in single if len(column) <= MAX_FIGURE_COLUMN]
    for rate in RATES:
        of_rate = [entry for entry in compared if entry.found.rate == rate]
        figures |= _worst(rate, [entry.found for entry in of_rate], "")
        for column in columns[:MAX_COLUMNS_WITH_FIGURES]:
            own = [entry.found for entry in of_rate if entry.grouping.columns == [column]]
            figures |= _worst(rate, own, f":{column}")
    odds = [f"fairness.{rate}" for rate in ("tpr", "fpr")]
    if all(f"{name}.difference" in figures for name in odds):
        figures["fairness.equalized_odds.difference"] = max(figures[f"{name}.difference"] for name in odds)
    if all(f"{name}.ratio" in figures for name in odds):
        figures["fairness.equalized_odds.ratio"] = min(figures[f"{name}.ratio"] for name in odds)
    return figures


def _worst(rate: str, found: Sequence[Disparity], suffix: str) -> dict[str, float]:
    if not found:
        return {}
    name = f"fairness.{rate}"
    ratios = [disparity.ratio for disparity in found if not math.isnan(disparity.ratio.value)]
    differences = [disparity.difference for disparity in found]
    figures = {
        f"{name}.difference{suffix}": max(gap.value for gap in differences),
        f"{name}.difference_low{suffix}": max(gap.interval[0] for gap in differences),
        f"{name}.difference_high{suffix}": max(gap.interval[1] for gap in differences),
    }
    if ratios:
        figures |= {
            f"{name}.ratio{suffix}": min(gap.value for gap in ratios),
            f"{name}.ratio_low{suffix}": min(gap.interval[0] for gap in ratios),
            f"{name}.ratio_high{suffix}": min(gap.interval[1] for gap in ratios),
        }
    return figures


def _small(groupings: Sequence[Grouping], units: Units, minimum: int) -> Iterator[str]:
    """Yield a sentence for each column with groups that are too small to be judged."""
    for grouping in groupings:
        sizes = np.bincount(grouping.codes, minlength=len(grouping.names))
        few = [group for group in grouping.comparable if sizes[group] < minimum]
        if not few:
            continue
        if len(grouping.columns) > 1:
            yield (
                f"{grouping.title[:MAX_NAME_CHARACTERS]}: {len(few):,} of {len(grouping.comparable):,} groups have"
                f" fewer than {minimum} test rows, and are not judged"
            )
            continue
        known = [group for group in few if sizes[group] >= MIN_NAMED_ROWS][:MAX_NAMED]
        named = [f"{grouping.names[group][:MAX_NAME_CHARACTERS]} ({sizes[group]:,})" for group in known]
        left = len(few) - len(named)
        alone = f"{left:,} groups that are" if left > 1 else "a group that is"
        more = f" and {left:,} more" if named else f"{alone} too small to be named"
        yield (
            f"{grouping.title[:MAX_NAME_CHARACTERS]}: not judged, since fewer than {minimum} test rows:"
            f" {', '.join(named)}{more if left else ''}"
        )
    if units.clusters is not None and units.count < 2 * MIN_GROUP_CLUSTERS:
        yield f"the test rows belong to {units.count:,} entities: too few to compare groups of them"


def _left_out(groupings: Sequence[Grouping]) -> list[str]:
    """Return sentences about groups that are measured but not compared."""
    notes = []
    single = sum(len(grouping.columns) == 1 for grouping in groupings)
    pairs = single * (single - 1) // 2
    if pairs > MAX_INTERSECTIONS:
        notes.append(f"of {pairs:,} pairs of sensitive columns the first {MAX_INTERSECTIONS} are measured together")
    for grouping in groupings:
        if len(grouping.columns) == 1 and len(grouping.comparable) < len(grouping.names):
            left = [name for group, name in enumerate(grouping.names) if group not in grouping.comparable]
            notes.append(f"{grouping.title[:MAX_NAME_CHARACTERS]}: {' and '.join(left)} measured, not judged")
        if len(grouping.comparable) > MAX_JUDGED_GROUPS:
            notes.append(
                f"{grouping.title[:MAX_NAME_CHARACTERS]}: the {MAX_JUDGED_GROUPS} largest of"
                f" {len(grouping.comparable):,} groups are judged"
            )
    return notes
