"""Notices rows that repeat an entity, such as ten visits of one patient, where the pipeline file names no `group_by`.

Numbers that were measured finely, yet repeat in small groups, belong to something that repeats. That alone is harmless:
a price list looks the same. It spoils the measured quality where the target stays the same within a group, and differs
between groups of neighbouring values: then a model recognizes the group, and test rows of it are no test.

Two rows of each group are compared (its first and its last), and the first rows of neighbouring groups.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns, Texts, Values

MAX_INSPECTED_ROWS = 200_000  # the first ones
MAX_WITNESSES = 200  # other columns that are looked at
MIN_GROUPS = 20
MIN_GROUP_ROWS = 1.8  # on average
MAX_GROUP_ROWS = 50  # in the median group
MIN_LEVEL_ROWS = 10  # of a level, from which a model learns its effect
MAX_DISTINCT_SHARE = 0.6  # of the distinct values that a smooth distribution would give
GAP_SHARE = 0.05  # quantile of the gaps between distinct values: the step in which they are written
RANGES = 50  # in which the distribution is taken as even
MIN_SAME_SHARE = 0.98  # of the groups in which another column stays the same
MAX_NEIGHBOUR_SHARE = 0.1  # of the neighbouring groups in which it does
MIN_TARGET_AGREEMENT = 0.8  # 1: the target never varies within a group; 0: as much as anywhere
MIN_EXCESS = 0.3  # of this agreement over that of neighbouring groups
MIN_WITNESSED_EXCESS = 0.1  # where another column stays the same too
MIN_Z = 4.0  # excess in standard errors
MAX_NAME_CHARACTERS = 60


def repeated_entity(train: Columns, units: npt.NDArray[np.uint64], left_out: set[str]) -> str | None:
    """Return a sentence that names the column of a repeated entity; None if there is none.

    Parameters
    ----------
    train : training rows, with the target
    units : of each row (n,); rows with equal features count once, because the split keeps them together
    left_out : columns that are not looked at
    """
    assert train.target is not None
    _, first = np.unique(units[:MAX_INSPECTED_ROWS], return_index=True)
    rows = train.take(np.sort(first))
    assert rows.target is not None
    is_number = rows.target.dtype.kind == "f"
    target = _ranks(rows.target) if is_number else rows.target
    fine: dict[str, _Groups] = {}
    small: dict[str, _Groups] = {}
    texts: dict[str, _Groups] = {}
    for name, values in rows.values.items():
        if name in left_out:
            continue
        groups = _Groups.of(values)
        if groups is None:
            continue
        if isinstance(values, Texts) or _is_fine(values):
            (texts if isinstance(values, Texts) else fine)[name] = groups
        if groups.largest < MIN_LEVEL_ROWS and (isinstance(values, Texts) or _is_whole(values)):
            small[name] = groups
    copies = _copies_but_for_an_id(rows, fine, left_out)
    if copies is not None:
        return copies
    found: list[tuple[int, str, float]] = []
    for name, groups in (fine | texts | small).items():
        agreement, excess = groups.target_agreement(target, is_number)
        z = excess * math.sqrt(len(groups.first))
        if z < MIN_Z:
            continue
        witnessed = any(
            groups.keeps(rows.values[other]) for other in list(fine)[:MAX_WITNESSES] if other != name
        )  # fmt: skip
        # a whole number, or a text, may be the code of a place or product, which rightly decides the target
        # where it is often enough to be learned; a rarer one is left out, and only tells which rows belong together
        is_measured = name in small or (name in fine and not _is_whole(rows.values[name]))
        decided = is_measured and agreement >= MIN_TARGET_AGREEMENT and excess >= MIN_EXCESS
        if decided or (witnessed and excess >= MIN_WITNESSED_EXCESS):
            found.append((len(groups.first), name, groups.mean_rows))
    if not found:
        return None
    count, name, mean_rows = max(found, key=lambda entry: entry[0])
    short = name[:MAX_NAME_CHARACTERS]
    return (
        f"rows seem to repeat an entity: `{short}` has only {count:,} values, in about {mean_rows:.0f} training rows"
        f" each, which share their target; if so, write `group_by: [{short}]`: otherwise the measured quality is too"
        " good"
    )


def _copies_but_for_an_id(rows: Columns, fine: dict[str, _Groups], left_out: set[str]) -> str | None:
    """Return a sentence if repeated rows are equal in all columns but one that numbers them."""
    for groups in fine.values():
        different = [
            name
            for name, values in rows.values.items()
            if name not in left_out and not groups.keeps(values, neighbours_too=False)
        ]
        if len(different) == 1 and _numbers_rows(rows.values[different[0]]):
            name = different[0][:MAX_NAME_CHARACTERS]
            return (
                f"many rows are equal in every column but `{name}`; if it only numbers them, write"
                f" `id_columns: [{name}]`: otherwise copies of a row are both learned from and judged on"
            )
    return None


class _Groups:
    """The groups of rows with an equal value, in the order of the values.

    Parameters
    ----------
    first, last : positions of two different rows of each group (m,), only of groups that have two
    mean_rows, largest : rows of a group, on average and at most
    """

    def __init__(
        self, first: npt.NDArray[np.int64], last: npt.NDArray[np.int64], mean_rows: float, largest: int
    ) -> None:
        self.first, self.last, self.mean_rows, self.largest = first, last, mean_rows, largest

    @staticmethod
    def of(values: Values) -> _Groups | None:
        """Return the groups of a column; None if they are too few, too large or too small."""
        keys = values.codes if isinstance(values, Texts) else values
        present = np.flatnonzero(keys >= 0 if isinstance(values, Texts) else ~np.isnan(keys))
        # stable: rows of one value stay in their order
        order = present[np.argsort(keys[present], kind="stable")]
        if not len(order):
            return None
        starts = np.flatnonzero(np.concatenate(([True], keys[order][1:] != keys[order][:-1])))
        sizes = np.diff(np.append(starts, len(order)))
        repeated = sizes >= 2
        mean_rows = len(order) / len(starts)
        if repeated.sum() < MIN_GROUPS or mean_rows < MIN_GROUP_ROWS or np.median(sizes) > MAX_GROUP_ROWS:
            return None
        if sizes[sizes <= MAX_GROUP_ROWS].sum() < len(order) / 2:
            return None
        return _Groups(order[starts[repeated]], order[(starts + sizes - 1)[repeated]], mean_rows, int(sizes.max()))

    def target_agreement(self, target: npt.NDArray[np.float64], is_number: bool) -> tuple[float, float]:
        """Return how much the target agrees within a group, and how much more than between neighbouring groups.

        Parameters
        ----------
        target : class codes, or ranks of numbers
        """
        if is_number:
            chance = float(2 * np.var(target)) or 1.0
            within = float(np.mean((target[self.first] - target[self.last]) ** 2))
            between = float(np.mean((target[self.first][1:] - target[self.first][:-1]) ** 2))
        else:
            shares = np.unique(target, return_counts=True)[1] / len(target)
            chance = float(1 - (shares**2).sum()) or 1.0
            within = float(np.mean(target[self.first] != target[self.last]))
            between = float(np.mean(target[self.first][1:] != target[self.first][:-1]))
        agreement, neighbours = 1 - within / chance, 1 - between / chance
        return agreement, agreement - max(neighbours, 0.0)

    def keeps(self, values: Values, *, neighbours_too: bool = True) -> bool:
        """Return whether another column stays the same within a group, and (neighbours_too) changes to the next one."""
        keys = values.codes if isinstance(values, Texts) else np.nan_to_num(values, nan=-1.0)
        same = keys[self.first] == keys[self.last]
        neighbours = keys[self.first][1:] == keys[self.first][:-1]
        changes = not neighbours_too or neighbours.mean() <= MAX_NEIGHBOUR_SHARE
        return bool(same.mean() >= MIN_SAME_SHARE and changes)


def _numbers_rows(values: Values) -> bool:
    keys = values.codes if isinstance(values, Texts) else values
    return len(np.unique(keys)) == len(keys) and (isinstance(values, Texts) or _is_whole(values))


def _is_whole(values: Values) -> bool:
    return not isinstance(values, Texts) and not (np.nan_to_num(values) % 1).any()


def _is_fine(values: npt.NDArray[np.float64]) -> bool:
    """Return whether numbers have far fewer distinct values than a smooth distribution in their step would have.

    Years, ages, and ratings use most of the steps between their extremes; a patient's exact weight does not.
    """
    present = np.sort(values[~np.isnan(values)].astype(np.float64))
    distinct = np.unique(present)
    if len(distinct) < MIN_GROUPS:
        return False
    step = float(np.quantile(np.diff(distinct), GAP_SHARE))
    if not (np.isfinite(step) and step > 0):
        return False
    edges = np.unique(np.quantile(present, np.linspace(0, 1, RANGES + 1)))
    counts = np.histogram(present, edges)[0]
    steps = np.maximum(np.diff(edges) / step, 1.0)
    expected = float((steps * -np.expm1(-counts / steps)).sum())
    return len(distinct) <= MAX_DISTINCT_SHARE * expected


def _ranks(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the ranks of numbers; equal ones share one."""
    return np.unique(numbers, return_inverse=True)[1].astype(np.float64)
