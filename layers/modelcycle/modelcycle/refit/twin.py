"""The refit and its twin: no worse on the rows that both have learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns
from modelcycle.model.losses import row_losses
from modelcycle.spec import Task

MAX_WORSE = 0.05  # share of the loss of a model without features
MAX_WORSE_DRIFTING = 0.25  # the same, where rows are ordered by time: measured on drifting series, up to 0.08
MAX_CHANCE = 0.01  # p value, one-sided
MAX_ROWS = 20_000


def compared_rows(known: Columns) -> Columns:
    """Return at most MAX_ROWS of the rows that both have learned from, spread evenly."""
    return known.take(np.unique(np.linspace(0, max(known.rows - 1, 0), min(known.rows, MAX_ROWS)).astype(np.int64)))


def worse_than_twin(
    refit: npt.NDArray[Any], twin: npt.NDArray[Any], target: npt.NDArray[Any], drifting: bool = False
) -> str:
    """Return why a refit is worse than its twin on the rows that both know, as a sentence, or "".

    More rows change a model a little everywhere; where the data drift, its old rows no longer are what it should fit
    best. A refit is worse if the mean of its quadratic scores or squared errors is higher beyond chance (Student's
    paired t test) and by more than a share of the loss of a model without features. That is the sign of a fit that went
    wrong, or of test rows that contradict all others.

    Parameters
    ----------
    refit, twin : scores (n, k) of the same rows
    target : class codes or numbers (n,)
    drifting : whether the rows are ordered by time

    Examples
    --------
    >>> target = np.array([0, 1] * 50)
    >>> sure = np.column_stack([1 - target, target]).astype(float)
    >>> print(worse_than_twin(np.full((100, 2), 0.5), sure * 0.8 + 0.1, target)[-80:])
    worse on 100 rows that both models know: loss 0.5, that of the judged model 0.02
    >>> worse_than_twin(sure, sure, target)
    ''
    """
    from scipy.stats import ttest_rel

    task: Task = "multiclass" if target.dtype.kind == "i" else "regression"
    losses, others = row_losses(refit, target, task), row_losses(twin, target, task)
    if task == "regression":
        without_features = float(np.var(target))
    else:
        without_features = 1 - float(np.square(np.bincount(target) / len(target)).sum())
    difference = float((losses - others).mean())
    if difference <= (MAX_WORSE_DRIFTING if drifting else MAX_WORSE) * without_features:
        return ""
    if float(np.ptp(losses - others)) > 0 and ttest_rel(losses, others, alternative="greater").pvalue >= MAX_CHANCE:
        return ""
    name, loss, other = ("loss", losses.mean(), others.mean())
    if task == "regression":
        name, loss, other = "rmse", np.sqrt(loss), np.sqrt(other)
    return (
        f"the model that has learned from all rows is worse on {len(target):,} rows that both models know: "
        f"{name} {loss:.3g}, that of the judged model {other:.3g}"
    )
