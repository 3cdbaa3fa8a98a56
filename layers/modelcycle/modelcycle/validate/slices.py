"""Slices of the test rows on which the candidate is worst, and those that the champion would lose by it.

A slice is a group of one column (the level of a text, a quarter of the numbers, the missing values), or the rows that
are in two such groups. All slices are searched, so p values are corrected: those of the report by Benjamini and
Hochberg (1995; a share of the reported slices may be chance), those that refuse a candidate by Holm (1979; the
probability of a single false refusal is bounded, however many slices there are and however they overlap).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.measured.grouped_means import Numbers, holm, means, means_against_rest, upper_p
from modelcycle.model.group_cutoffs import Cutoffs
from modelcycle.model.losses import row_losses
from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import DEFAULT_THRESHOLD
from modelcycle.model.slices import Slices
from modelcycle.spec import Task

MIN_LOST_ROWS = 100  # a smaller slice cannot refuse a candidate
MIN_LOST_SHARE = 0.1  # of the compared rows, likewise
FALSE_REFUSALS = (
    0.002  # probability by the test that equal models differ in one of the slices that refuse; see decision 17
)
FALSE_DISCOVERIES = 0.05  # share of the reported slices that may be chance
MAX_REPORTED = 10
MAX_SENTENCES = 3  # slices overlap: one fault shows in several
MAX_CROSSED = 3  # of the worst slices, searched for a worse part
MISSING = "(missing)"
MAX_NAME_CHARACTERS = 80  # of a column, and of a group, in a sentence
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class SlicedChampion:
    """The champion's scores (m, k) of the test rows at `positions` (m,), which neither model has learned from.

    Parameters
    ----------
    threshold : probability from which the champion predicts the positive class
    """

    version: int
    scores: Array
    positions: Array
    threshold: Cutoffs = DEFAULT_THRESHOLD


@dataclass(frozen=True)
class SliceReport:
    """What the slices show.

    Parameters
    ----------
    json : for the validation report
    lost : a sentence for each large slice on which the candidate is worse than the champion beyond chance, the clearest
        first
    """

    json: dict[str, Any]
    lost: list[str]


def slice_report(
    slices: Slices,
    scores: Array,
    target: Array,
    task: Task,
    champion: SlicedChampion | None = None,
    *,
    margin: float = 0.0,
    threshold: Cutoffs = DEFAULT_THRESHOLD,
    clusters: Array | None = None,
) -> SliceReport:
    """Search the slices.

    Parameters
    ----------
    slices : of n test rows
    scores : of the candidate, (n, k)
    target : codes (n,), or numbers (n,)
    champion : None if the two models cannot be compared
    margin : share of the champion's loss, on all rows or on the slice, by which the candidate may be worse on a slice:
        where both are nearly always right, the smallest difference is beyond chance
    threshold : probability from which the candidate predicts the positive class
    clusters : codes (n,) of the entities to which the rows belong; rows of one entity are not independent
    """
    losses = row_losses(scores, target, task)
    shown = _shown_errors(scores, target, task, threshold)
    clusters = None if clusters is None else np.unique(clusters, return_inverse=True)[1]
    worst = _worst_slices(slices, losses, shown, task, clusters)
    report: dict[str, Any] = {
        "loss": "squared error" if task == "regression" else "quadratic score",
        "rows": len(target),
        "columns": len(slices.columns),
        "columns_left_out": slices.left_out,
        "worst": worst[:MAX_REPORTED],
        "worst_pairs": _worst_pairs(slices, losses, shown, task, clusters, worst),
        "champion": None,
    }
    if champion is None or not len(champion.positions):
        return SliceReport(report, [])
    positions = champion.positions
    compared = _compare_slices(
        Slices(slices.columns, slices.groups, slices.codes[:, positions]), losses[positions],
        row_losses(champion.scores, target[positions], task),
        None if clusters is None else clusters[positions], margin,
    )  # fmt: skip
    others = _shown_errors(champion.scores, target[positions], task, champion.threshold)
    for entry in compared:
        rows = slices.codes[slices.columns.index(entry["column"]), positions] == entry.pop("code")
        entry["candidate"] = _shown(shown[positions][rows], task)
        entry["champion"] = _shown(others[rows], task)
    report["champion"] = {
        "version": champion.version,
        "rows": len(positions),
        "tested": sum(entry["p_corrected"] is not None for entry in compared),
        "margin": margin,
        "slices": compared[:MAX_REPORTED],
    }
    tested = report["champion"]["tested"]
    lost = [_sentence(entry, champion.version, task, tested) for entry in compared if entry["lost"]]
    more = len(lost) - MAX_SENTENCES
    return SliceReport(report, [*lost[:MAX_SENTENCES], *([f"and on {more} more slices"] if more > 0 else [])])


def _worst_slices(
    slices: Slices, losses: Numbers, shown: Numbers, task: Task, clusters: Array | None
) -> list[dict[str, Any]]:
    """Return the slices whose mean loss is above that of the other rows beyond chance, the largest effect first."""
    found: list[dict[str, Any]] = []
    for column, groups, codes in zip(slices.columns, slices.groups, slices.codes, strict=True):
        effects, errors, degrees = means_against_rest(losses, codes.astype(np.int64), len(groups), clusters)
        p_values = upper_p(effects, errors, degrees)
        for code in np.flatnonzero(np.isfinite(errors) & np.isfinite(p_values)):
            rows = codes == code
            found.append(
                {
                    "column": column, "group": groups[code], "rows": int(rows.sum()), "effect": float(effects[code]),
                    "p": float(p_values[code]), "code": int(code),
                }
            )  # fmt: skip
    return _significant(found, slices, losses, shown, task)


def _significant(
    found: list[dict[str, Any]], slices: Slices, losses: Numbers, shown: Numbers, task: Task
) -> list[dict[str, Any]]:
    """Return the slices that are worse beyond chance among all that were searched, with their figures."""
    from scipy.stats import false_discovery_control

    if not found:
        return []
    corrected = false_discovery_control([entry["p"] for entry in found], method="bh")
    kept = []
    for entry, p in zip(found, corrected.tolist(), strict=True):
        if p < FALSE_DISCOVERIES and entry["effect"] > 0:
            rows = slices.codes[slices.columns.index(entry["column"])] == entry["code"]
            figures = {"p_corrected": p, "loss": float(losses[rows].mean()), **_metric(shown, rows, task)}
            kept.append(entry | figures)
    return [
        {key: value for key, value in entry.items() if key != "code"}
        for entry in sorted(kept, key=lambda entry: -entry["effect"])
    ]


def _worst_pairs(
    slices: Slices, losses: Numbers, shown: Numbers, task: Task, clusters: Array | None, worst: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return parts of the worst slices, by a second column, that are worse than the rest of their slice."""
    pairs: list[dict[str, Any]] = []
    for outer in worst[:MAX_CROSSED]:
        position = slices.columns.index(outer["column"])
        within = np.flatnonzero(slices.codes[position] == slices.groups[position].index(outer["group"]))
        others = [number for number in range(len(slices.columns)) if number != position]
        inner = Slices(
            [slices.columns[number] for number in others],
            [slices.groups[number] for number in others],
            slices.codes[others][:, within],
        )
        own_clusters = None if clusters is None else clusters[within]
        first = {"column": outer["column"], "group": outer["group"]}
        pairs += [
            {"within": first, **entry}
            for entry in _worst_slices(inner, losses[within], shown[within], task, own_clusters)
        ]
    return sorted(pairs, key=lambda entry: -entry["loss"])[:MAX_REPORTED]


def _compare_slices(
    slices: Slices, candidate: Numbers, champion: Numbers, clusters: Array | None, margin: float
) -> list[dict[str, Any]]:
    """Return each slice's comparison of losses (m,), those on which the candidate is worst first."""
    advantages, overall = champion - candidate, float(champion.mean())
    entries: list[dict[str, Any]] = []
    for column, groups, codes in zip(slices.columns, slices.groups, slices.codes, strict=True):
        counts = np.bincount(codes, minlength=len(groups))
        group_means, errors, degrees = means(advantages, codes.astype(np.int64), len(groups), clusters)
        champion_means = np.bincount(codes, champion, minlength=len(groups)) / np.maximum(counts, 1)
        p_values = upper_p(-group_means, errors, degrees)
        for code in np.flatnonzero(np.isfinite(errors) & np.isfinite(p_values)):
            rows, mean = int(counts[code]), float(group_means[code])
            if rows == len(codes):
                continue  # the comparison of all rows stands elsewhere
            entries.append(
                {
                    "column": column, "group": groups[code], "code": int(code), "rows": rows, "advantage": mean,
                    "p": float(p_values[code]),
                    "large": rows >= max(MIN_LOST_ROWS, MIN_LOST_SHARE * len(codes)),
                    "beyond_margin": -mean > margin * max(overall, float(champion_means[code])),
                }
            )  # fmt: skip
    large = [entry for entry in entries if entry["large"]]
    for entry, corrected in zip(large, holm([entry["p"] for entry in large]), strict=True):
        entry["p_corrected"] = corrected
    for entry in entries:
        p_corrected = entry.setdefault("p_corrected", None)
        beyond_margin = entry.pop("beyond_margin")
        entry["lost"] = p_corrected is not None and p_corrected < FALSE_REFUSALS and beyond_margin
    return sorted(entries, key=lambda entry: (not entry["lost"], entry["p"]))


def _shown_errors(scores: Array, target: Array, task: Task, threshold: Cutoffs) -> Numbers:
    """Return what people see of each row (n,): whether the class is right, or the squared error."""
    if task == "regression":
        return row_losses(scores, target, task)
    correct: Numbers = (predicted_codes(scores, threshold) == target).astype(np.float64)
    return correct


def _shown(errors: Numbers, task: Task) -> float:
    mean = float(errors.mean())
    return mean**0.5 if task == "regression" else mean


def _metric(shown: Numbers, rows: Array, task: Task) -> dict[str, float]:
    name = "rmse" if task == "regression" else "accuracy"
    return {name: _shown(shown[rows], task), f"rest_{name}": _shown(shown[~rows], task)}


def _sentence(entry: dict[str, Any], version: int, task: Task, tested: int) -> str:
    column, group = entry["column"][:MAX_NAME_CHARACTERS], entry["group"][:MAX_NAME_CHARACTERS]
    where = f"{column} is missing" if entry["group"] == MISSING else f"{column} = {group}"
    mine, other, name = entry["candidate"], entry["champion"], "RMSE" if task == "regression" else "accuracy"
    if task != "regression" and mine >= other:
        # as often right, but less sure where it is right, or surer where it is wrong
        figures = f"its probabilities are worse by {-entry['advantage']:.3g} (quadratic score)"
    else:
        figures = f"{name} {mine:.3g} against {other:.3g}"
    p = entry["p_corrected"]
    chance = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    slices = "1 slice" if tested == 1 else f"{tested} slices"
    return f"worse than version {version} where {where}: {figures} on {entry['rows']:,} rows ({chance} over {slices})"
