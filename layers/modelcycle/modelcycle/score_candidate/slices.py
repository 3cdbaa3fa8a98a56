"""The slices of the test rows, so that `validate` finds those on which the model is worst without reading features."""

from __future__ import annotations

import numpy as np

from modelcycle.cells.column import Column
from modelcycle.model.columns import Columns
from modelcycle.model.row_groups import column_groups
from modelcycle.model.slices import Slices

MAX_SLICED_COLUMNS = 60
MISSING = "(missing)"


def slice_rows(rows: Columns, columns: list[Column]) -> Slices:
    """Return the groups of rows by column: those of `sensitive_groups`, and one of the missing values.

    Parameters
    ----------
    rows : n rows
    columns : schemas, the most important first; those without a second group are skipped, and those after the first
        MAX_SLICED_COLUMNS are left out

    Examples
    --------
    >>> rows = Columns({"hours": np.array([1.0, 2.0, np.nan])})
    >>> slices = slice_rows(rows, [Column(name="hours", type="number")])
    >>> slices.groups, slices.codes
    ([['1', '2', '(missing)']], array([[0, 1, 2]], dtype=int8))
    """
    names, groups, codes = [], [], []
    for column in columns[:MAX_SLICED_COLUMNS]:
        found = column_groups(rows.values[column.name], column)
        group_names = found.levels
        column_codes = found.codes.astype(np.int8)
        if (column_codes < 0).any():
            column_codes = np.where(column_codes < 0, len(group_names), column_codes).astype(np.int8)
            group_names = [*group_names, MISSING]
        if len(group_names) > 1:
            names.append(column.name)
            groups.append(group_names)
            codes.append(column_codes)
    return Slices(
        names, groups, np.array(codes, dtype=np.int8).reshape(len(codes), rows.rows),
        left_out=max(0, len(columns) - MAX_SLICED_COLUMNS),
    )  # fmt: skip
