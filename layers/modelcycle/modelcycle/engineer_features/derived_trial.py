"""Boosting over a feature plan on held-out rows: what it leaves unexplained, and what added features are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.engineer_features.derived_candidates import Candidate, Numbers, Positions
from modelcycle.model import pipeline
from modelcycle.model.columns import Columns
from modelcycle.model.losses import log_losses
from modelcycle.model.pipeline import frame
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature

SPLITS = 3
NEVER_JUDGES = 255  # fold of rows without a group, as `preprocess` writes it
BOOSTING = {"max_iter": 100, "learning_rate": 0.1, "max_leaf_nodes": 15, "min_samples_leaf": 20}
STAGE = 10  # iterations after which the loss is looked at


class Split(NamedTuple):
    """Positions of the rows to fit on, and of those to judge."""

    fit: Positions
    judge: Positions


class Trial:
    """Boosting over a plan, on the folds of a sample."""

    def __init__(self, plan: FeaturePlan, signature: Signature, rows: Columns, splits: Sequence[Split]) -> None:
        assert rows.target is not None
        self.plan, self.signature, self.rows, self.splits = plan, signature, rows, splits
        self.task = signature.task
        self.frame = frame(signature, rows)
        self.outcomes: Numbers
        if self.task == "regression":
            spread = float(rows.target.std()) or 1.0
            self.target: npt.NDArray[Any] = (rows.target - rows.target.mean()) / spread
            self.outcomes = self.target.reshape(-1, 1)
        else:
            self.target = rows.target
            self.outcomes = np.eye(len(signature.classes))[rows.target]
        self.can_be_judged = bool(splits) and all(len(np.unique(self.target[split.fit])) > 1 for split in splits)

    def residual(self) -> Numbers:
        """Return what is left of the outcomes of the judged rows, (m, k)."""
        left: Numbers = self._outcomes_of_judged() - self._best([])[1]
        return left if self.outcomes.shape[1] != 2 else left[:, 1:]

    def losses(self, added: Sequence[Candidate]) -> Numbers:
        """Return the loss (m,) of each judged row: log loss, or the squared error in variances of the target."""
        return self._best(added)[0]

    def _outcomes_of_judged(self) -> Numbers:
        judged: Numbers = self.outcomes[np.concatenate([split.judge for split in self.splits])]
        return judged

    def _best(self, added: Sequence[Candidate]) -> tuple[Numbers, Numbers]:
        """Return losses (m,) and scores (m, k) of the judged rows, after the number of iterations with the lowest loss.

        Without that choice, boosting of a few thousand rows learns noise, and hides what a feature is worth.
        """
        outcomes = self._outcomes_of_judged()
        best: tuple[Numbers, Numbers] | None = None
        for parts in zip(*(self._stages(split, added) for split in self.splits), strict=True):
            scores = np.concatenate(parts)
            if self.task == "regression":
                losses = np.square(scores - outcomes).sum(axis=1)
            else:
                losses = log_losses((scores * outcomes).sum(axis=1))
            if best is None or losses.mean() < best[0].mean():
                best = losses, scores
        assert best is not None
        return best

    def _stages(self, split: Split, added: Sequence[Candidate]) -> Iterator[Numbers]:
        """Yield the scores of the judged rows of a split after every few iterations."""
        from threadpoolctl import threadpool_limits

        model = pipeline.build(self.plan, self.task, "hist_gradient_boosting", BOOSTING, seed=0)
        model = getattr(model, "regressor", model)
        features, learned = pipeline.fit_features(model, self.frame.iloc[split.fit], self.target[split.fit])
        judged = features.transform(pipeline.in_double_precision(self.frame.iloc[split.judge]))
        more = np.array([candidate.values for candidate in added], dtype=np.float64)
        more = more.reshape(len(added), self.rows.rows).T
        with threadpool_limits(1):
            estimator = model[-1].fit(np.hstack([learned, more[split.fit]]), self.target[split.fit])
            judged = np.hstack([judged, more[split.judge]])
            if self.task == "regression":
                for values in islice(estimator.staged_predict(judged), STAGE - 1, None, STAGE):
                    yield values.reshape(-1, 1)
                return
            for known in islice(estimator.staged_predict_proba(judged), STAGE - 1, None, STAGE):
                probabilities = np.zeros((len(judged), self.outcomes.shape[1]))
                probabilities[:, estimator.classes_.astype(int)] = known
                yield probabilities


def held_out_splits(folds: npt.NDArray[np.uint8] | None, rows: int, *, ordered: bool) -> list[Split]:
    """Return splits whose judged rows are in folds of their own; rows that never judge are learned from in each."""
    if folds is None:
        folds = (np.random.default_rng(0).permutation(rows) % SPLITS).astype(np.uint8)
    names = np.unique(folds[folds != NEVER_JUDGES])
    if len(names) < 2:
        return []
    if ordered:
        pairs = [(folds < name, folds == name) for name in names[1:][-SPLITS:]]
    else:
        group = np.where(folds == NEVER_JUDGES, -1, np.searchsorted(names, folds) % SPLITS)
        pairs = [(group != number, group == number) for number in range(min(SPLITS, len(names)))]
    return [Split(np.flatnonzero(fit), np.flatnonzero(judge)) for fit, judge in pairs]
