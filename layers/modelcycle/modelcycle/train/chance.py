"""What could be chance: the comparison of two ways to score the same held-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FOLDS = 5
CONFIDENCE_LEVEL = 0.95
SEED = 0


def folds_of(target: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return a fold (m,) for each row, each class spread evenly over the folds; equal targets give equal folds."""
    random = np.random.default_rng(SEED)
    shuffled = random.permutation(len(target))
    if target.dtype.kind == "i":
        shuffled = shuffled[np.argsort(target[shuffled], kind="stable")]
    folds = np.empty(len(target), dtype=np.int64)
    folds[shuffled] = np.arange(len(target)) % FOLDS
    return folds


def is_lower(losses: npt.NDArray[np.float64], others: npt.NDArray[np.float64]) -> bool:
    """Return whether losses (m,) are lower beyond chance: Student's paired t test, one-sided, at 95 %.

    Examples
    --------
    >>> is_lower(np.array([0.1, 0.2, 0.1, 0.3]), np.array([0.4, 0.4, 0.5, 0.4]))
    True
    >>> is_lower(np.array([0.1, 0.2]), np.array([0.1, 0.2]))
    False
    """
    from scipy.stats import ttest_rel

    differences = losses - others
    if len(differences) < 2 or not np.isfinite(differences).all() or float(np.ptp(differences)) == 0.0:
        return False
    return bool(ttest_rel(losses, others, alternative="less").pvalue < 1 - CONFIDENCE_LEVEL)
