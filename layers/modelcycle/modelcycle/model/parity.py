"""The parity check: the ONNX graph must give the scores of the scikit-learn pipeline, row by row.

Measured on sound exports, differences are below 3e-6. On exports that are known to be broken (categorical features in
gradient boosting, forests after a scaler) they begin at 0.02. The tolerance lies between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.faults import ParityBroken
from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import DEFAULT_THRESHOLD
from modelcycle.spec import Task

TOLERANCE = 1e-4  # of a probability; of a value, in standard deviations of the target


class ScorePair(NamedTuple):
    """Scores of the same rows by scikit-learn and by ONNX.

    Parameters
    ----------
    name : of the rows, for the message
    expected : scikit-learn's scores (n, k)
    actual : ONNX's scores (n, k)
    """

    name: str
    expected: npt.NDArray[Any]
    actual: npt.NDArray[Any]


@dataclass(frozen=True)
class Parity:
    """The result of a check that has passed.

    Parameters
    ----------
    rows : number of rows compared
    max_difference : largest difference of a score, in the unit of `TOLERANCE`
    flips : rows whose predicted class differs, because their scores lie on either side of the threshold
    """

    rows: int
    max_difference: float
    flips: int


def deviation_of(target: npt.NDArray[Any] | None) -> float:
    """Return the standard deviation of a target (n,), the unit of a regression's differences; 1 without rows."""
    return 1.0 if target is None or not len(target) else float(np.nanstd(target))


def check_parity(
    pairs: list[ScorePair], task: Task, deviation: float, algorithm: str, threshold: float = DEFAULT_THRESHOLD
) -> Parity:
    """Compare scores.

    A row may change its class within the tolerance: both libraries then place it on the threshold, up to rounding. What
    is validated and served is always ONNX's prediction.

    Parameters
    ----------
    deviation : standard deviation of a regression's target
    algorithm : of the model, for the remedy
    threshold : from which the positive of two classes is predicted

    Raises
    ------
    ParityBroken : a row differs by more than `TOLERANCE`, or has a score that is not finite

    Examples
    --------
    >>> expected, actual = np.array([[0.25, 0.75], [0.5, 0.5]]), np.array([[0.25, 0.75], [0.50001, 0.49999]])
    >>> parity = check_parity([ScorePair("validation", expected, actual)], "binary", 1.0, "linear")
    >>> parity.rows, round(parity.max_difference, 6), parity.flips
    (2, 1e-05, 1)
    """
    unit = deviation if task == "regression" and np.isfinite(deviation) and deviation > 0 else 1.0
    problems: list[str] = []
    rows = flips = 0
    max_difference = 0.0
    for name, expected, actual in pairs:
        if expected.shape != actual.shape:
            problems.append(f"{name}: scores of shape {actual.shape} instead of {expected.shape}")
            continue
        rows += len(expected)
        if not len(expected):
            continue
        differences = np.abs(actual.astype(np.float64) - expected.astype(np.float64)).max(axis=1) / unit
        different = ~(differences <= TOLERANCE)  # also true for NaN
        finite = np.isfinite(differences)
        max_difference = max(max_difference, float(differences[finite].max(initial=0.0)))
        if task != "regression":
            flips += int((predicted_codes(expected, threshold) != predicted_codes(actual, threshold)).sum())
        if different.any():
            n_unscored = int((~finite).sum())
            unscored = f", {n_unscored} of them without a finite score" if n_unscored else ""
            problems.append(f"{int(different.sum())} of {len(different)} {name} rows differ{unscored}")
    if problems:
        raise ParityBroken(
            f"scikit-learn and ONNX give different scores: {'; '.join(problems)}; the largest difference is "
            f"{max_difference:.2g}, at most {TOLERANCE:.0e} is allowed",
            "score_candidate",
            f"remove {algorithm} from training.algorithms in the pipeline file, and report this",
        )
    return Parity(rows, max_difference, flips)
