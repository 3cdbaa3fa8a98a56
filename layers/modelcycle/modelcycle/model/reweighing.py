"""Weights that make sensitive groups and the target independent (Kamiran and Calders 2012, "Reweighing")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Values
from modelcycle.model.joint_groups import joint_groups, pooled

MIN_GROUP_ROWS = 20  # smaller groups are pooled: their weights would follow chance
MAX_WEIGHT = 10.0  # of a row, and the inverse of the smallest

Weights = npt.NDArray[np.float64]


def reweigh(columns: Mapping[str, Values], sensitive: Sequence[str], target: npt.NDArray[Any] | None) -> Weights | None:
    """Return the weight of each row (n,): how often its group and class would occur together if both were
    independent, by how often they do. None without sensitive columns.

    Parameters
    ----------
    sensitive : names of columns, whose groups are taken together
    target : class codes (n,)

    Examples
    --------
    >>> from modelcycle.model.columns import Texts
    >>> sex = Texts(np.repeat(np.arange(2, dtype=np.int32), 40), ["f", "m"])
    >>> target = np.repeat([0, 1, 0, 1], [30, 10, 10, 30])
    >>> reweigh({"sex": sex}, ["sex"], target)[[0, 30, 40, 50]].round(3).tolist()
    [0.667, 2.0, 2.0, 0.667]
    """
    if not sensitive or target is None:
        return None
    groups = pooled(joint_groups(columns, sensitive), MIN_GROUP_ROWS)
    classes, codes = np.unique(target, return_inverse=True)
    cells = groups.codes * len(classes) + codes
    of_cell = np.bincount(cells, minlength=len(groups.values) * len(classes))
    of_group, of_class = np.bincount(groups.codes), np.bincount(codes)
    expected = of_group[groups.codes] * (of_class[codes] / len(target))
    weights: Weights = np.clip(expected / of_cell[cells], 1 / MAX_WEIGHT, MAX_WEIGHT)
    return weights
