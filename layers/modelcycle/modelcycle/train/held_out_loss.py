"""The loss of held-out scores, by which trials are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.losses import log_loss

NO_MODEL = 1e300  # the loss of a trial without a model, worse than any real one; JSON has no infinity


def validation_loss(scores: npt.NDArray[np.float32], target: npt.NDArray[Any] | None) -> float:
    """Return the log loss or the root mean squared error, `NO_MODEL` for scores that are not finite.

    Parameters
    ----------
    scores : probabilities (n, classes), or values (n, 1)
    target : class codes, int (n,); or numbers, float (n,)
    """
    from sklearn.metrics import root_mean_squared_error

    assert target is not None
    if not np.isfinite(scores).all():
        return NO_MODEL
    if target.dtype.kind == "i":
        return log_loss(scores, target)
    loss = float(root_mean_squared_error(target, scores[:, 0].astype(np.float64)))
    return loss if np.isfinite(loss) else NO_MODEL
