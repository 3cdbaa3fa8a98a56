"""Probabilities of the classes as they come out, by rows whose outcome is known.

The scores of each class are calibrated by a logistic curve (Platt 1999) or a monotonic one (Zadrozny and Elkan 2002),
whichever predicts held-out rows better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modelcycle.model.losses import log_losses

Kind = Literal["logistic", "monotonic"]
CALIBRATION_FOLDS = 4
SMALLEST = 1e-6  # probability
Numbers = npt.NDArray[np.float64]
Curve = Callable[[Numbers], Numbers]


def choose_curve(scores: Numbers, target: npt.NDArray[np.int64], weights: Numbers) -> Kind:
    """Return which curve predicts held-out rows better.

    Parameters
    ----------
    scores : (n, k)
    target : codes (n,)
    weights : (n,)
    """
    fold = np.random.default_rng(1).permutation(len(target)) % CALIBRATION_FOLDS
    losses: dict[Kind, float] = {"logistic": 0.0, "monotonic": 0.0}
    for number in range(CALIBRATION_FOLDS):
        learn, held_out = fold != number, fold == number
        for kind in losses:
            found = outcome_probabilities(
                scores[held_out], fit_curves(kind, scores[learn], target[learn], weights[learn])
            )
            of_truth = found[np.arange(len(found)), target[held_out]]
            losses[kind] += float(weights[held_out] @ log_losses(of_truth))
    return "monotonic" if losses["monotonic"] < losses["logistic"] else "logistic"


def fit_curves(kind: Kind, scores: Numbers, target: npt.NDArray[np.int64], weights: Numbers) -> list[Curve]:
    """Return the curve of each class; of two classes, that of the second alone."""
    k = scores.shape[1]
    codes: Sequence[int] = [1] if k == 2 else range(k)
    return [_curve(kind, scores[:, code], (target == code).astype(np.float64), weights) for code in codes]


def outcome_probabilities(scores: Numbers, curves: Sequence[Curve]) -> Numbers:
    """Return the calibrated probabilities (n, k) of scores."""
    if len(curves) == 1:
        positive = np.clip(curves[0](scores[:, 1]), 0.0, 1.0)
        return np.stack([1 - positive, positive], axis=1)
    found = np.stack([np.clip(curve(scores[:, code]), SMALLEST, 1.0) for code, curve in enumerate(curves)], axis=1)
    probabilities: Numbers = found / found.sum(axis=1, keepdims=True)
    return probabilities


def _curve(kind: Kind, scores: Numbers, is_class: Numbers, weights: Numbers) -> Curve:
    used = weights > 0
    positives = float(weights @ is_class)
    if not 0 < positives < float(weights.sum()):  # a class that none, or all of the rows have
        share = positives / max(float(weights.sum()), SMALLEST)
        return lambda values: np.full(len(values), share)
    if kind == "monotonic":
        from sklearn.isotonic import IsotonicRegression

        fitted: Any = IsotonicRegression(out_of_bounds="clip").fit(scores[used], is_class[used], weights[used])
        return lambda values: np.asarray(fitted.predict(values), dtype=np.float64)
    from sklearn.linear_model import LogisticRegression

    # a weak penalty keeps the slope finite where the scores separate the classes
    model: Any = LogisticRegression(C=1e3, solver="newton-cholesky").fit(
        _logit(scores[used])[:, None], is_class[used], weights[used]
    )
    return lambda values: np.asarray(model.predict_proba(_logit(values)[:, None])[:, 1], dtype=np.float64)


def _logit(scores: Numbers) -> Numbers:
    inside = np.clip(scores, SMALLEST, 1 - SMALLEST)
    logits: Numbers = np.log(inside / (1 - inside))
    return logits
