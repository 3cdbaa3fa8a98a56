"""Tables of the report that are no metric: who is taken for whom, and whether a probability means what it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.scoring import chosen

BINS = 10


def confusion(scores: npt.NDArray[Any], target: npt.NDArray[Any], classes: list[str]) -> dict[str, Any]:
    """Counts by true class (rows) and predicted class (columns)."""
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(target, chosen(scores), labels=np.arange(len(classes)))
    return {"classes": classes, "counts": counts.tolist()}


def calibration(scores: npt.NDArray[Any], target: npt.NDArray[Any]) -> list[dict[str, float]]:
    """Ten bins of a probability: rows, what was said and what came true, on average.

    Binary: the positive class. Multiclass: the class that was chosen (confidence).
    """
    if scores.shape[1] == 2:
        said, true = scores[:, 1].astype(np.float64), target == 1
    else:
        said, true = scores.max(axis=1).astype(np.float64), chosen(scores) == target
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    return [
        {
            "from": place / BINS,
            "to": (place + 1) / BINS,
            "rows": int(inside.sum()),
            "said": float(said[inside].mean()),
            "true": float(true[inside].mean()),
        }
        for place in range(BINS)
        if (inside := bins == place).any()
    ]


def residuals(scores: npt.NDArray[Any], target: npt.NDArray[Any]) -> dict[str, float]:
    """Quantiles of prediction minus truth."""
    errors = scores[:, 0].astype(np.float64) - target
    shares = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
    return {f"{share:g}": float(value) for share, value in zip(shares, np.quantile(errors, shares), strict=True)}
