"""Which columns moved an answer: Shapley values of the columns of a request, against a reference row.

A column's contribution is the change of the score when the column takes its value in the row instead of the
reference's, averaged over the orders in which the columns can do so. All contributions add up to the score minus the
reference's score. Columns change, not inputs of the graph: all inputs that are made from a column change with it. The
graph alone is needed, and one call of it, or a few where a row has many columns.

With few columns the average is exact. Otherwise it is taken over random orders, each with its reverse.

E. Strumbelj and I. Kononenko (2014), "Explaining prediction models and individual predictions with feature
contributions", Knowledge and Information Systems 41; R. Mitchell, J. Cooper, E. Frank and G. Holmes (2022), "Sampling
permutations for Shapley value estimation", JMLR 23, section 2 (orders with their reverses).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns, Texts, Values

ORDER_PAIRS = 8  # random orders of the columns, each with its reverse
SEED = 0  # the same row always gets the same explanation
MAX_CELLS = 200_000  # of the rows in one call of the graph
ScoreRows = Callable[[Columns], npt.NDArray[np.float64]]


class Explained(NamedTuple):
    """Why a row got its score.

    Parameters
    ----------
    score, reference : of the row and of the reference row
    contributions : by column, the largest first; a column with the value of the reference has 0.0 and comes last
    exact : whether all orders of the columns were averaged
    """

    score: float
    reference: float
    contributions: dict[str, float]
    exact: bool


def explain(row: Mapping[str, Values], reference: Mapping[str, Values], score: ScoreRows) -> Explained:
    """Explain the score of one row.

    Parameters
    ----------
    row, reference : by column, one value each (1,), of the same types
    score : returns one score (n,) for each of n rows

    Examples
    --------
    >>> number = lambda value: np.array([value], dtype=np.float32)
    >>> product = lambda columns: np.asarray(columns.values["a"], float) * np.asarray(columns.values["b"], float)
    >>> explained = explain({"a": number(3), "b": number(5)}, {"a": number(1), "b": number(1)}, product)
    >>> explained.score, explained.reference, explained.contributions
    (15.0, 1.0, {'b': 8.0, 'a': 6.0})
    """
    names = list(row)
    changed = [name for name in names if not _same(row[name], reference[name])]
    exact = _is_exact(len(changed))
    orders = _orders(0 if exact else len(changed))
    sets = _all_sets(len(changed)) if exact else _sets_on_the_way(orders)
    scores = _scores(sets, changed, row, reference, score)
    averages = _average_of_all_orders(sets, scores) if exact else _average_of(orders, scores)
    contributions = dict(zip(changed, averages.tolist(), strict=True))
    everything = contributions | {name: 0.0 for name in names if name not in contributions}
    ordered = dict(sorted(everything.items(), key=lambda item: (-abs(item[1]), names.index(item[0]))))
    return Explained(float(scores[-1]), float(scores[0]), ordered, exact)


def rows_scored(columns: int) -> int:
    """Return the number of rows that the graph scores to explain one row that differs in this many columns.

    >>> [rows_scored(columns) for columns in (0, 1, 2, 7, 8, 14)]
    [1, 2, 4, 98, 114, 210]
    """
    sampled = 2 * ORDER_PAIRS * max(0, columns - 1) + 2
    return min(2**columns, sampled) if columns < 32 else sampled


def _is_exact(columns: int) -> bool:
    return columns < 32 and 2**columns <= rows_scored(columns)


def _all_sets(columns: int) -> npt.NDArray[np.bool_]:
    """Return all sets (2 ** columns, columns) of columns; number i has those whose bits are set in i."""
    sets: npt.NDArray[np.bool_] = (np.arange(2**columns)[:, None] >> np.arange(columns) & 1).astype(bool)
    return sets


def _average_of_all_orders(sets: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the contribution of each column: in s! (columns - s - 1)! of columns! orders, s others are before it."""
    columns = sets.shape[1]
    share = np.array([1 / (columns * math.comb(columns - 1, size)) for size in range(columns)])
    averages = np.zeros(columns)
    for column in range(columns):
        without = np.flatnonzero(~sets[:, column])
        averages[column] = share[sets[without].sum(axis=1)] @ (scores[without | 1 << column] - scores[without])
    return averages


def _orders(columns: int) -> npt.NDArray[np.int64]:
    """Return random orders (2 * ORDER_PAIRS, columns) of the columns, each followed by its reverse."""
    random = np.random.Generator(np.random.PCG64(SEED))
    orders = [random.permutation(columns) for _ in range(ORDER_PAIRS)]
    return np.stack([order for forward in orders for order in (forward, forward[::-1])])


def _sets_on_the_way(orders: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return the sets from none to all columns, which all orders share, with those between them, order after order."""
    columns = orders.shape[1]
    ranks = np.argsort(orders, axis=1)
    between = ranks[:, None, :] < np.arange(1, columns)[None, :, None]
    none = np.zeros((1, columns), dtype=bool)
    return np.concatenate([none, between.reshape(-1, columns), ~none])


def _average_of(orders: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the contribution of each column: its step in each order, averaged."""
    paths = np.empty((len(orders), orders.shape[1] + 1))
    paths[:, 0], paths[:, -1] = scores[0], scores[-1]
    paths[:, 1:-1] = scores[1:-1].reshape(len(orders), -1)
    steps = np.empty(orders.shape)
    np.put_along_axis(steps, orders, np.diff(paths, axis=1), axis=1)
    averages: npt.NDArray[np.float64] = steps.mean(axis=0)
    return averages


def _scores(
    sets: npt.NDArray[np.bool_],
    changed: list[str],
    row: Mapping[str, Values],
    reference: Mapping[str, Values],
    score: ScoreRows,
) -> npt.NDArray[np.float64]:
    """Return the score (m,) of the reference row with each set (m, columns) of columns taken from the row."""
    step = max(1, MAX_CELLS // max(1, len(row)))
    scores = np.empty(len(sets))
    position = {name: number for number, name in enumerate(changed)}
    for start in range(0, len(sets), step):
        part = sets[start : start + step]
        unchanged = np.zeros(len(part), dtype=np.intp)
        values = {
            name: _mixed(row[name], reference[name], part[:, position[name]].astype(np.intp))
            if name in position
            else _mixed(row[name], reference[name], unchanged)
            for name in row
        }
        scores[start : start + step] = score(Columns(values))
    return scores


def _mixed(of_row: Values, of_reference: Values, taken: npt.NDArray[np.intp]) -> Values:
    """Return a column (m,): the row's value where `taken` is 1, and the reference's where it is 0."""
    if isinstance(of_row, Texts):
        assert isinstance(of_reference, Texts)
        texts = [_text(of_reference), _text(of_row)]
        levels = sorted({text for text in texts if text is not None})
        codes = np.array([-1 if text is None else levels.index(text) for text in texts], dtype=np.int32)
        return Texts(codes[taken], levels)
    return np.concatenate([np.asarray(of_reference), of_row])[taken]


def _same(left: Values, right: Values) -> bool:
    if isinstance(left, Texts):
        return isinstance(right, Texts) and _text(left) == _text(right)
    return bool(np.array_equal(np.asarray(left), np.asarray(right), equal_nan=True))


def _text(values: Any) -> str | None:
    """Return the only text of a column, None if it is missing."""
    code = int(values.codes[0])
    return values.levels[code] if code >= 0 else None
