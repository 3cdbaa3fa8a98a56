"""The nearest change of a row that would alter its answer: a counterfactual explanation.

Few columns change, and numbers as little as possible: first every single column is tried, then two and three together,
from the changes that came closest. Each column takes values that training rows had. What is found is an upper bound:
a still nearer change may exist.

S. Wachter, B. Mittelstadt and C. Russell (2018), "Counterfactual explanations without opening the black box", Harvard
Journal of Law & Technology 31(2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns, Texts, Values

MAX_CHANGED = 3  # columns that change together
BEAM = 16  # combinations from which the next column is tried
MAX_CELLS = 2_000_000  # of the rows that are scored for one number of columns
REFINED = 8  # of the changes found, whose numbers are moved back towards the row
HALVINGS = 12  # of the way back, for each number
DIGITS = range(-6, 7)  # behind the point; of a number that people read
MAX_LONGER = 1.1  # a number with fewer digits may be so much further away

Selection = npt.NDArray[np.intp]
ScoreRows = Callable[[Columns], npt.NDArray[Any]]


class Goal(NamedTuple):
    """What the change has to reach, of scores (n, k).

    Parameters
    ----------
    reached : which of the n rows have another answer
    progress : how near each of them is, larger is nearer
    """

    reached: Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]]
    progress: Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]


class Option(NamedTuple):
    """The values that a column may take.

    Parameters
    ----------
    values : (1 + m,), the row's own value first
    spread : the distance 1 between two numbers; 0 for texts, and for numbers without any
    """

    values: Values
    spread: float = 0.0


def nearest_change(options: Mapping[str, Option], score: ScoreRows, goal: Goal) -> dict[str, Values] | None:
    """Return the new value (1,) of each changed column, or None if no change of MAX_CHANGED columns reaches the goal.

    Parameters
    ----------
    options : of all columns that the graph reads
    score : returns scores (n, k) of n rows

    Examples
    --------
    >>> numbers = lambda *values: np.array(values, dtype=np.float32)
    >>> options = {"age": Option(numbers(30, 20, 60), 40), "debt": Option(numbers(9, 0, 5), 10)}
    >>> score = lambda columns: (columns.values["age"] - 2 * columns.values["debt"])[:, None]
    >>> goal = Goal(lambda scores: scores[:, 0] >= 20, lambda scores: scores[:, 0])
    >>> nearest_change(options, score, goal)
    {'age': array([38.], dtype=float32)}
    """
    names = list(options)
    search = _Search(names, options, score, goal)
    beam = [np.zeros(len(names), dtype=np.intp)]
    for _ in range(min(MAX_CHANGED, len(names))):
        tried = search.one_more(beam)
        if not len(tried):
            return None
        scores = search.score_of(tried)
        reached = tried[goal.reached(scores)]
        if len(reached):
            return search.nearest(reached)
        order = np.argsort(-goal.progress(scores), kind="stable")
        beam = list(tried[order[:BEAM]])
    return None


class _Search:
    """Rows as selections (n, columns): which value of its options each column has, 0 for the row's own."""

    def __init__(self, names: list[str], options: Mapping[str, Option], score: ScoreRows, goal: Goal) -> None:
        self.names, self.options, self.score, self.goal = names, options, score, goal
        self.sizes = np.array([len(options[name].values) for name in names])

    def one_more(self, beam: list[Selection]) -> Selection:
        """Return the selections with one more changed column, each once; of too many, evenly spread ones."""
        single = np.concatenate([
            np.stack([np.full(size - 1, place), np.arange(1, size)], axis=1)
            for place, size in enumerate(self.sizes) if size > 1
        ] or [np.empty((0, 2), dtype=np.intp)])  # fmt: skip
        made = []
        for selection in beam:
            free = single[selection[single[:, 0]] == 0]
            rows = np.repeat(selection[None, :], len(free), axis=0)
            rows[np.arange(len(free)), free[:, 0]] = free[:, 1]
            made.append(rows)
        rows = np.unique(np.concatenate(made), axis=0)
        limit = max(1, MAX_CELLS // max(1, len(self.names)))
        return rows if len(rows) <= limit else rows[np.linspace(0, len(rows) - 1, limit).astype(np.intp)]

    def score_of(self, selections: Selection) -> npt.NDArray[Any]:
        return self.score(Columns({
            name: _taken(self.options[name].values, selections[:, place]) for place, name in enumerate(self.names)
        }))  # fmt: skip

    def nearest(self, reached: Selection) -> dict[str, Values]:
        """Return the nearest of some selections, its numbers moved back as far as the goal stays reached."""
        by_distance = sorted(reached, key=self._distance)[:REFINED]
        refined = [self._moved_back(selection) for selection in by_distance]
        return min(refined, key=self._distance_of_values)

    def _distance(self, selection: Selection) -> float:
        return self._distance_of_values(self._values(selection))

    def _values(self, selection: Selection) -> dict[str, Values]:
        return {
            name: _taken(self.options[name].values, selection[place : place + 1])
            for place, name in enumerate(self.names)
            if selection[place]
        }

    def _distance_of_values(self, changed: dict[str, Values]) -> float:
        return sum(_distance(self.options[name], values) for name, values in changed.items())

    def _moved_back(self, selection: Selection) -> dict[str, Values]:
        changed = self._values(selection)
        for name, values in changed.items():
            own = self.options[name].values
            if isinstance(values, Texts) or isinstance(own, Texts) or not np.isfinite([own[0], values[0]]).all():
                continue
            near, far = float(own[0]), float(values[0])
            for _ in range(HALVINGS):
                middle = np.array([(near + far) / 2], dtype=values.dtype)
                if self._reaches(changed | {name: middle}):
                    far = float(middle[0])
                else:
                    near = float(middle[0])
            if _are_whole(own):
                changed = changed | {name: self._next_whole(changed, name, float(own[0]), far)}
            else:
                changed = changed | {name: self._with_few_digits(changed, name, float(own[0]), far)}
        return changed

    def _next_whole(self, changed: dict[str, Values], name: str, own: float, far: float) -> Values:
        """Return the next whole number beyond one that reaches the goal, or else the training rows' own: 6.1 is 7."""
        beyond = math.ceil(far) if far > own else math.floor(far)
        for number in (round(far), beyond):  # `far` is a little beyond the number that is just enough
            whole = np.array([number], dtype=changed[name].dtype)  # type: ignore[union-attr]
            if number != own and self._reaches(changed | {name: whole}):
                return whole
        return changed[name]

    def _with_few_digits(self, changed: dict[str, Values], name: str, own: float, far: float) -> Values:
        """Return the number with the fewest digits that is about as near, and reaches the goal too."""
        dtype = self.options[name].values.dtype  # type: ignore[union-attr]
        for digits in DIGITS:
            shorter = np.array([round(far, digits)], dtype=dtype)
            if 0 < abs(float(shorter[0]) - own) <= MAX_LONGER * abs(far - own) and self._reaches(
                changed | {name: shorter}
            ):
                return shorter
        return np.array([far], dtype=dtype)

    def _reaches(self, changed: dict[str, Values]) -> bool:
        own = np.zeros(1, dtype=np.intp)
        row = {name: changed.get(name, _taken(self.options[name].values, own)) for name in self.names}
        return bool(self.goal.reached(self.score(Columns(row)))[0])


def _taken(values: Values, places: Selection) -> Values:
    return Texts(values.codes[places], values.levels) if isinstance(values, Texts) else values[places]


def _are_whole(values: Values) -> bool:
    """Return whether a column counts something: the row's own value and all that it may take are whole."""
    return not isinstance(values, Texts) and bool(np.all(np.isnan(values) | (values == np.round(values))))


def _distance(option: Option, values: Values) -> float:
    """Return how far a value is from the row's own: 1 for another text, and for a number where one is missing."""
    own = option.values
    if isinstance(own, Texts) or isinstance(values, Texts) or not option.spread:
        return 1.0
    far = abs(float(values[0]) - float(own[0])) / option.spread
    return far if np.isfinite(far) else 1.0
