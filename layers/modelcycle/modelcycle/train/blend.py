"""The blend: the mean of a few trials, where it is better than the best of them beyond chance.

Members are selected greedily and may be selected again, which gives them weight (Caruana, Niculescu-Mizil, Crew and
Ksikes, "Ensemble selection from libraries of models", 2004).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.losses import log_losses
from modelcycle.model.recipe import shares
from modelcycle.train.chance import FOLDS, folds_of, is_lower
from modelcycle.train.held_out import MAX_FIT_SECONDS, HeldOut

MAX_MEMBERS = 3  # different trials; each takes a fit, a conversion and its time in every request
MAX_ROUNDS = 10  # of the selection, so a weight is a multiple of a tenth at the finest
MIN_GAIN = 0.005  # share of the loss; less is not worth the time of more models
MIN_ROWS = 100  # held-out rows; with fewer, weights would follow chance

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Blend:
    """Members as positions in `HeldOut.trials`, with their weights; and the losses of blend and best trial.

    `loss` and `best_loss` are measured on rows that did not choose the members: log loss, or root mean squared error.
    """

    members: list[int]
    weights: list[float]
    loss: float
    best_loss: float


def choose_blend(held_out: HeldOut) -> Blend | None:
    """Return the blend of the best trials, or None where the best trial alone is as good up to chance.

    Whether blending pays is measured by cross-validation: members and best trial are chosen on four fifths of the
    held-out rows and compared on the others.
    """
    if len(held_out.trials) < 2 or len(held_out.target) < MIN_ROWS:
        return None
    scores = _scores_of_truth(held_out)
    seconds = [result.seconds for result in held_out.trials]
    folds = folds_of(held_out.target)
    blended, single = np.empty(len(folds)), np.empty(len(folds))
    for fold in range(FOLDS):
        chosen, judged = folds != fold, folds == fold
        positions, weights = _select(scores[:, chosen], held_out.target[chosen], seconds)
        best = int(np.argmin([_losses(member, held_out.target[chosen]).mean() for member in scores[:, chosen]]))
        blended[judged] = _losses(_mean(scores[:, judged], positions, weights), held_out.target[judged])
        single[judged] = _losses(scores[best, judged], held_out.target[judged])
    loss, best_loss = (_shown(losses, held_out.target) for losses in (blended, single))
    if not is_lower(blended, single) or loss > (1 - MIN_GAIN) * best_loss:
        return None
    positions, weights = _select(scores, held_out.target, seconds)
    return None if len(positions) < 2 else Blend(positions, weights, loss, best_loss)


def _select(scores: Array, target: npt.NDArray[Any], seconds: list[float]) -> tuple[list[int], list[float]]:
    """Add the trial that lowers the loss most, until none does; return positions and weights.

    Parameters
    ----------
    scores : (t, m) of `_scores_of_truth`
    seconds : that each trial took
    """
    best = int(np.argmin([_losses(member, target).mean() for member in scores]))
    counts = {best: 1}
    total, lowest = scores[best].copy(), float(_losses(scores[best], target).mean())
    for taken in range(1, MAX_ROUNDS):
        spare = MAX_FIT_SECONDS - sum(seconds[position] for position in counts)
        open_positions = [
            position for position in range(len(scores))
            if position in counts or (len(counts) < MAX_MEMBERS and seconds[position] <= spare)
        ]  # fmt: skip
        losses = [
            float(_losses((total + scores[position]) / (taken + 1), target).mean()) for position in open_positions
        ]
        position = open_positions[int(np.argmin(losses))]
        if min(losses) >= lowest:
            break
        lowest = min(losses)
        total += scores[position]
        counts[position] = counts.get(position, 0) + 1
    positions = sorted(counts)
    return positions, shares([float(counts[position]) for position in positions])


def _mean(scores: Array, positions: list[int], weights: list[float]) -> Array:
    mean: Array = np.tensordot(np.array(weights), scores[positions], axes=1)
    return mean


def _scores_of_truth(held_out: HeldOut) -> Array:
    """Return each trial's probability of the true class (t, m), all that the log loss depends on; or its values."""
    if held_out.target.dtype.kind == "i":
        rows = np.arange(len(held_out.target))
        return held_out.scores[:, rows, held_out.target].astype(np.float64)
    return held_out.scores[:, :, 0].astype(np.float64)


def _losses(scores: Array, target: npt.NDArray[Any]) -> Array:
    """Return the log loss, or the squared error, of each row (m,)."""
    if target.dtype.kind == "i":
        return log_losses(scores)
    squared: Array = np.square(scores - target)
    return squared


def _shown(losses: Array, target: npt.NDArray[Any]) -> float:
    mean = float(losses.mean())
    return mean if target.dtype.kind == "i" else math.sqrt(mean)
