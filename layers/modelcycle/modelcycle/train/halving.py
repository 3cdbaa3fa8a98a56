"""Successive halving on growing samples (Jamieson and Talwalkar, 2016), inside one trial.

On many rows one fit is expensive, and a few thousand rows already tell bad parameters from good ones. So a trial of
boosting draws several candidates and fits each on a sample; half of them are fitted on a sample four times as large, and
so on; the last one is the trial. Trials stay independent of each other, so the same seed and data give the same search,
in whatever order the trials run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcycle.messages import Trial
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.train.held_out import Split
from modelcycle.train.held_out_loss import validation_loss
from modelcycle.train.held_out_scores import Rows, score_held_out
from modelcycle.train.search_space import search_space

MIN_ROWS = 40_000  # to fit on; with fewer, candidates are trials of their own
CANDIDATES = 4
FIRST_SAMPLE_ROWS = 10_000  # the next sample has four times as many
GROWTH = 4
MAX_JUDGED_ROWS = 20_000


def best_of_sample(trial: Trial, plan: FeaturePlan, signature: Signature, rows: Rows, splits: list[Split]) -> Trial:
    """Return the trial with the best of its candidates' parameters; its own, where halving does not apply.

    Parameters
    ----------
    splits : halving applies to one split of many rows, not to a cross-validation
    """
    if trial.algorithm != "hist_gradient_boosting" or len(splits) > 1 or len(splits[0].fit) < MIN_ROWS:
        return trial
    candidates = [trial, *_variants(trial, signature)]
    generator = np.random.default_rng(trial.seed)
    fit, judge = generator.permutation(splits[0].fit), generator.permutation(splits[0].judge)[:MAX_JUDGED_ROWS]
    sample = FIRST_SAMPLE_ROWS
    while len(candidates) > 1:
        split = Split(np.sort(fit[:sample]), np.sort(judge))
        losses = []
        for candidate in candidates:
            held_out = score_held_out(candidate, plan, signature.task, len(signature.classes), rows, [split])
            losses.append(validation_loss(held_out.scores, rows.target[held_out.positions]))
        best = np.argsort(losses, kind="stable")[: len(candidates) // 2]
        candidates = [candidates[position] for position in best]
        sample = min(sample * GROWTH, len(fit) // 2)
    return candidates[0]


def _variants(trial: Trial, signature: Signature) -> list[Trial]:
    """Return the trial with other parameters, drawn from its seed."""
    generator: Any = np.random.default_rng([trial.seed, CANDIDATES])
    space = search_space(trial.algorithm, signature.task, by_target="encoding" in trial.parameters)
    return [
        trial.model_copy(
            update={"parameters": trial.parameters | {name: draw(generator) for name, draw in space.items()}}
        )
        for _ in range(CANDIDATES - 1)
    ]
