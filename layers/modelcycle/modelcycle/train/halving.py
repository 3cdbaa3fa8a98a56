"""Successive halving on growing samples (Jamieson and Talwalkar, 2016), inside one trial.

On many rows one fit is expensive, and a few thousand rows already tell bad parameters from good ones. So a trial of
boosting draws several candidates and fits each on a sample; half of them are fitted on a sample four times as large,
and so on; the last one is the trial. Trials stay independent of each other, so the same seed and data give the same
search, in whatever order the trials run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcycle.messages import Trial
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.train.held_out_loss import validation_loss
from modelcycle.train.held_out_scores import Rows, score_held_out
from modelcycle.train.search_space import bounded, search_space
from modelcycle.train.splits import Split

FIRST_SAMPLE_ROWS = 10_000  # the next sample has four times as many
GROWTH = 4
MAX_JUDGED_ROWS = 20_000


def best_of_candidates(trial: Trial, plan: FeaturePlan, signature: Signature, rows: Rows, split: Split) -> Trial:
    """Return a trial with the best parameters of its candidates; of one without `candidates`, the trial itself.

    Parameters
    ----------
    trial : its parameter `candidates` says among how many it is chosen, itself included
    split : into the rows to fit on, and the rows that judge
    """
    parameters = dict(trial.parameters)
    count = int(parameters.pop("candidates", 1) or 1)
    trial = trial.model_copy(update={"parameters": parameters})
    candidates = [trial, *_variants(trial, signature, len(split.fit), count - 1)]
    generator = np.random.default_rng(trial.seed)
    fit, judge = generator.permutation(split.fit), generator.permutation(split.judge)[:MAX_JUDGED_ROWS]
    sample = FIRST_SAMPLE_ROWS
    while len(candidates) > 1:
        small = Split(np.sort(fit[:sample]), np.sort(judge))
        losses = []
        for candidate in candidates:
            held_out = score_held_out(candidate, plan, signature.task, len(signature.classes), rows, [small])
            losses.append(validation_loss(held_out.scores, rows.target[held_out.positions]))
        best = np.argsort(losses, kind="stable")[: len(candidates) // 2]
        candidates = [candidates[position] for position in best]
        sample *= GROWTH
    return candidates[0]


def _variants(trial: Trial, signature: Signature, rows: int, count: int) -> list[Trial]:
    """Return the trial with other parameters, drawn from its seed."""
    generator: Any = np.random.default_rng([trial.seed, count])
    space = search_space(trial.algorithm, signature.task, rows, by_target="encoding" in trial.parameters)
    return [
        trial.model_copy(
            update={
                "parameters": bounded(
                    trial.parameters | {name: draw(generator) for name, draw in space.items()}, len(signature.classes)
                )
            }
        )
        for _ in range(count)
    ]
