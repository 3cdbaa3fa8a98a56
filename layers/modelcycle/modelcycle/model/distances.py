"""How far two distributions of predictions lie apart, from 0 (equal) to 1 (nothing in common)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.group_cutoffs import Cutoffs
from modelcycle.model.scoring import predicted_codes
from modelcycle.spec import Task

Array = npt.NDArray[Any]


def class_distance(first: Array, second: Array) -> float:
    """Return the total variation distance of two arrays of counts (classes,): the share that would have to move.

    >>> class_distance(np.array([90, 10]), np.array([7, 3]))
    0.2
    """
    if not first.sum() or not second.sum():
        return 0.0
    return round(float(np.abs(first / first.sum() - second / second.sum()).sum() / 2), 12)


def neighbour_distance(first: Array, second: Array) -> float:
    """Return the largest difference of two arrays of counts (classes,) in a set of the first so many classes.

    It is never above the total variation distance.

    >>> neighbour_distance(np.array([5, 0, 5]), np.array([0, 10, 0]))
    0.5
    """
    if not first.sum() or not second.sum():
        return 0.0
    return round(float(np.abs(np.cumsum(first) / first.sum() - np.cumsum(second) / second.sum()).max()), 12)


def number_distance(first: Array, second: Array) -> float:
    """Return the Kolmogorov distance of two sorted samples: the largest difference of their distribution functions.

    >>> number_distance(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0]))
    0.5
    """
    if not len(first) or not len(second):
        return 0.0
    values = np.concatenate([first, second])
    below = [np.searchsorted(one, values, side="right") / len(one) for one in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def prediction_distance(first: Array, second: Array, task: Task, thresholds: tuple[Cutoffs, Cutoffs]) -> float:
    """Return the distance of the predictions that two models make of the same rows.

    Parameters
    ----------
    first, second : scores, probabilities (n, k) in the same order of classes, or values (n, 1)
    thresholds : of both models; used with two classes only
    """
    if task == "regression":
        return number_distance(np.sort(first[:, 0]), np.sort(second[:, 0]))
    counts = [
        np.bincount(predicted_codes(scores, threshold), minlength=scores.shape[1])
        for scores, threshold in zip((first, second), thresholds, strict=True)
    ]
    return class_distance(counts[0], counts[1])
