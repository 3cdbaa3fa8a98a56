"""The rows that staging asks for, and what the answers to them must be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns
from modelcycle.model.scoring import ScoreArray, predictions
from modelcycle.model.signature import Signature

SCORE_TOLERANCE = (
    1e-5  # of a row alone and in a batch, relative and in `unit`s: matrix products add up in another order
)

# a check sends all rows on record in one request; inside the event its text is escaped, to twice the length at most
MAX_RECORD_BYTES = 2**20
MAX_ROW_BYTES = 2 * 2**20  # of a row that is alone on record


@dataclass(frozen=True)
class ExpectedAnswers:
    """Test rows as requests have them, with the scores that one batch gave them.

    Parameters
    ----------
    signature : of the version
    instances : the rows, n
    scores : float (n, classes) or (n, 1)
    labels : the prediction of each row
    cutoffs : thresholds of the rows (n,), or of all; None: that of the signature
    unit : of a difference: the rounding of large terms stays when they add up to a small one
    """

    signature: Signature
    instances: list[dict[str, Any]]
    scores: ScoreArray
    labels: list[str | float]
    unit: float
    cutoffs: float | npt.NDArray[np.float32] | None = None

    @classmethod
    def of(cls, signature: Signature, columns: Columns, scores: ScoreArray, rows: int) -> ExpectedAnswers:
        """Choose at most `rows` of the test rows, spread evenly.

        Parameters
        ----------
        columns : all test rows
        scores : of all test rows, computed in one batch
        """
        positions = _evenly_spread(columns.rows, rows)
        deviation = float(np.std(scores)) if signature.task == "regression" and len(scores) else 0.0
        return cls(
            signature,
            signature.instances(columns.take(positions)),
            scores[positions],
            list(predictions(scores[positions], signature, columns.take(positions))),
            deviation if np.isfinite(deviation) and deviation > 0 else 1.0,
            signature.cutoffs(columns.take(positions).values, len(positions)),
        )

    def differs(self, row: int, prediction: str | float, probabilities: Mapping[str, float] | None) -> bool:
        """Return whether the answer to a row is another one than that of the batch, beyond rounding."""
        answered = [prediction] if probabilities is None else list(probabilities.values())
        expected = self.scores[row]
        if len(answered) != len(expected):
            return True
        is_close = np.allclose(
            np.array(answered, dtype=np.float64), expected, rtol=SCORE_TOLERANCE, atol=SCORE_TOLERANCE * self.unit
        )
        if probabilities is None or prediction == self.labels[row]:
            return not is_close
        return not is_close or not self._is_tie(row)

    def on_record(self, rows: int) -> dict[str, Any]:
        """Return at most `rows` of the rows with their answers as JSON values, for checks of later code.

        They are compared without any code of a model: such code would err in the same way on both sides. Together they
        have at most `MAX_RECORD_BYTES`, or are one row of at most `MAX_ROW_BYTES`; `too_large` counts the others.
        """
        kept: list[dict[str, Any]] = []
        left, smallest, too_large = MAX_RECORD_BYTES, MAX_ROW_BYTES + 1, 0
        alone: list[dict[str, Any]] = []
        for row in _evenly_spread(len(self.instances), rows).tolist():
            if not self._is_json(row):
                continue
            answered = self._answered(row)
            size = len(json.dumps(answered))
            if size <= left:
                kept.append(answered)
                left -= size
                continue
            too_large += 1
            if size < smallest:
                smallest, alone = size, [answered]
        if alone and not kept:
            kept, too_large = alone, too_large - 1
        return {"tolerance": SCORE_TOLERANCE, "unit": self.unit, "rows": kept, "too_large": too_large}

    def _answered(self, row: int) -> dict[str, Any]:
        """Return a row as requests have it, with its answer."""
        regression = self.signature.task == "regression"
        return {
            "instance": self.instances[row],
            "prediction": self.labels[row],
            "probabilities": None if regression else self._probabilities(row),
            "tie": not regression and self._is_tie(row),
        }

    def _is_json(self, row: int) -> bool:
        """Return whether JSON can carry a row and its answer: it has no numbers that are not finite."""
        numbers = [value for value in self.instances[row].values() if isinstance(value, float)]
        return bool(np.isfinite([*numbers, *self.scores[row]]).all())

    def _probabilities(self, row: int) -> dict[str, float]:
        return {name: float(score) for name, score in zip(self.signature.classes, self.scores[row], strict=True)}

    def _is_tie(self, row: int) -> bool:
        """Return whether the probabilities are so close to the decision that rounding may change the class."""
        scores = self.scores[row]
        if len(scores) == 2:
            cutoffs = self.signature.threshold if self.cutoffs is None else self.cutoffs
            cutoff = cutoffs if isinstance(cutoffs, float) else float(cutoffs[row])
            return bool(abs(scores[1] - cutoff) <= SCORE_TOLERANCE)
        highest, second = np.sort(scores)[::-1][:2]
        return bool(highest - second <= 2 * SCORE_TOLERANCE)


def _evenly_spread(available: int, wanted: int) -> npt.NDArray[np.intp]:
    """Return the positions of at most `wanted` of `available` rows."""
    if not available:
        return np.array([], dtype=np.intp)
    return np.unique(np.linspace(0, available - 1, min(wanted, available)).astype(np.intp))
