"""Columns that say the same as another one, value for value."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.plan import Planned

ROWS_A_LEVEL = 10  # on average; where nearly all values differ, any two columns match one to one


def find(decided: dict[str, Planned], rows: Columns, sensitive: list[str]) -> Iterator[Planned]:
    """The columns to leave out: of each set of twins one stays, a number before a text, else the first.

    A twin of a sensitive column that may not be learned from is that column under another name: it goes, loudly.
    """
    groups: dict[str, list[str]] = {}
    for name, planned in decided.items():
        if planned.treatment != "left_out" or name in sensitive:
            groups.setdefault(_essence(rows.values[name]), []).append(name)
    for twins in groups.values():
        hidden = [name for name in twins if name in sensitive]
        if hidden:
            for name in twins:
                if name not in sensitive:
                    yield _out(name, f"same as {hidden[0]}, which is sensitive", loud=True)
        elif len(twins) > 1:
            kept = min(twins, key=lambda name: isinstance(rows.values[name], Texts))
            for name in twins:
                if name != kept:
                    yield _out(name, f"same as {kept}", loud=False)


def levels(values: Values) -> int:
    """How many different values there are, no value counted as one."""
    return len(np.unique(values.codes if isinstance(values, Texts) else values))


def _out(name: str, why: str, *, loud: bool) -> Planned:
    return Planned(column=name, treatment="left_out", why=why, loud=loud)


def _essence(values: Values) -> str:
    """A hash that two columns share when each value of one goes with one value of the other, row by row."""
    raw: npt.NDArray[np.generic] = values.codes if isinstance(values, Texts) else values
    unique, first, codes = np.unique(raw, return_index=True, return_inverse=True)
    if len(unique) * ROWS_A_LEVEL > len(raw):
        if isinstance(values, Texts):
            return hashlib.sha256(repr(values.strings().tolist()).encode()).hexdigest()
        return hashlib.sha256(np.asarray(raw, dtype=np.float64).tobytes()).hexdigest()
    # levels numbered by their first row, so that names and order don't count
    order = np.empty(len(unique), dtype=np.int64)
    order[np.argsort(first)] = np.arange(len(unique))
    return hashlib.sha256(order[codes].astype(np.int64).tobytes()).hexdigest()
