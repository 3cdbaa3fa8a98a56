"""The rows of one request, while versions score them: each by its own version, or else by another one that can."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from modelcycle.faults import Fault
from modelcycle.model import scoring
from modelcycle.model.columns import shortest_decimal
from modelcycle.model.loaded_version import LoadedVersion
from modelcycle.model.reader import CellError
from modelcycle.model.request_columns import RequestColumns

# why a version did not answer its rows, where that is not the class name of an error
NOT_LOADED = "NotLoaded"
NOT_READABLE = "BadRequest"
NOT_FINITE = "NotFinite"


class Left(NamedTuple):
    """Rows that a version cannot read or score, and the first reason."""

    rows: Sequence[int]
    reason: str = ""


class ScoredRows:
    """What is known of each row so far.

    Parameters
    ----------
    instances : the rows; the names of their columns are checked
    assigned : the version that the route names for each row

    Attributes
    ----------
    versions : that answers each row: the assigned one, unless another one has scored it
    predictions, probabilities : of each row; None until it is scored
    failures : by assigned version, why it did not score some of its rows
    milliseconds : by version, the time to read and score its rows
    """

    def __init__(self, instances: Sequence[dict[str, Any]], assigned: list[int]) -> None:
        self.instances = instances
        self.assigned = assigned
        self.versions = list(assigned)
        self.predictions: list[Any] = [None] * len(instances)
        self.probabilities: list[dict[str, float] | None] = [None] * len(instances)
        self.failures: dict[int, str] = {}
        self.milliseconds: dict[int, float] = defaultdict(float)
        self._left: Sequence[int] = []
        self._unreadable: dict[int, list[CellError]] = defaultdict(list)
        self._errors: dict[int, str] = {}

    def score(self, versions: Sequence[LoadedVersion], columns: RequestColumns) -> None:
        """Score each row by its assigned version, or else by the first of the others that can.

        Parameters
        ----------
        versions : that may answer, the champion first

        Raises
        ------
        BadRequest : no version can read a row; in the words of the champion
        Fault : no version can score it
        """
        loaded = {version.version: version for version in versions}
        for number, rows in _positions(self.assigned).items():
            left = self._score_rows(loaded[number], rows) if number in loaded else Left(rows, NOT_LOADED)
            if left.rows:
                self.failures[number] = left.reason
                self._left = [*self._left, *left.rows]
        for version in versions:
            if not self._left:
                return
            own = [row for row in self._left if self.assigned[row] == version.version]
            others = [row for row in self._left if self.assigned[row] != version.version]
            self._left = [*own, *self._score_rows(version, others).rows] if others else own
        if self._left:
            raise self._refusal(versions[0].version, columns)

    def _score_rows(self, version: LoadedVersion, rows: Sequence[int]) -> Left:
        """Score rows by one version; return those that it cannot read or score."""
        number, left, started = version.version, Left([]), time.perf_counter()
        columns, errors = version.reader.read([self.instances[row] for row in rows])
        if errors:
            self._unreadable[number] += [error._replace(row=rows[error.row]) for error in errors]
            broken = {error.row for error in errors}
            good = [position for position in range(len(rows)) if position not in broken]
            left = Left([rows[position] for position in sorted(broken)], NOT_READABLE)
            rows, columns = [rows[position] for position in good], columns.take(np.array(good, dtype=np.intp))
            if not rows:
                return left
        try:
            scores = version.scorer.scores(columns)
            predictions = scoring.predictions(scores, version.signature, columns)
        except Exception as error:  # whatever the graph raises, another version may answer
            self._errors.setdefault(number, type(error).__name__)
            return Left([*left.rows, *rows], left.reason or type(error).__name__)
        finite: list[bool] = np.logical_and.reduce(np.isfinite(scores), axis=1).tolist()
        if not all(finite):
            self._errors.setdefault(number, NOT_FINITE)
            lost = [row for row, is_finite in zip(rows, finite, strict=True) if not is_finite]
            left = Left([*left.rows, *lost], left.reason or NOT_FINITE)
        classes = version.signature.classes
        for row, prediction, score, is_finite in zip(rows, predictions, scores, finite, strict=True):
            if is_finite:
                self.versions[row] = number
                self.predictions[row] = prediction
                if classes:
                    self.probabilities[row] = dict(zip(classes, map(shortest_decimal, score), strict=True))
        self.milliseconds[number] += (time.perf_counter() - started) * 1000
        return left

    def _refusal(self, champion: int, columns: RequestColumns) -> Fault:
        """Return why some rows are not answered."""
        left = set(self._left)
        for number in sorted(self._unreadable, key=lambda number: number != champion):
            errors = [error for error in self._unreadable[number] if error.row in left]
            if errors and (number == champion or not self._errors):
                return columns.unreadable(errors)
        failed = ", ".join(f"version {number} fails with {name}" for number, name in sorted(self._errors.items()))
        return Fault("the model cannot score a row", f"/instances/{min(left)}", failed)


def _positions(assigned: Iterable[int]) -> dict[int, list[int]]:
    """Return the positions of the rows of each version.

    >>> _positions([3, 4, 3])
    {3: [0, 2], 4: [1]}
    """
    positions: dict[int, list[int]] = defaultdict(list)
    for row, version in enumerate(assigned):
        positions[version].append(row)
    return dict(positions)
