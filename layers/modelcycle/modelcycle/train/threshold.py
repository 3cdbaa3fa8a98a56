"""The threshold: from which probability the positive class is predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import BadPipeline
from modelcycle.model.signature import DEFAULT_THRESHOLD
from modelcycle.spec import Decide, Task

MAX_DIGITS = 9  # tell any two float32 apart

Array = npt.NDArray[np.float64]


def check_decide(decide: Decide, task: Task, where: str) -> None:
    """Raise BadPipeline if a threshold is asked for that the task does not have.

    Parameters
    ----------
    where : the pipeline file
    """
    if task != "binary" and (decide.metric is not None or decide.costs is not None):
        raise BadPipeline(
            f"training.decide chooses a threshold, which only a binary task has; the target makes this a {task} task",
            f"{where}: training.decide", "remove training.decide",
        )  # fmt: skip


def choose_threshold(decide: Decide, scores: npt.NDArray[Any], target: npt.NDArray[Any]) -> float | None:
    """Return the threshold that is best by the pipeline file's metric or costs, or None if it names neither.

    Every threshold that divides the scores is tried. Of equally good ones the nearest to the usual one is taken: 0.5,
    or with costs that of a calibrated model, false_positive / (false_positive + false_negative).

    Parameters
    ----------
    scores : of the positive class (m,), held-out and calibrated
    target : class codes (m,), 1 for the positive class

    Examples
    --------
    >>> choose_threshold(Decide(metric="f1"), np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 1, 0, 1]))
    0.15
    >>> choose_threshold(Decide(), np.array([0.1, 0.2]), np.array([0, 1]))
    """
    if decide.metric is None and decide.costs is None:
        return None
    costs = decide.costs
    usual = costs.false_positive / (costs.false_positive + costs.false_negative) if costs else DEFAULT_THRESHOLD
    descending = np.argsort(-scores, kind="stable")
    ordered, positive = scores[descending].astype(np.float32), target[descending] == 1
    # the number of rows that each threshold accepts: none, or up to the last of equal scores
    accepted = np.concatenate([np.flatnonzero(np.diff(ordered)) + 1, [len(ordered)]])
    if ordered[0] < 1:  # no threshold rejects a probability of 1
        accepted = np.concatenate([[0], accepted])
    true_positive = np.concatenate([[0], np.cumsum(positive)])[accepted]
    of_all = int(positive.sum()), len(ordered)
    qualities = quality(decide, true_positive, accepted, of_all, of_all)
    # rounding must not decide between equally good thresholds
    best = np.flatnonzero(qualities >= qualities.max() - 1e-12)
    thresholds = [threshold_accepting(ordered, int(accepted[position]), usual) for position in best]
    return min(thresholds, key=lambda threshold: abs(threshold - usual))


def quality(
    decide: Decide, true_positive: Array, accepted: Array, of_rows: tuple[int, int], of_all: tuple[int, int]
) -> Array:
    """Return the metric, or the cost below zero, of each threshold. Except for f1, those of parts of the rows add up.

    Parameters
    ----------
    true_positive, accepted : by threshold, the positive rows and all rows that it accepts
    of_rows : positive rows and all rows among those that the thresholds divide
    of_all : the same of all rows; differs from `of_rows` where these are a part
    """
    (positives, rows), (all_positives, all_rows) = of_rows, of_all
    false_positive = accepted - true_positive
    false_negative, negatives = positives - true_positive, rows - positives
    if decide.costs is not None:
        cost: Array = decide.costs.false_positive * false_positive + decide.costs.false_negative * false_negative
        return -cost / max(all_rows, 1)
    if decide.metric == "f1":
        f1: Array = 2 * true_positive / np.maximum(accepted + positives, 1)
        return f1
    true_negative = negatives - false_positive
    if decide.metric == "balanced_accuracy":
        balanced: Array = (true_positive / max(all_positives, 1) + true_negative / max(all_rows - all_positives, 1)) / 2
        return balanced
    accuracy: Array = (true_positive + true_negative) / max(all_rows, 1)
    return accuracy


def threshold_accepting(ordered: npt.NDArray[np.float32], accepted: int, usual: float) -> float:
    """Return a short threshold that accepts the first rows by descending score: `usual` if it does.

    Parameters
    ----------
    ordered : scores (m,), descending
    accepted : how many rows; not fewer than all that have the same score
    """
    return _between(*_neighbours(ordered, accepted), usual)


def _neighbours(ordered: npt.NDArray[np.float32], accepted: int) -> tuple[float, float]:
    """Return the highest score that is rejected and the lowest that is accepted, when the first `accepted` are."""
    rejected = float(ordered[accepted]) if accepted < len(ordered) else -1.0
    return rejected, float(ordered[accepted - 1]) if accepted else 1.0


def _between(rejected: float, lowest: float, usual: float) -> float:
    """Return a short number above `rejected` and at most `lowest`: the usual threshold if it lies there."""
    # in float32, as a row is compared: 0.7 is above the float32 of a score of 0.7, but accepts it
    if np.float32(rejected) < np.float32(usual) <= np.float32(lowest):
        return usual
    middle = (max(rejected, 0.0) + lowest) / 2
    for digits in range(2, MAX_DIGITS + 1):
        short = float(f"{middle:.{digits}g}")
        if np.float32(rejected) < np.float32(short) <= np.float32(lowest):
            return short
    return lowest
