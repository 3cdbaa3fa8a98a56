"""Features of two columns: differences, ratios and products of numbers, and the days between two dates.

A tree approximates such a feature by many splits. Whether that is good enough, held-out rows decide:

1. Boosting is fitted on folds of a sample. Of each candidate we ask how much of what boosting has left unexplained on
   the rows of one half its ranges explain that were measured on the other half. That takes milliseconds a candidate,
   and on most tables no candidate passes.
2. Those that pass are added one by one, the most promising first. One is kept if boosting with it has a lower loss on
   held-out rows, beyond chance and by a share that is worth a feature.

The folds are those of `preprocess`: rows of one group are never on both sides, and with a time column the judged rows
are later ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelcycle.engineer_features.derived_candidates import (
    Candidate,
    candidates_of,
    distinct_candidates,
    explained_share,
    most_telling,
)
from modelcycle.engineer_features.derived_trial import Trial, held_out_splits
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.pipeline import MAX_WORDS
from modelcycle.model.plan import Derived, FeaturePlan, Input
from modelcycle.model.signature import Signature

MAX_DERIVED = 5  # features of two columns
MAX_ROWS = 5_000  # of the sample
MAX_CELLS = 250_000  # rows times features of boosting times classes beyond two: a wide table gets fewer rows
MIN_ROWS = 500  # with fewer, hardly any gain is beyond chance
MAX_DATES = 4
MAX_CLASSES = 10  # with more, boosting takes too long
MIN_VALUES = 5  # distinct values of a paired number
MIN_EXPLAINED = 0.0005  # share of the squared residual; by chance it is negative
MAX_FAILURES = 2  # in a row: those that follow are less promising
MAX_CHANCE = 0.01  # of the paired t test, for a feature to be kept
MIN_GAIN = 0.005  # share of the held-out loss that a feature must save


def add_derived(
    plan: FeaturePlan, signature: Signature, schema: TableSchema, train: Columns, folds: npt.NDArray[np.uint8] | None,
    *, ordered: bool,
) -> FeaturePlan:  # fmt: skip
    """Return the plan with the features of two columns that pay, at most MAX_DERIVED.

    Parameters
    ----------
    plan, signature : without them
    schema : of all columns
    train : n training rows, with the target
    folds : of each row (n,), None if there are none
    ordered : whether the folds are blocks in the order of time
    """
    assert train.target is not None
    numbers, dates = _paired_columns(plan, schema)
    if len(schema.classes) > MAX_CLASSES or max(len(numbers), len(dates)) < 2:
        return plan
    n_rows = min(MAX_ROWS, train.rows, MAX_CELLS // (_n_features(plan) * max(1, len(schema.classes) - 1)))
    if n_rows < MIN_ROWS:
        return plan
    positions = np.unique(np.linspace(0, train.rows - 1, n_rows).astype(np.int64))
    rows = train.take(positions)
    splits = held_out_splits(None if folds is None else folds[positions], len(positions), ordered=ordered)
    trial = Trial(plan, signature, rows, splits)
    if not trial.can_be_judged:
        return plan
    residual = trial.residual()
    judged = np.concatenate([split.judge for split in splits])
    tried, promising = 0, list[Candidate]()
    for candidate in candidates_of(most_telling(numbers, rows, judged, trial.outcomes), dates, rows):
        tried += 1
        explained = explained_share(candidate.values[judged], residual)
        if explained >= MIN_EXPLAINED:
            promising.append(candidate._replace(explained=explained))
    promising.sort(key=lambda candidate: -candidate.explained)
    derived = _confirmed(distinct_candidates(promising), trial)
    return plan.model_copy(update={"derived": derived, "tried": tried})


def _n_features(plan: FeaturePlan) -> int:
    """Return how many features boosting has, at most."""
    return len(plan.all_inputs()) + MAX_WORDS * len(plan.inputs("words"))


def _paired_columns(plan: FeaturePlan, schema: TableSchema) -> tuple[list[str], list[str]]:
    """Return the names of the number and of the date columns of the plan that are paired."""
    used = {planned.column: planned.treatment for planned in plan.columns}
    numbers, dates = [], []
    for column in schema.columns:
        if column.type == "number" and used[column.name] == "number" and column.distinct >= MIN_VALUES:
            numbers.append(column.name)
        if column.type == "datetime" and used[column.name] == "date_parts":
            dates.append(column.name)
    return numbers, dates[:MAX_DATES]


def _confirmed(candidates: list[Candidate], trial: Trial) -> list[Derived]:
    """Return the candidates that lower the loss of held-out rows, each beside those before it."""
    from scipy.stats import ttest_rel

    if not candidates:
        return []
    kept: list[Candidate] = []
    derived: list[Derived] = []
    failures = 0
    before = trial.losses([])
    position = len(trial.signature.inputs)
    for candidate in candidates:
        after = trial.losses([*kept, candidate])
        gain = 1 - float(after.mean()) / float(before.mean())
        if gain < MIN_GAIN or ttest_rel(after, before, alternative="less").pvalue > MAX_CHANCE:
            failures += 1
            if failures == MAX_FAILURES:
                break
            continue
        failures = 0
        graph_input = Input(
            name=f"x{position + len(kept)}", column=candidate.left, kind="number", operation=candidate.operation,
            other=candidate.right,
        )  # fmt: skip
        why = f"boosting loses {gain:.1%} less on {len(after):,} held-out rows"
        derived.append(Derived(input=graph_input, why=why, gain=gain))
        kept.append(candidate)
        before = after
        if len(kept) == MAX_DERIVED:
            break
    return derived
