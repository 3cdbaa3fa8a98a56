"""Tables of the validation report: confusion and residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.group_cutoffs import Cutoffs
from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import DEFAULT_THRESHOLD

RESIDUAL_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
Array = npt.NDArray[Any]


def confusion(
    scores: Array, target: Array, classes: list[str], threshold: Cutoffs = DEFAULT_THRESHOLD
) -> dict[str, Any]:
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
