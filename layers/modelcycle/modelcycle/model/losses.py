"""The losses by which models are compared. Lower is better."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.spec import Task

SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)  # 1.2e-7: one wrong row costs at most 16 nats
Array = npt.NDArray[Any]


def log_loss(scores: Array, target: Array) -> float:
    """Return the mean log loss in nats, by scikit-learn.

    A probability counts as at least float32's machine epsilon, 1.2e-7, so one wrong row costs at most 16 nats.

    Parameters
    ----------
    scores : probabilities (n, k) in the order of the codes, finite
    target : codes (n,)

    Examples
    --------
    >>> round(log_loss(np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([1, 0])), 4)
    0.367
    """
    from sklearn import metrics

    # a graph may round a probability to 1.0000001, which scikit-learn refuses
    probabilities = np.clip(scores.astype(np.float32), 0, 1)
    return float(metrics.log_loss(target, probabilities, labels=np.arange(scores.shape[1])))


def log_losses(probabilities: Array) -> npt.NDArray[np.float64]:
    """Return the log loss in nats of each row, by its probability of the true class; of any shape, as in `log_loss`.

    >>> log_losses(np.array([1.0, 0.5, 0.0])).round(2).tolist()
    [-0.0, 0.69, 15.94]
    """
    losses: npt.NDArray[np.float64] = -np.log(np.clip(probabilities, SMALLEST_PROBABILITY, 1.0))
    return losses


def row_losses(scores: Array, target: Array, task: Task) -> npt.NDArray[np.float64]:
    """Return the loss (n,) of each row: the quadratic score (Brier 1950; 0 to 2), or the squared error.

    Paired comparisons of two models use these. One overconfident row would dominate the log loss: on a few dozen rows
    it hides a model that is right on all others.

    Parameters
    ----------
    scores : probabilities (n, k), or values (n, 1)
    target : codes (n,), or numbers (n,)

    Examples
    --------
    >>> row_losses(np.array([[0.0, 1.0], [0.5, 0.5]]), np.array([0, 1]), "binary")
    array([2. , 0.5])
    """
    if task == "regression":
        return np.square(scores[:, 0].astype(np.float64) - target)
    truth = np.zeros(scores.shape)
    truth[np.arange(len(target)), target] = 1.0
    quadratic: npt.NDArray[np.float64] = np.square(scores.astype(np.float64) - truth).sum(axis=1)
    return quadratic
