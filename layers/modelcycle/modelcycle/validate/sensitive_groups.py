"""The groups of people that are compared: those of each sensitive column, and of each two columns together."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Texts
from modelcycle.model.row_groups import OTHER

MISSING_GROUP = "(missing)"
MAX_INTERSECTIONS = 10  # pairs of columns
MIN_NAMED_ROWS = 10  # the value of a rarer group may identify a person: it is counted, never named
TOGETHER = " & "  # between the groups of two columns, and between their names
Array = npt.NDArray[Any]


class Grouping(NamedTuple):
    """One way to divide rows into groups.

    Parameters
    ----------
    columns : one sensitive column, or two
    names : of the groups
    codes : group (n,) of each row; every row has one
    comparable : codes of the groups that say something: not the missing values, nor rare levels put together
    """

    columns: list[str]
    names: list[str]
    codes: Array
    comparable: list[int]

    @property
    def title(self) -> str:
        """The columns as people read them."""
        return TOGETHER.join(self.columns)


def groupings(groups: dict[str, Texts]) -> list[Grouping]:
    """Return the groupings of rows: by each column, then by pairs of them, at most MAX_INTERSECTIONS.

    Parameters
    ----------
    groups : by sensitive column, the group (n,) of each row

    Examples
    --------
    >>> sex, colour = Texts.of(["f", "m", None]), Texts.of(["red", "red", "blue"])
    >>> [(grouping.title, grouping.names) for grouping in groupings({"sex": sex, "colour": colour})][1:]
    [('colour', ['blue', 'red']), ('sex & colour', ['f & red', 'm & red', '(missing) & blue'])]
    """
    single = [_of_column(name, texts) for name, texts in groups.items()]
    pairs = itertools.islice(itertools.combinations(single, 2), MAX_INTERSECTIONS)
    return [*single, *(_together(first, second) for first, second in pairs)]


def _of_column(name: str, texts: Texts) -> Grouping:
    n_levels = len(texts.levels)
    codes = np.where(texts.codes < 0, n_levels, texts.codes).astype(np.int64)
    present = np.unique(codes)
    names = [*texts.levels, MISSING_GROUP]
    # rare levels put together are the last level; `row_groups` calls only these so
    merged = n_levels - 1 if n_levels and texts.levels[-1] == OTHER else -1
    comparable = [place for place, code in enumerate(present.tolist()) if code not in (n_levels, merged)]
    return Grouping([name], [names[code] for code in present], np.searchsorted(present, codes), comparable)


def _together(first: Grouping, second: Grouping) -> Grouping:
    width = len(second.names)
    joint = first.codes * width + second.codes
    present, codes = np.unique(joint, return_inverse=True)
    known, other = set(first.comparable), set(second.comparable)
    return Grouping(
        [*first.columns, *second.columns],
        [f"{first.names[code // width]}{TOGETHER}{second.names[code % width]}" for code in present.tolist()],
        codes,
        [place for place, code in enumerate(present.tolist()) if code // width in known and code % width in other],
    )
