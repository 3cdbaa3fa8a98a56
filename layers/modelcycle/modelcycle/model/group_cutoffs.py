"""The threshold of each row, where groups have thresholds of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.messages.group_thresholds import GroupThresholds
from modelcycle.model.columns import Texts, Values

RowCutoffs = npt.NDArray[np.float32]
Cutoffs = float | RowCutoffs
"""From which probability the positive class is predicted: for all rows, or for each row (n,)."""


def of_rows(cutoffs: Cutoffs, rows: npt.NDArray[Any]) -> Cutoffs:
    """Return the cutoffs of some rows (positions, or a mask).

    >>> of_rows(0.5, np.array([1])), of_rows(np.array([0.25, 0.75], dtype=np.float32), np.array([1])).tolist()
    (0.5, [0.75])
    """
    return cutoffs if isinstance(cutoffs, float) else cutoffs[rows]


def group_cutoffs(groups: GroupThresholds, common: float, columns: Mapping[str, Values], rows: int) -> RowCutoffs:
    """Return from which probability the positive class is predicted, for each row (rows,).

    A row's group is looked up by all values, then by the first alone. A row of no group, or whose values are missing,
    has the common threshold.

    Parameters
    ----------
    columns : typed columns, or groups by column as `row_groups` names them

    Examples
    --------
    >>> groups = GroupThresholds(columns=["sex"], groups=[{"values": ["f"], "threshold": 0.25}])
    >>> group_cutoffs(groups, 0.5, {"sex": Texts.of(["f", "m", None])}, 3).tolist()
    [0.25, 0.5, 0.5]
    """
    threshold = {tuple(group.values): group.threshold for group in groups.groups}
    rest: tuple[None, ...] = (None,) * (len(groups.columns) - 1)
    names = [_names(columns.get(column), rows) for column in groups.columns]
    if rows and not any(len(name) for name in names):
        return np.full(rows, common, dtype=np.float32)
    of_value: dict[tuple[Any, ...], float] = {}
    cutoffs = np.empty(rows, dtype=np.float32)
    for row, values in enumerate(zip(*names, strict=True)):
        if values not in of_value:
            own = threshold.get(values, threshold.get((values[0], *rest)) if values[0] else None)
            of_value[values] = common if own is None else own
        cutoffs[row] = of_value[values]
    return cutoffs


def _names(values: Values | None, rows: int) -> Sequence[str]:
    """Return a column's values as `row_groups` names them; "" where one is missing."""
    if values is None:
        return [""] * rows
    if isinstance(values, Texts):
        names: list[str] = values.strings().tolist()
        return names
    return ["" if np.isnan(value) else "true" if value else "false" for value in values]
