"""The groups that rows belong to, by sensitive columns: `validate` measures each without ever reading a feature."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Column, Columns, Texts

MOST_GROUPS = 20  # of one column; the rarest of more are put together
OTHER = "(other)"


def groups(columns: Columns, described: list[Column]) -> dict[str, Texts]:
    """Group of each row by column: a text's levels, yes or no, and quarters of a number's or date's range of ranks."""
    return {
        column.name: _group(columns.values[column.name], column)
        for column in described
        if column.name in columns.values
    }


def _group(values: Texts | npt.NDArray[np.float64], column: Column) -> Texts:
    if isinstance(values, Texts):
        return _commonest(values)
    if column.type == "boolean":
        return Texts(np.where(np.isnan(values), -1, values).astype(np.int32), ["false", "true"])
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    if len(distinct) <= MOST_GROUPS and column.type == "number":
        codes = np.searchsorted(distinct, values).astype(np.int32)
        return Texts(np.where(np.isnan(values), -1, codes).astype(np.int32), [f"{value:g}" for value in distinct])
    edges = np.unique(np.quantile(known, [0.25, 0.5, 0.75])) if len(known) else np.array([])
    bounds = [column_text(edge, column) for edge in edges]
    names = [f"below {bounds[0]}", *(f"{low} to {high}" for low, high in itertools.pairwise(bounds))] if bounds else []
    names += [f"{bounds[-1]} and above"] if bounds else ["all"]
    codes = np.searchsorted(edges, values, side="right").astype(np.int32)
    return Texts(np.where(np.isnan(values), -1, codes).astype(np.int32), names)


def column_text(value: float, column: Column) -> str:
    return str(np.datetime64(int(value), "s")).partition("T")[0] if column.type == "datetime" else f"{value:g}"


def _commonest(texts: Texts) -> Texts:
    counts = np.bincount(texts.codes[texts.codes >= 0], minlength=len(texts.levels))
    present = np.flatnonzero(counts)
    if len(present) > MOST_GROUPS:
        kept = np.sort(present[np.argsort(-counts[present], kind="stable")[: MOST_GROUPS - 1]])
    else:
        kept = present
    place = np.full(len(texts.levels) + 1, len(kept), dtype=np.int32)  # the rest: the group after the kept ones
    place[kept] = np.arange(len(kept))
    place[-1] = -1
    rest = [OTHER] if len(present) > len(kept) else []
    return Texts(place[texts.codes], [texts.levels[code] for code in kept] + rest)
