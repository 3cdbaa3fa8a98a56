"""How typical a row of the reference is of a window: the weights of importance sampling.

A classifier tells rows of the window from rows of the reference; its odds are the ratio of the two densities (Bickel,
Brueckner and Scheffer, Discriminative Learning Under Covariate Shift, JMLR 2009). Each row is weighted by a classifier
that has not learned from it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.window import WindowSample

FOLDS = 3
MAX_LEVELS = 250  # of a text column that are told apart; of one with more, their frequency counts
MIN_EFFECTIVE_SHARE, MIN_EFFECTIVE_ROWS = 0.1, 100
"""What the weighted reference has to amount to (Kish 1965). If it is less, the weights are flattened (Shimodaira 2000):
a few rows would decide everything."""
FLATTENED = (1.0, 0.75, 0.5, 0.25, 0.0)  # powers of the weights
Numbers = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]


def importance(reference: Matrix, live: Matrix, categories: npt.NDArray[np.bool_]) -> Numbers:
    """Return the weight (n,) of each row of the reference, with the mean 1.

    Parameters
    ----------
    reference, live : of `features`, (n, columns) and (m, columns)
    categories : (columns,), whether a column holds codes
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = np.concatenate([reference, live])
    is_live = np.repeat([0, 1], [len(reference), len(live)])
    fold = folds(len(rows))
    odds = np.ones(len(reference))
    for number in range(FOLDS):
        model = HistGradientBoostingClassifier(
            max_iter=40, max_leaf_nodes=8, min_samples_leaf=40, l2_regularization=5.0, early_stopping=False,
            categorical_features=categories, random_state=0,
        ).fit(rows[fold != number], is_live[fold != number])  # fmt: skip
        held_out = np.flatnonzero(fold[: len(reference)] == number)
        share = model.predict_proba(reference[held_out])[:, 1]
        odds[held_out] = share / (1 - share) * len(reference) / len(live)
    for power in FLATTENED:
        weights: Numbers = odds**power
        if weights.sum() ** 2 / np.square(weights).sum() >= max(
            MIN_EFFECTIVE_SHARE * len(weights), min(MIN_EFFECTIVE_ROWS, len(weights))
        ):
            break
    mean_one: Numbers = weights / weights.mean()
    return mean_one


def folds(rows: int) -> npt.NDArray[np.int64]:
    """Return the fold (n,) of each row; the same for the same number of rows."""
    return np.random.default_rng(0).permutation(rows) % FOLDS


def features(sample: WindowSample) -> tuple[Matrix, Matrix, npt.NDArray[np.bool_]]:
    """Return the columns and the scores of both sides as one matrix each, and which columns hold codes.

    Infinite numbers become the largest ones, since trees read none.
    """
    reference, live = sample.reference.copy(), sample.live.copy()
    categories = sample.texts.astype(bool)
    for number in np.flatnonzero(categories):
        codes = np.concatenate([reference[:, number], live[:, number]])
        known = np.isfinite(codes)
        if known.any() and codes[known].max() < MAX_LEVELS:
            continue
        categories[number] = False
        levels, counts = np.unique(reference[np.isfinite(reference[:, number]), number], return_counts=True)
        for side in (reference, live):
            side[:, number] = _frequencies(side[:, number], levels, counts)
    scores = slice(0, 1) if sample.reference_scores.shape[1] == 1 else slice(1, None)
    sides = [
        _finite(np.concatenate([side, side_scores[:, scores]], axis=1))
        for side, side_scores in ((reference, sample.reference_scores), (live, sample.live_scores))
    ]
    return sides[0], sides[1], np.append(categories, np.zeros(sides[0].shape[1] - len(categories), dtype=bool))


def _finite(rows: Matrix) -> Matrix:
    largest = float(np.finfo(np.float32).max)
    return np.nan_to_num(rows, nan=np.nan, posinf=largest, neginf=-largest).astype(np.float32, copy=False)


def _frequencies(codes: npt.NDArray[Any], levels: npt.NDArray[Any], counts: npt.NDArray[Any]) -> Matrix:
    frequencies = np.full(len(codes), np.nan, dtype=np.float32)
    known = np.isfinite(codes)
    if len(levels):
        places = np.minimum(np.searchsorted(levels, codes[known]), len(levels) - 1)
        frequencies[known] = np.where(levels[places] == codes[known], counts[places], 0)
    return frequencies
