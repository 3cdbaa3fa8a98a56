"""The rates by which groups of people are compared: of test rows before a version is registered, and of live ones.

    rate                 of the rows              the share that
    selection_rate       all                      is predicted as the class
    tpr                  of the class             is predicted as the class
    fpr                  of the other classes     is predicted as the class
    precision            predicted as the class   is of the class

They are those of `fairlearn.metrics` and of scikit-learn. Where no row counts, a rate is undefined.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

Rate = Literal["selection_rate", "tpr", "fpr", "precision"]
RATES: tuple[Rate, ...] = get_args(Rate)
RATE_NAMES: dict[Rate, str] = {
    "selection_rate": "selection rate", "tpr": "true positive rate", "fpr": "false positive rate",
    "precision": "precision",
}  # fmt: skip
"""For people."""

OUTCOMES = 4  # of a row: 2 * (is of the class) + (is predicted as the class)
COUNTED: dict[Rate, tuple[int, ...]] = {
    "selection_rate": (0, 1, 2, 3),
    "tpr": (2, 3),
    "fpr": (0, 1),
    "precision": (1, 3),
}
"""The outcomes that each rate is a share of."""
HITS: dict[Rate, tuple[int, ...]] = {"selection_rate": (1, 3), "tpr": (3,), "fpr": (1,), "precision": (3,)}
"""The outcomes of which it is the share."""

Array = npt.NDArray[Any]


class RowRate(NamedTuple):
    """A rate by row: `counted` (n,) says which rows it is a share of, `hits` (n,) which of them are in the share."""

    rate: Rate
    hits: npt.NDArray[np.bool_]
    counted: npt.NDArray[np.bool_]


def outcomes(predicted: Array, target: Array, code: int = 1) -> npt.NDArray[np.int64]:
    """Return the outcome (n,) of each row for a class: 2 * (is of the class) + (is predicted as the class).

    Examples
    --------
    >>> outcomes(np.array([0, 1, 1]), np.array([0, 0, 1])).tolist()
    [0, 1, 3]
    """
    found: npt.NDArray[np.int64] = 2 * (target == code).astype(np.int64) + (predicted == code)
    return found


def row_rates(predicted: Array, target: Array, code: int = 1) -> list[RowRate]:
    """Return all rates by row.

    Parameters
    ----------
    predicted, target : class codes (n,)
    code : of the class that is selected for

    Examples
    --------
    >>> for rate, hits, counted in row_rates(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])):
    ...     print(rate, hits[counted].mean())
    selection_rate 0.5
    tpr 0.5
    fpr 0.5
    precision 0.5
    """
    codes = outcomes(predicted, target, code)
    return [RowRate(rate, np.isin(codes, HITS[rate]), np.isin(codes, COUNTED[rate])) for rate in RATES]


def counts(cells: Array, rate: Rate) -> tuple[Array, Array]:
    """Return hits and counted rows of a rate, from the rows of each outcome (..., OUTCOMES).

    Examples
    --------
    >>> [int(count) for count in counts(np.array([5, 1, 2, 2]), "tpr")]
    [2, 4]
    """
    return cells[..., HITS[rate]].sum(axis=-1), cells[..., COUNTED[rate]].sum(axis=-1)
