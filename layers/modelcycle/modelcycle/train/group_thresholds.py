"""Thresholds by group: of all that keep the groups close together, those with the best quality on held-out rows.

A post-processing after Hardt, Price and Srebro (2016), without their randomised decisions: the same row always gets the
same answer. Demographic parity: the share that a group selects lies in a band whose ends have the wanted ratio.
Equalized odds: its true and its false positive rate lie in a box. Bands and boxes are tried on a grid, and in each of
them every group takes its best threshold; so the work grows with the number of groups, not with its combinations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.messages import GroupThreshold, GroupThresholds
from modelcycle.model.joint_groups import JointGroups
from modelcycle.spec import Decide, Fairness
from modelcycle.train.threshold import quality, threshold_accepting

MIN_GROUP_ROWS = 50  # held-out rows; smaller groups keep the common threshold
MAX_CANDIDATES = 400  # thresholds of a group that are tried
BANDS = 200  # of demographic parity
BOXES = 40  # of equalized odds, by either rate
DEFAULT_PARITY = 0.8  # aimed at if the pipeline file has no limit: the four-fifths rule

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Candidates:
    """The thresholds of one group that are tried.

    Parameters
    ----------
    accepted : rows that each accepts, of `rows` by descending score
    quality : of each; those of all groups are added up
    rate, tpr, fpr : of each
    """

    ordered: npt.NDArray[np.float32]
    accepted: npt.NDArray[np.int64]
    quality: Array
    rate: Array
    tpr: Array
    fpr: Array


def choose_group_thresholds(
    scores: Array, target: npt.NDArray[Any], groups: JointGroups, columns: list[str], common: float, decide: Decide,
    fairness: Fairness,
) -> GroupThresholds:  # fmt: skip
    """Choose a threshold for each group.

    Half of the room that a limit leaves is used: held-out rows are not the test rows.

    Parameters
    ----------
    scores : of the positive class (m,), held-out and calibrated
    target : class codes (m,), 1 for the positive class
    groups : of the held-out rows, pooled
    columns : sensitive ones, of which `groups` has the values
    common : threshold of all other rows; of those that divide the rows in the same way it is preferred
    decide : by which quality; f1 cannot be added up over groups, so accuracy stands for it

    Examples
    --------
    >>> scores = np.tile(np.linspace(0, 0.99, 100), 2) * np.repeat([0.5, 1.0], 100)
    >>> groups = JointGroups(np.repeat([0, 1], 100), [("f",), ("m",)])
    >>> chosen = choose_group_thresholds(
    ...     scores, (scores > 0.3).astype(int), groups, ["sex"], 0.5, Decide(), Fairness(demographic_parity=1.0))
    >>> [(group.values, round(group.threshold, 2)) for group in chosen.groups]
    [(['f'], 0.3), (['m'], 0.61)]
    """
    sizes = np.bincount(groups.codes, minlength=len(groups.values))
    chosen = [code for code, size in enumerate(sizes) if size >= MIN_GROUP_ROWS and groups.values[code][0] is not None]
    totals = (int((target == 1).sum()), len(target))
    candidates = [_candidates(scores[groups.codes == code], target[groups.codes == code], decide, totals)
                  for code in chosen]  # fmt: skip
    best: list[int] = []
    highest = -np.inf
    for violations in _aims(candidates, fairness):
        # a threshold outside of the aim counts less than any inside
        values = [
            of_group.quality - 10 * len(target) * (1 + np.ptp(of_group.quality)) * violation
            for of_group, violation in zip(candidates, violations, strict=True)
        ]
        picked = [int(np.argmax(value)) for value in values]
        total = sum(float(value[place]) for value, place in zip(values, picked, strict=True))
        if total > highest + 1e-9:
            highest, best = total, picked
    return GroupThresholds(
        columns=columns,
        groups=[
            GroupThreshold(
                values=list(groups.values[code]),
                threshold=threshold_accepting(of_group.ordered, int(of_group.accepted[place]), common),
            )
            for code, of_group, place in zip(chosen, candidates, best, strict=True)
        ],
    )  # fmt: skip


def _candidates(scores: Array, target: npt.NDArray[Any], decide: Decide, totals: tuple[int, int]) -> _Candidates:
    descending = np.argsort(-scores, kind="stable")
    ordered, positive = scores[descending].astype(np.float32), target[descending] == 1
    accepted = np.concatenate([np.flatnonzero(np.diff(ordered)) + 1, [len(ordered)]])
    if ordered[0] < 1:  # no threshold rejects a probability of 1
        accepted = np.concatenate([[0], accepted])
    accepted = accepted[np.unique(np.linspace(0, len(accepted) - 1, min(len(accepted), MAX_CANDIDATES)).astype(int))]
    hits = np.concatenate([[0], np.cumsum(positive)])[accepted]
    positives, rows = int(positive.sum()), len(ordered)
    additive = Decide() if decide.metric == "f1" else decide
    return _Candidates(
        ordered, accepted, quality(additive, hits, accepted, (positives, rows), totals), accepted / rows,
        hits / max(positives, 1), (accepted - hits) / max(rows - positives, 1),
    )  # fmt: skip


def _aims(candidates: list[_Candidates], fairness: Fairness) -> Iterator[list[Array]]:
    """Yield for each aim how far every candidate of every group is outside of it."""
    parity, odds = fairness.demographic_parity, fairness.equalized_odds
    if odds is not None and parity is None:
        width = odds / 2
        for low_tpr in np.linspace(0, 1 - width, BOXES):
            for low_fpr in np.linspace(0, 1 - width, BOXES):
                yield [
                    _outside(one.tpr, low_tpr, low_tpr + width) + _outside(one.fpr, low_fpr, low_fpr + width)
                    for one in candidates
                ]
        return
    limits = [limit for of_column in fairness.columns.values() if (limit := of_column.demographic_parity) is not None]
    ratio = (1 + max([limit for limit in (parity, *limits) if limit is not None], default=DEFAULT_PARITY)) / 2
    for highest in np.linspace(1 / BANDS, 1, BANDS):
        yield [_outside(one.rate, ratio * highest, highest) for one in candidates]


def _outside(values: Array, low: float, high: float) -> Array:
    distance: Array = np.maximum(np.maximum(low - values, values - high), 0.0)
    return distance
