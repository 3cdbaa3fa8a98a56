"""Direct loss estimation: what the losses of a window's numbers will be, learned from those of the reference.

After NannyML's method of that name. A second model learns the loss of a row from its columns and its prediction, and
what that model gets wrong on rows it has not learned from is resampled, by how typical they are of the window.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelcycle.monitor.estimate.importance import FOLDS, Matrix, Numbers, folds

MIN_LOSS_SHARE = 0.05  # of the mean loss; no expected loss is below it


def drawn_losses(
    reference: Matrix, live: Matrix, categories: npt.NDArray[np.bool_], losses: Numbers, weights: Numbers, draws: int,
    resample_live: bool,
) -> Numbers:  # fmt: skip
    """Draw the mean loss (draws,) of the window.

    Parameters
    ----------
    reference, live, categories, weights : see `importance`
    losses : (n,) of the rows of the reference
    resample_live : whether the live rows are a sample of the window
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    fold, smallest = folds(len(reference)), MIN_LOSS_SHARE * float(losses.mean())
    ratios, of_live = np.ones(len(reference)), np.ones((FOLDS, len(live)))
    for number in range(FOLDS):
        held_out = fold == number
        model = HistGradientBoostingRegressor(
            max_iter=60, max_leaf_nodes=8, min_samples_leaf=30, l2_regularization=5.0, early_stopping=False,
            categorical_features=categories, random_state=0,
        ).fit(reference[~held_out], losses[~held_out], weights[~held_out])  # fmt: skip
        ratios[held_out] = losses[held_out] / np.maximum(model.predict(reference[held_out]), smallest)
        of_live[number] = np.maximum(model.predict(live), smallest)
    random = np.random.default_rng(0)
    means = np.empty(draws)
    for draw in range(draws):
        rows = random.integers(len(reference), size=len(reference))
        chance = weights[rows] / weights[rows].sum()
        expected = of_live[draw % FOLDS]
        if resample_live:
            expected = expected[random.integers(len(live), size=len(live))]
        picked = np.searchsorted(np.cumsum(chance), random.random(len(live)) * (1 - 1e-12))
        means[draw] = float((expected * ratios[rows][np.minimum(picked, len(rows) - 1)]).mean())
    return means
