"""The learning curve: the held-out loss of the best trial with fewer rows, which says whether more rows would help."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.messages import LearningCurve, LearningPoint, TrialResult
from modelcycle.model.losses import log_losses
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.train.chance import is_lower
from modelcycle.train.held_out import evenly
from modelcycle.train.held_out_loss import NO_MODEL, validation_loss
from modelcycle.train.held_out_scores import HeldOutScores, Rows, score_held_out
from modelcycle.train.splits import Split

SHARES = (0.25, 0.5)  # of the rows; what all rows give, the trial itself has shown
MAX_TRIAL_SECONDS = 40.0  # of the best trial; the smaller fits take less than it did, together
MAX_SPLITS = 2  # of a cross-validation: enough to see a difference, at two fifths of the time
MIN_ROWS = 200
MIN_GAIN = 0.01  # share of the loss by which all rows are better than half of them, to be worth more rows
SEED = 0


def learning_curve(
    best: TrialResult, plan: FeaturePlan, signature: Signature, rows: Rows, splits: list[Split],
    full: npt.NDArray[np.float32],
) -> LearningCurve | None:  # fmt: skip
    """Return the held-out loss of a trial fitted on a quarter and half of the rows, beside that on all.

    The rows are drawn at random, a smaller share from a larger one. Boosting finds its iterations for each share anew.

    Parameters
    ----------
    best : a trial with its loss
    splits : on which it was judged
    full : its scores of judged rows, (m, k), as in `HeldOut`

    Returns
    -------
    None if the trial took too long, there are too few rows, or a share cannot be learned from
    """
    every = np.sort(np.concatenate([split.judge for split in splits])) if splits else np.zeros(0, dtype=np.int64)
    every = every[evenly(len(every))]
    splits = splits[:MAX_SPLITS]
    fit_rows = int(np.mean([len(split.fit) for split in splits])) if splits else 0
    if best.seconds > MAX_TRIAL_SECONDS or fit_rows < MIN_ROWS or len(full) != len(every):
        return None
    is_judged = np.isin(every, np.concatenate([split.judge for split in splits]))
    positions = every[is_judged]
    target = rows.target[positions]
    points, losses = [], []
    for share in (*SHARES, 1.0):
        if share < 1.0:
            fewer = [Split(_drawn(split.fit, share), split.judge) for split in splits]
            try:
                held_out = score_held_out(best.trial, plan, signature.task, len(signature.classes), rows, fewer)
            except (ValueError, ArithmeticError, np.linalg.LinAlgError):
                return None
            scores = _scores_of(positions, held_out)
        else:
            scores = full[is_judged]
        loss = validation_loss(scores, target)
        if loss >= NO_MODEL:
            return None
        points.append(LearningPoint(rows=int(fit_rows * share), loss=loss))
        losses.append(_row_losses(scores, target))
    gain = 1 - points[-1].loss / points[-2].loss if points[-2].loss else 0.0
    return LearningCurve(points=points, helps=gain >= MIN_GAIN and is_lower(losses[-1], losses[-2]))


def _drawn(positions: npt.NDArray[np.int64], share: float) -> npt.NDArray[np.int64]:
    """Return a share of positions, at random; a smaller share is part of a larger one."""
    order = np.random.default_rng(SEED).permutation(len(positions))
    return np.sort(positions[order[: max(1, int(len(positions) * share))]])


def _scores_of(positions: npt.NDArray[np.int64], held_out: HeldOutScores) -> npt.NDArray[np.float32]:
    order = np.argsort(held_out.positions, kind="stable")
    scores: npt.NDArray[np.float32] = held_out.scores[order[np.searchsorted(held_out.positions[order], positions)]]
    return scores


def _row_losses(scores: npt.NDArray[np.float32], target: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    if target.dtype.kind == "i":
        return log_losses(scores[np.arange(len(target)), target].astype(np.float64))
    squared: npt.NDArray[np.float64] = np.square(scores[:, 0].astype(np.float64) - target)
    return squared
