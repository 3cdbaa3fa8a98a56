"""The group of each row by several sensitive columns together, for what training does about unfairness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.cells.column import Column
from modelcycle.model.columns import Texts, Values
from modelcycle.model.row_groups import column_groups

SMALL = None  # the value of a group of several rare ones


class JointGroups(NamedTuple):
    """Groups of n rows.

    Parameters
    ----------
    codes : group (n,) of each row
    values : of each group, by column; "" where the value is missing
    """

    codes: npt.NDArray[np.int64]
    values: list[tuple[str | None, ...]]


def joint_groups(columns: Mapping[str, Values], names: Sequence[str]) -> JointGroups:
    """Return the groups of rows by these columns together; numbers are divided at their quartiles.

    Examples
    --------
    >>> sex, race = Texts.of(["f", "m", "f"]), Texts.of(["a", None, "a"])
    >>> groups = joint_groups({"sex": sex, "race": race}, ["sex", "race"])
    >>> groups.codes.tolist(), groups.values
    ([0, 1, 0], [('f', 'a'), ('m', '')])
    """
    parts = [column_groups(columns[name], Column(name=name, type=_type(columns[name]))) for name in names]
    joint = np.zeros(len(parts[0]), dtype=np.int64)
    for part in parts:  # numbered anew after each column: the product of many would not fit an integer
        joint = joint * (len(part.levels) + 1) + np.where(part.codes < 0, len(part.levels), part.codes)
        joint = np.unique(joint, return_inverse=True)[1]
    _, first, codes = np.unique(joint, return_index=True, return_inverse=True)
    values = [
        tuple(part.levels[part.codes[row]] if part.codes[row] >= 0 else "" for part in parts) for row in first.tolist()
    ]
    return JointGroups(codes.astype(np.int64), values)


def pooled(groups: JointGroups, minimum: int) -> JointGroups:
    """Return groups of at least `minimum` rows as they are; smaller ones are pooled, by the first column if they can.

    Examples
    --------
    >>> codes = np.array([0, 0, 0, 1, 2, 3])
    >>> values = [("f", "a"), ("f", "b"), ("f", "c"), ("m", "b")]
    >>> pooled(JointGroups(codes, values), 2).values
    [('f', 'a'), ('f', None), (None, None)]
    """
    sizes = np.bincount(groups.codes, minlength=len(groups.values))
    width = len(groups.values[0])
    names: list[tuple[str | None, ...]] = [
        value if sizes[code] >= minimum else (value[0], *(SMALL,) * (width - 1))
        for code, value in enumerate(groups.values)
    ]
    if width > 1:
        of_first: Counter[tuple[str | None, ...]] = Counter()
        for name, size in zip(names, sizes.tolist(), strict=True):
            of_first[name] += size
        names = [name if of_first[name] >= minimum else (SMALL,) * width for name in names]
    else:
        names = [name if sizes[code] >= minimum else (SMALL,) for code, name in enumerate(names)]
    kept = {name: code for code, name in enumerate(dict.fromkeys(names))}
    place = np.array([kept[name] for name in names])
    return JointGroups(place[groups.codes], list(kept))


def _type(values: Values) -> Literal["text", "boolean", "number"]:
    if isinstance(values, Texts):
        return "text"
    return "boolean" if np.isin(values[~np.isnan(values)], (0, 1)).all() else "number"
