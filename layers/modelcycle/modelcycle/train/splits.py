"""On which rows a trial is fitted, and on which it is judged.

few rows          every fold is judged by a model of the others (cross-validation)
ordered by time   block i is judged by a model of the blocks before it (expanding windows)
many rows         the validation rows are judged by a model of the training rows
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.messages import Preprocessed
from modelcycle.model.npz import from_npz
from modelcycle.store import Store

MAX_CROSS_VALIDATED_ROWS = 10_000  # with more kept rows, one validation part is precise enough and costs a fifth
FOLDS = 5
NEVER_JUDGES = 255  # fold of rows without a group, as `preprocess` writes it
FIRST_JUDGED_BLOCK = 2  # of the blocks 0 to 5 of a table that is ordered by time; earlier ones have too little before
LAST_BLOCK = 5

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Positions, among the training and then the validation rows, of the rows to fit on and of the rows to judge."""

    fit: Positions
    judge: Positions


def count_folds(preprocessed: Preprocessed, ordered: bool) -> int:
    """Return the folds by which trials are compared; 0: by the validation rows.

    Parameters
    ----------
    ordered : whether the pipeline file has a time column
    """
    if preprocessed.folds is None or preprocessed.kept >= MAX_CROSS_VALIDATED_ROWS:
        return 0
    return LAST_BLOCK - FIRST_JUDGED_BLOCK + 1 if ordered else FOLDS


def read_folds(preprocessed: Preprocessed, artifacts: Store) -> npt.NDArray[np.uint8]:
    """Return the fold of each row, uint8 (n,): of the training rows, then of the validation rows."""
    assert preprocessed.folds is not None
    stored = from_npz(artifacts.read(preprocessed.folds))
    folds: npt.NDArray[np.uint8] = np.concatenate([stored["train"], stored["validation"]])
    return folds


def splits_of_folds(folds: npt.NDArray[Any], ordered: bool, learnable: Callable[[Positions], bool]) -> list[Split]:
    """Return the splits of a cross-validation.

    Parameters
    ----------
    folds : of each row (n,); rows of NEVER_JUDGES are learned from in each split
    ordered : whether the folds are blocks in the order of time
    learnable : whether a model can be fitted on rows; a split whose rows have one class only is left out

    Examples
    --------
    >>> splits = splits_of_folds(np.array([0, 1, 2, 2]), ordered=True, learnable=lambda rows: True)
    >>> [(split.fit.tolist(), split.judge.tolist()) for split in splits]
    [([0, 1], [2, 3])]
    >>> splits = splits_of_folds(np.array([0, 1, 255]), ordered=False, learnable=lambda rows: True)
    >>> [(split.fit.tolist(), split.judge.tolist()) for split in splits]
    [([1, 2], [0]), ([0, 2], [1])]
    """
    splits = []
    for fold in np.unique(folds[folds != NEVER_JUDGES]):
        if ordered and fold < FIRST_JUDGED_BLOCK:
            continue
        fit = np.flatnonzero(folds < fold if ordered else folds != fold)
        if len(fit) and learnable(fit):
            splits.append(Split(fit, np.flatnonzero(folds == fold)))
    return splits


def split_of_parts(train_rows: int, validation_rows: int) -> Split:
    """Return the split into the training and the validation part.

    >>> split_of_parts(2, 1)
    Split(fit=array([0, 1]), judge=array([2]))
    """
    return Split(np.arange(train_rows), np.arange(train_rows, train_rows + validation_rows))


def read_splits(
    preprocessed: Preprocessed, artifacts: Store, target: npt.NDArray[Any], folds: int, *, ordered: bool
) -> list[Split]:
    """Return the splits by which trials are judged; none if no fold leaves rows of two values to learn from.

    Parameters
    ----------
    target : of training and then validation rows
    folds : of the cross-validation; 0: the validation rows judge
    ordered : whether the pipeline file has a time column
    """
    if not folds:
        train, validation, _ = preprocessed.split
        return [split_of_parts(train, validation)]

    def learnable(positions: Positions) -> bool:
        return len(np.unique(target[positions])) > 1

    return splits_of_folds(read_folds(preprocessed, artifacts), ordered, learnable)
