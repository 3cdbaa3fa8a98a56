"""How groups of rows differ from the others, now and before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.measured.grouped_means import means_against_rest
from modelcycle.measured.units import Units

MAX_EFFECT = 1e3  # a share of next to nothing says no more
Array = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Gaps:
    """Of g groups, by how much the mean of a group differs from that of all other rows.

    Parameters
    ----------
    now, before : (g,)
    errors : standard errors (g,) of `now - before`; NaN for a group with too few rows on either side
    degrees : of freedom (g,) of the change's t test
    """

    now: Numbers
    before: Numbers
    errors: Numbers
    degrees: Numbers

    @property
    def changes(self) -> Numbers:
        """By how much each gap has grown (g,)."""
        return self.now - self.before


def gaps(now: Side, before: Side, n_groups: int) -> Gaps:
    """Compare the gaps of two sets of rows; the degrees of freedom are Welch's (1947).

    Examples
    --------
    >>> codes = np.repeat([0, 1], 60)
    >>> before = Side(np.tile([0.0, 1.0], 60), codes, Units(120))
    >>> now = Side(np.where(codes == 0, 1.0, before.values), codes, Units(120))
    >>> gaps(now, before, 2).changes.tolist()
    [0.5, -0.5]
    """
    sides = [means_against_rest(side.values, side.codes, n_groups, side.units.clusters) for side in (now, before)]
    (gaps_now, errors_now, degrees_now), (gaps_before, errors_before, degrees_before) = sides
    variances = np.square(errors_now), np.square(errors_before)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = variances[0] ** 2 / degrees_now + variances[1] ** 2 / degrees_before
        degrees = np.where(parts > 0, (variances[0] + variances[1]) ** 2 / parts, degrees_now)
    return Gaps(gaps_now, gaps_before, np.sqrt(variances[0] + variances[1]), degrees)


@dataclass(frozen=True)
class Side:
    """Rows of one time.

    Parameters
    ----------
    values : (n,)
    codes : int64 (n,), the group of each row; one below 0 is not compared
    units : which rows are independent
    """

    values: Numbers
    codes: npt.NDArray[np.int64]
    units: Units

    def take(self, rows: Array) -> Side:
        """Return some of the rows (a mask)."""
        return Side(self.values[rows], self.codes[rows], self.units.take(rows))


def same_groups(now: Sequence[str], before: Sequence[str], codes: Array) -> npt.NDArray[np.int64]:
    """Return the codes (n,) of rows by other names of the groups; -1 for a group that is not among them.

    Examples
    --------
    >>> same_groups(["north", "south"], ["south", "west"], np.array([0, 1, 0]))
    array([ 1, -1,  1])
    """
    position = {name: code for code, name in enumerate(now)}
    translated = np.array([position.get(name, -1) for name in before], dtype=np.int64)
    return translated[codes] if len(translated) else np.full(len(codes), -1, dtype=np.int64)
