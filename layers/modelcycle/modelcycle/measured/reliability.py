"""Predicted probabilities against the frequencies that came out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.scoring import predicted_codes

CALIBRATION_BINS = 10
Array = npt.NDArray[Any]


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
