"""Calibration: probabilities corrected so that of the rows scored 0.3, three in ten are positive.

Platt scaling and temperature scaling are powers of the probabilities:

    sigmoid(slope * logit(p) + intercept)  =  a / (a + b),  a = e^intercept * p^slope,  b = (1 - p)^slope
    softmax(slope * log(p))                =  p_j^slope / sum of all p_i^slope

Close to 0, a slope below 1 would magnify the rounding of float32, by which scikit-learn and ONNX differ. Below a small
probability the power is therefore replaced by its tangent: no two probabilities become equal, and a probability of
exactly 0 becomes a small one. `model.recipe_graph` writes the same formula as ONNX nodes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.messages import Calibration

MAX_AMPLIFICATION = 30.0  # of a difference between two probabilities; measured differences are below 3e-6
MIN_AMPLIFICATION = 2.0

Array = npt.NDArray[np.float64]


class Power(NamedTuple):
    """p ** slope from `bound` on, and below it the tangent of gradient `gradient`."""

    slope: float
    bound: float
    gradient: float

    def __call__(self, probabilities: Array) -> Array:
        """Return the powers of probabilities, of any shape."""
        powers: Array = np.power(np.maximum(probabilities, self.bound), self.slope)
        return powers + self.gradient * np.minimum(probabilities - self.bound, 0.0)


def power(calibration: Calibration) -> Power:
    """Return the power that a calibration takes of every probability.

    Examples
    --------
    >>> power(Calibration(slope=2.0))
    Power(slope=2.0, bound=0.0, gradient=0.0)
    >>> halved = power(Calibration(slope=0.5))
    >>> round(halved.bound, 6), halved.gradient
    (0.000278, 30.0)
    >>> halved(np.array([0.0, 0.25])).round(4).tolist()
    [0.0083, 0.5]
    """
    slope = calibration.slope
    if slope >= 1:
        return Power(slope, 0.0, 0.0)
    steepest = max(MAX_AMPLIFICATION * math.exp(-abs(calibration.intercept)), MIN_AMPLIFICATION)
    return Power(slope, (steepest / slope) ** (1 / (slope - 1)), steepest)


def class_factors(calibration: Calibration, present: npt.NDArray[np.bool_]) -> Array:
    """Return each class's factor (k,): e^intercept for the second of two, 0 for one without training rows, else 1."""
    factors = present.astype(np.float64)
    if len(factors) == 2:
        factors[1] *= math.exp(calibration.intercept)
    return factors


def calibrate(
    probabilities: npt.NDArray[np.floating], calibration: Calibration, present: npt.NDArray[np.bool_] | None = None
) -> Array:
    """Return calibrated probabilities (n, k), in double precision.

    Parameters
    ----------
    probabilities : (n, k)
    present : whether each class has training rows (k,); one without them keeps the probability 0. Default: all have

    Examples
    --------
    >>> calibrate(np.array([[0.9, 0.1], [0.5, 0.5]]), Calibration(slope=2.0)).round(3).tolist()
    [[0.988, 0.012], [0.5, 0.5]]
    """
    if present is None:
        present = np.ones(probabilities.shape[1], dtype=bool)
    # a graph may round a probability to 1.0000001
    exact = np.clip(probabilities.astype(np.float64), 0.0, 1.0)
    powers = power(calibration)(exact) * class_factors(calibration, present)
    calibrated: Array = powers / powers.sum(axis=1, keepdims=True)
    return calibrated
