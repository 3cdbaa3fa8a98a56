"""The parity gate: the ONNX graph has to answer as the scikit-learn pipeline does, row by row.

Measured on sound exports, differences stay below 3e-6; on the broken ones that are known (categorical features inside
gradient boosting, forests behind a scaler) they begin at 0.02. The tolerance lies between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import ParityBroken
from modelcycle.model.scoring import chosen
from modelcycle.spec import Task

TOLERANCE = 1e-4  # of a probability; of a value, in standard deviations of the target


@dataclass(frozen=True)
class Parity:
    """`flips` are rows whose class differs although their scores agree: they lie on the threshold itself."""

    rows: int
    max_difference: float
    flips: int


def hold_together(
    parts: list[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]], task: Task, spread: float, algorithm: str
) -> Parity:
    """Compare scores, part by part.

    A row may change its class only within the tolerance: both libraries then say, up to rounding, the threshold. What
    is validated and served is ONNX's side of it, so nothing is left to chance later.

    Parameters
    ----------
    parts : name, scikit-learn's scores (n, k), ONNX's scores (n, k)
    spread : standard deviation of the target, for a regression; its differences are in this unit
    algorithm : what was trained, for the remedy

    Raises
    ------
    ParityBroken : a row differs by more than `TOLERANCE`, or one of the two has no finite score
    """
    unit = spread if task == "regression" and np.isfinite(spread) and spread > 0 else 1.0
    broken: list[str] = []
    rows = flips = 0
    largest = 0.0
    for name, expected, got in parts:
        if expected.shape != got.shape:
            broken.append(f"{name}: scores of shape {got.shape} for {expected.shape}")
            continue
        rows += len(expected)
        if not len(expected):
            continue
        difference = np.abs(got.astype(np.float64) - expected.astype(np.float64)).max(axis=1) / unit
        off = ~(difference <= TOLERANCE)  # NaN counts as off
        finite = difference[np.isfinite(difference)]
        largest = max(largest, float(finite.max()) if len(finite) else 0.0)
        if task != "regression":
            flips += int((chosen(expected) != chosen(got)).sum())
        if off.any():
            unscored = int((~np.isfinite(difference)).sum())
            broken.append(
                f"{int(off.sum())} of {len(off)} {name} rows differ"
                + (f", {unscored} of them without a finite score" if unscored else "")
            )
    if broken:
        raise ParityBroken(
            f"scikit-learn and ONNX give different scores: {'; '.join(broken)}; largest difference {largest:.2g}, "
            f"allowed {TOLERANCE:.0e}",
            "score_candidate",
            f"leave {algorithm} out of training.algorithms in the pipeline file, and report it",
        )
    return Parity(rows, largest, flips)
