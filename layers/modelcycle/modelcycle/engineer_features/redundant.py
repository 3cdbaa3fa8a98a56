"""Columns that are the same as another column, row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.plan import Planned

MIN_MEAN_LEVEL_ROWS = 10  # per distinct value; with fewer rows, columns may match one to one by coincidence


def redundant_columns(plan: dict[str, Planned], rows: Columns, sensitive: list[str]) -> Iterator[Planned]:
    """Yield the columns to leave out, replanned.

    Of columns that are the same one stays: a number before a text, otherwise the first. A copy of a sensitive column
    that must not be a feature is that column under another name: it is left out, and people are warned.

    Parameters
    ----------
    plan : by column, as planned so far
    rows : training rows
    sensitive : columns that must not be features

    Examples
    --------
    >>> km = np.repeat(np.arange(4.0), 25)
    >>> rows = Columns({"km": km, "miles": km / 1.6})
    >>> plan = {name: Planned(column=name, treatment="number", why="") for name in rows.values}
    >>> [(planned.column, planned.why) for planned in redundant_columns(plan, rows, sensitive=[])]
    [('miles', 'same as km')]
    """
    groups: dict[str, list[str]] = {}
    for name, planned in plan.items():
        if planned.treatment != "left_out" or name in sensitive:
            groups.setdefault(_content_hash(rows.values[name]), []).append(name)
    for names in groups.values():
        sensitive_names = [name for name in names if name in sensitive]
        if sensitive_names:
            for name in names:
                if name not in sensitive:
                    yield _leave_out(name, f"same as {sensitive_names[0]}, which is sensitive", loud=True)
        elif len(names) > 1:
            kept = min(names, key=lambda name: isinstance(rows.values[name], Texts))
            for name in names:
                if name != kept:
                    yield _leave_out(name, f"same as {kept}", loud=False)


def count_distinct(values: Values) -> int:
    """Return the number of distinct values; missing counts as one.

    Examples
    --------
    >>> count_distinct(np.array([1.0, 1.0, 2.0, np.nan, np.nan]))
    3
    """
    return len(np.unique(values.codes if isinstance(values, Texts) else values))


def _leave_out(name: str, why: str, *, loud: bool) -> Planned:
    return Planned(column=name, treatment="left_out", why=why, loud=loud)


def _content_hash(values: Values) -> str:
    """Return a hash that is equal for two columns whose values match one to one, row by row."""
    raw: npt.NDArray[np.generic] = values.codes if isinstance(values, Texts) else values
    unique, first_rows, codes = np.unique(raw, return_index=True, return_inverse=True)
    if len(unique) * MIN_MEAN_LEVEL_ROWS > len(raw):
        if isinstance(values, Texts):
            return hashlib.sha256(repr(values.strings().tolist()).encode()).hexdigest()
        return hashlib.sha256(np.asarray(raw, dtype=np.float64).tobytes()).hexdigest()
    # distinct values are numbered by their first row, so that the values themselves do not matter
    numbers = np.empty(len(unique), dtype=np.int64)
    numbers[np.argsort(first_rows)] = np.arange(len(unique))
    return hashlib.sha256(numbers[codes].astype(np.int64).tobytes()).hexdigest()
