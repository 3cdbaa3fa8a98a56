"""The groups of rows by column: `validate` measures test rows by group, and `monitor` live ones, without features."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from modelcycle.cells.column import Column
from modelcycle.model.columns import Columns, Texts

MAX_GROUPS = 20  # of one column; the smallest are merged
OTHER = "(other)"


def sensitive_groups(columns: Columns, sensitive: list[Column]) -> dict[str, Texts]:
    """Return the group (n,) of each row, by sensitive column.

    Parameters
    ----------
    columns : n rows
    sensitive : schemas of the sensitive columns; those that `columns` does not have are skipped

    Examples
    --------
    >>> ages = Columns({"age": np.arange(20.0, 80.0)})
    >>> sensitive_groups(ages, [Column(name="age", type="number")])["age"].levels
    ['below 34.75', '34.75 to 49.5', '49.5 to 64.25', '64.25 and above']
    """
    return {
        column.name: column_groups(columns.values[column.name], column)
        for column in sensitive
        if column.name in columns.values
    }


def column_groups(values: Texts | npt.NDArray[np.float64], column: Column) -> Texts:
    """Return the group (n,) of each row by one column.

    Groups are the levels of a text, true and false of a boolean, the values of a number that has few, or else the
    quarters between the quartiles of a number or date. Rows with a missing value have no group.
    """
    if isinstance(values, Texts):
        return _merge_rare(values)
    if column.type == "boolean":
        return _texts(values, values, ["false", "true"])
    present = values[~np.isnan(values)].astype(np.float64)  # between quantiles of 3e38 and -3e38, float32 overflows
    distinct = np.unique(present)
    if len(distinct) <= MAX_GROUPS and column.type == "number":
        return _texts(values, np.searchsorted(distinct, values), _distinct_names(distinct))
    edges = np.unique(np.quantile(present, [0.25, 0.5, 0.75])) if len(present) else np.array([])
    edges = edges[edges > distinct[:1]] if len(edges) else edges
    if not len(edges):
        edges = distinct[1:2]  # nearly all rows have the lowest value: the others are a group
    return _texts(values, np.searchsorted(edges, values, side="right"), _interval_names(edges, column))


def _texts(values: npt.NDArray[np.float64], codes: npt.NDArray[np.generic], names: list[str]) -> Texts:
    """Return groups by their codes (n,), no group where the value is missing."""
    return Texts(np.where(np.isnan(values), -1, codes).astype(np.int32), names)


def _interval_names(edges: npt.NDArray[np.float64], column: Column) -> list[str]:
    if not len(edges):
        return ["all"]
    dates = [str(np.datetime64(int(edge), "s")) for edge in edges] if column.type == "datetime" else []
    days = [date.partition("T")[0] for date in dates]
    bounds = (days if len(set(days)) == len(days) else dates) if dates else _distinct_names(edges)
    inner = [f"{low} to {high}" for low, high in itertools.pairwise(bounds)]
    return [f"below {bounds[0]}", *inner, f"{bounds[-1]} and above"]


def _distinct_names(values: npt.NDArray[np.float64]) -> list[str]:
    """Return the numbers as texts, with as many digits as distinguish them."""
    names: list[str] = []
    for digits in (6, 9, 17):
        names = [f"{value:.{digits}g}" for value in values]
        if len(set(names)) == len(names):
            break
    return names


def _merge_rare(texts: Texts) -> Texts:
    """Merge the rarest levels into one group, so that at most `MAX_GROUPS` are left."""
    counts = np.bincount(texts.codes[texts.codes >= 0], minlength=len(texts.levels))
    present = np.flatnonzero(counts)
    frequent = present
    if len(present) > MAX_GROUPS:
        frequent = np.sort(present[np.argsort(-counts[present], kind="stable")[: MAX_GROUPS - 1]])
    group_of_code = np.full(len(texts.levels) + 1, len(frequent), dtype=np.int32)  # the last group merges the others
    group_of_code[frequent] = np.arange(len(frequent))
    group_of_code[-1] = -1
    merged = [OTHER] if len(present) > len(frequent) else []
    return Texts(group_of_code[texts.codes], [texts.levels[code] for code in frequent] + merged)
