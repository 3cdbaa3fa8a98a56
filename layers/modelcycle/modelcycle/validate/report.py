"""The tables of the validation report: confusion, calibration, residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import DEFAULT_THRESHOLD

CALIBRATION_BINS = 10
RESIDUAL_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
Array = npt.NDArray[Any]


def confusion(scores: Array, target: Array, classes: list[str], threshold: float = DEFAULT_THRESHOLD) -> dict[str, Any]:
    """Return the rows by true class (outer list) and predicted class (inner list).

    Parameters
    ----------
    scores : (n, k)
    target : codes (n,)
    classes : names in the order of the codes
    threshold : probability from which the second of two classes is predicted

    Examples
    --------
    >>> confusion(np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 1]), ["no", "yes"])
    {'classes': ['no', 'yes'], 'counts': [[1, 0], [1, 0]]}
    """
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(target, predicted_codes(scores, threshold), labels=np.arange(len(classes)))
    return {"classes": classes, "counts": counts.tolist()}


def calibration(scores: Array, target: Array) -> list[dict[str, float]]:
    """Compare predicted probability and observed frequency, in equal bins of the probability without the empty ones.

    Binary: of the positive class. Multiclass: of the predicted class (confidence).

    Parameters
    ----------
    scores : (n, k)
    target : codes (n,)

    Returns
    -------
    for each bin its bounds (`from`, `to`), `rows`, mean probability (`said`) and share of true rows (`true`)

    Examples
    --------
    >>> calibration(np.array([[0.25, 0.75], [0.25, 0.75]]), np.array([1, 0]))
    [{'from': 0.7, 'to': 0.8, 'rows': 2, 'said': 0.75, 'true': 0.5}]
    """
    if scores.shape[1] == 2:
        probability, is_true = scores[:, 1].astype(np.float64), target == 1
    else:
        probability, is_true = scores.max(axis=1).astype(np.float64), predicted_codes(scores) == target
    bins = np.minimum((probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return [
        {
            "from": number / CALIBRATION_BINS,
            "to": (number + 1) / CALIBRATION_BINS,
            "rows": int(in_bin.sum()),
            "said": float(probability[in_bin].mean()),
            "true": float(is_true[in_bin].mean()),
        }
        for number in range(CALIBRATION_BINS)
        if (in_bin := bins == number).any()
    ]


def residuals(scores: Array, target: Array) -> dict[str, float]:
    """Return quantiles of prediction minus truth, by their share.

    Parameters
    ----------
    scores : (n, 1)
    target : numbers (n,)
    """
    errors = scores[:, 0].astype(np.float64) - target
    quantiles = np.quantile(errors, RESIDUAL_QUANTILES)
    return {f"{share:g}": float(value) for share, value in zip(RESIDUAL_QUANTILES, quantiles, strict=True)}
