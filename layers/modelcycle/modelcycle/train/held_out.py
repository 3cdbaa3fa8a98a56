"""The scores of the rows that a trial has not learned from: on these a recipe is chosen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import BadMessage
from modelcycle.messages import TrialResult
from modelcycle.model.npz import from_npz
from modelcycle.store import Store

MAX_ROWS = 20_000  # by which a recipe is chosen; more hardly change it, and each trial's scores are read at once
MAX_CANDIDATES = 10  # trials beside the best one that may join a blend: those with the lowest losses
MAX_FIT_SECONDS = 300.0  # of a blend, which one function fits in 900 s, on more rows than a trial


@dataclass(frozen=True)
class HeldOut:
    """Trials with their scores of the same rows, the best trial first.

    Parameters
    ----------
    trials : results, t of them
    scores : float32 (t, m, k) of the m held-out rows
    target : of these rows, class codes or numbers (m,)
    rows : their positions (m,) among the training and then the validation rows
    """

    trials: list[TrialResult]
    scores: npt.NDArray[np.float32]
    target: npt.NDArray[Any]
    rows: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def read_held_out(finished: list[TrialResult], target: npt.NDArray[Any], artifacts: Store) -> HeldOut:
    """Read the scores of the best trials; at most MAX_ROWS rows, spread evenly.

    A trial that was judged on other rows than the best one is left out: its scores could not be averaged with others.

    Parameters
    ----------
    finished : trials with a finite loss, the best one first
    target : of training and then validation rows

    Raises
    ------
    BadMessage : the best trial has no scores
    """
    trials: list[TrialResult] = []
    tables: list[npt.NDArray[np.float32]] = []
    positions: npt.NDArray[np.int64] | None = None
    for result in finished[: 1 + MAX_CANDIDATES]:
        if result.scores is None:
            continue
        stored = from_npz(artifacts.read(result.scores))
        scores, rows = stored["scores"], stored["rows"].astype(np.int64)
        scores, order = scores.reshape(len(rows), -1), np.argsort(rows, kind="stable")
        scores, rows = scores[order], rows[order]
        if positions is None:
            if result is not finished[0]:
                break
            positions = rows
        elif not np.array_equal(rows, positions) or result.seconds > MAX_FIT_SECONDS:
            continue
        trials.append(result)
        tables.append(scores[evenly(len(scores))])
    if positions is None:
        raise BadMessage("the best trial has no scores of held-out rows", "select_model", "start a new run")
    chosen = positions[evenly(len(positions))]
    return HeldOut(trials, np.stack(tables), target[chosen], chosen)


def evenly(rows: int) -> npt.NDArray[np.int64]:
    """Return the positions of at most MAX_ROWS of some rows."""
    return np.unique(np.linspace(0, max(rows - 1, 0), min(rows, MAX_ROWS)).astype(np.int64))
