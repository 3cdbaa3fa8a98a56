"""The groups of the test rows by sensitive column, so that `validate` measures each without reading any feature."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Column, Columns, Texts

MAX_GROUPS = 20  # of one column; the smallest are merged
OTHER = "(other)"


def sensitive_groups(columns: Columns, sensitive: list[Column]) -> dict[str, Texts]:
    """Return the group (n,) of each row, by sensitive column.

    Groups are the levels of a text, true and false of a boolean, the values of a number that has few, or else the
    quarters between the quartiles of a number or date. Rows with a missing value have no group.

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
        column.name: _groups(columns.values[column.name], column)
        for column in sensitive
        if column.name in columns.values
    }


def _groups(values: Texts | npt.NDArray[np.float64], column: Column) -> Texts:
    if isinstance(values, Texts):
        return _merge_rare(values)
    if column.type == "boolean":
        return _texts(values, values, ["false", "true"])
    present = values[~np.isnan(values)]
    distinct = np.unique(present)
    if len(distinct) <= MAX_GROUPS and column.type == "number":
        return _texts(values, np.searchsorted(distinct, values), [f"{value:g}" for value in distinct])
    edges = np.unique(np.quantile(present, [0.25, 0.5, 0.75])) if len(present) else np.array([])
    return _texts(values, np.searchsorted(edges, values, side="right"), _interval_names(edges, column))


def _texts(values: npt.NDArray[np.float64], codes: npt.NDArray[np.generic], names: list[str]) -> Texts:
    """Return groups by their codes (n,), no group where the value is missing."""
    return Texts(np.where(np.isnan(values), -1, codes).astype(np.int32), names)


def _interval_names(edges: npt.NDArray[np.float64], column: Column) -> list[str]:
    if not len(edges):
        return ["all"]
    bounds = [_format(edge, column) for edge in edges]
    inner = [f"{low} to {high}" for low, high in itertools.pairwise(bounds)]
    return [f"below {bounds[0]}", *inner, f"{bounds[-1]} and above"]


def _format(value: float, column: Column) -> str:
    return str(np.datetime64(int(value), "s")).partition("T")[0] if column.type == "datetime" else f"{value:g}"


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
