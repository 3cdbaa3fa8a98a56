"""Calibration of a recipe's probabilities, fitted on held-out scores."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.messages import Calibration
from modelcycle.model.calibration import calibrate
from modelcycle.model.losses import log_losses
from modelcycle.train.chance import FOLDS, folds_of, is_lower

MIN_ROWS = 100  # held-out rows
MIN_CLASS_ROWS = 10  # held-out rows of each of two classes
SLOPES = (0.2, 5.0)  # a model that is further off has another fault
INTERCEPTS = (-3.0, 3.0)

Array = npt.NDArray[np.float64]


class ChosenCalibration(NamedTuple):
    """A calibration, with the log loss with and without it on rows that it was not fitted on."""

    calibration: Calibration
    loss: float
    loss_before: float


def choose_calibration(scores: Array, target: npt.NDArray[Any]) -> ChosenCalibration | None:
    """Return the calibration of probabilities, or None where it does not lower the log loss beyond chance.

    Two classes: Platt scaling of the logit (Platt, 1999, with his smoothed targets). More: temperature scaling (Guo,
    Pleiss, Sun and Weinberger, 2017). Whether it pays is measured by cross-validation on the held-out rows.

    Parameters
    ----------
    scores : probabilities (m, k) of held-out rows
    target : class codes (m,)
    """
    counts = np.bincount(target, minlength=scores.shape[1])
    if len(target) < MIN_ROWS or (len(counts) == 2 and counts.min() < MIN_CLASS_ROWS):
        return None
    folds, corrected = folds_of(target), np.empty(len(target))
    for fold in range(FOLDS):
        judged = folds == fold
        calibration = fit_calibration(scores[~judged], target[~judged])
        corrected[judged] = _losses(calibrate(scores[judged], calibration), target[judged])
    before = _losses(scores, target)
    if not is_lower(corrected, before):
        return None
    return ChosenCalibration(fit_calibration(scores, target), float(corrected.mean()), float(before.mean()))


def fit_calibration(scores: Array, target: npt.NDArray[Any]) -> Calibration:
    """Return the calibration with the lowest log loss, rounded to six digits.

    Parameters
    ----------
    scores : probabilities (m, k)
    target : class codes (m,)
    """
    from scipy.optimize import minimize, minimize_scalar

    if scores.shape[1] > 2:

        def loss(log_slope: float) -> float:
            return float(_losses(calibrate(scores, Calibration(slope=math.exp(log_slope))), target).mean())

        found = minimize_scalar(loss, bounds=tuple(map(math.log, SLOPES)), method="bounded")
        return Calibration(slope=_rounded(math.exp(found.x)))

    positive = target == 1
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    smoothed = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))

    def platt_loss(point: Array) -> float:
        calibration = Calibration(slope=float(point[0]), intercept=float(point[1]))
        losses = log_losses(calibrate(scores, calibration))
        return float((smoothed * losses[:, 1] + (1 - smoothed) * losses[:, 0]).mean())

    point = minimize(platt_loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[SLOPES, INTERCEPTS]).x
    return Calibration(slope=_rounded(float(point[0])), intercept=_rounded(float(point[1])))


def _losses(scores: Array, target: npt.NDArray[Any]) -> Array:
    """Return the log loss (m,) of each row of probabilities (m, k)."""
    return log_losses(scores[np.arange(len(target)), target])


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")
