"""Slices that the window of a run hardly has: what the champion knows of them, the candidate may have forgotten."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.measured.grouped_means import holm, means, upper_p
from modelcycle.model.losses import row_losses
from modelcycle.model.slices import Slices
from modelcycle.spec import Task
from modelcycle.validate.slices import FALSE_REFUSALS, MIN_LOST_ROWS, MIN_LOST_SHARE

MAX_SENTENCES = 3
MAX_NAME_CHARACTERS = 80  # of a column, and of a group, in a sentence
Array = npt.NDArray[Any]


def lost_older_slices(
    slices: Slices, candidate: Array, champion: Array, target: Array, clusters: Array, task: Task, *, margin: float,
    version: int,
) -> list[str]:  # fmt: skip
    """Return a sentence for each slice of the older rows on which the candidate is worse than the champion.

    Only slices of which the test rows of the window have fewer than MIN_LOST_ROWS count. Where the window has enough of
    them, its rows judge: how columns and target were related before it does not matter. The test is that of `slices`.

    Parameters
    ----------
    slices : of the test rows of the window, and behind them of the m older rows
    candidate, champion : scores (m, k)
    target : codes or numbers (m,)
    clusters : entity of each row (m,)
    margin : share of the champion's loss by which the candidate may be worse
    version : of the champion
    """
    rows = len(target)
    if not rows:
        return []
    losses = row_losses(champion, target, task)
    advantages, overall = losses - row_losses(candidate, target, task), float(losses.mean())
    found: list[tuple[float, float, int, str]] = []
    for column, groups, codes in zip(slices.columns, slices.groups, slices.codes, strict=True):
        own, window = codes[-rows:].astype(np.int64), np.bincount(codes[:-rows], minlength=len(groups))
        counts = np.bincount(own, minlength=len(groups))
        averages, errors, degrees = means(advantages, own, len(groups), clusters)
        p_values = upper_p(-averages, errors, degrees)
        large = (counts >= max(MIN_LOST_ROWS, MIN_LOST_SHARE * rows)) & (window < MIN_LOST_ROWS)
        for code in np.flatnonzero(large & np.isfinite(errors) & np.isfinite(p_values)):
            loss = max(overall, float(losses[own == code].mean()))
            where = f"{column[:MAX_NAME_CHARACTERS]} = {groups[code][:MAX_NAME_CHARACTERS]}"
            is_large = -averages[code] > margin * loss
            found.append((float(p_values[code]), float(-averages[code]) * is_large, int(counts[code]), where))
    lost = [
        (p, difference, n, where)
        for p, (_, difference, n, where) in zip(holm([entry[0] for entry in found]), found, strict=True)
        if p < FALSE_REFUSALS and difference > 0
    ]
    name = "squared error" if task == "regression" else "quadratic score"
    sentences = [
        f"worse than version {version} on {n:,} older rows where {where}, of which the window has hardly any:"
        f" {name} higher by {difference:.3g} ({'p < 0.001' if p < 0.001 else f'p = {p:.2g}'} over {len(found)} slices);"
        " `retraining.window: all` learns from them too"
        for p, difference, n, where in sorted(lost)
    ]
    more = len(sentences) - MAX_SENTENCES
    return [*sentences[:MAX_SENTENCES], *([f"and on {more} more such slices"] if more > 0 else [])]
