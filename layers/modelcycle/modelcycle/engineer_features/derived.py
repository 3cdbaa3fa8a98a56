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

from collections.abc import Iterator, Sequence
from itertools import combinations, islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.model import pipeline
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.derive import derive
from modelcycle.model.losses import log_losses
from modelcycle.model.pipeline import MAX_WORDS, frame
from modelcycle.model.plan import Derived, FeaturePlan, Input, Operation
from modelcycle.model.signature import Signature

MAX_DERIVED = 5  # features of two columns
MAX_ROWS = 5_000  # of the sample
MAX_CELLS = 250_000  # rows times features of boosting times classes beyond two: a wide table gets fewer rows
MIN_ROWS = 500  # with fewer, hardly any gain is beyond chance
MAX_NUMBERS = 12  # columns that are paired: those that tell most of the target
MAX_DATES = 4
MAX_CLASSES = 10  # with more, boosting takes too long
MAX_CONFIRMED = 6  # candidates for which boosting is fitted again
MIN_VALUES = 5  # distinct values of a paired number
BINS = (6, 16)  # numbers of ranges of a candidate: few on few rows, many for a narrow effect
MIN_EXPLAINED = 0.0005  # share of the squared residual; by chance it is negative
MAX_FAILURES = 2  # in a row: those that follow are less promising
MAX_SAME_CORRELATION = 0.98  # between ranks of two candidates: above it the second tells nothing new
MAX_CHANCE = 0.01  # of the paired t test, for a feature to be kept
MIN_GAIN = 0.005  # share of the held-out loss that a feature must save
SPLITS = 3
NEVER_JUDGES = 255  # fold of rows without a group, as `preprocess` writes it
BOOSTING = {"max_iter": 100, "learning_rate": 0.1, "max_leaf_nodes": 15, "min_samples_leaf": 20}
STAGE = 10  # iterations after which the loss is looked at

Numbers = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]


class Candidate(NamedTuple):
    """A feature that may be added, with its values (n,) and how much of the residual it explains."""

    left: str
    right: str
    operation: Operation
    values: npt.NDArray[np.float32]
    explained: float = 0.0


class Split(NamedTuple):
    """Positions of the rows to fit on, and of those to judge."""

    fit: Positions
    judge: Positions


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
    splits = _splits(None if folds is None else folds[positions], len(positions), ordered=ordered)
    trial = _Trial(plan, signature, rows, splits)
    if not trial.can_be_judged:
        return plan
    residual = trial.residual()
    judged = np.concatenate([split.judge for split in splits])
    tried, promising = 0, list[Candidate]()
    for candidate in _candidates(_most_telling(numbers, rows, judged, trial.outcomes), dates, rows):
        tried += 1
        explained = _explained(candidate.values[judged], residual)
        if explained >= MIN_EXPLAINED:
            promising.append(candidate._replace(explained=explained))
    promising.sort(key=lambda candidate: -candidate.explained)
    derived = _confirmed(_distinct(promising), trial)
    return plan.model_copy(update={"derived": derived, "tried": tried})


class _Trial:
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


def _splits(folds: npt.NDArray[np.uint8] | None, rows: int, *, ordered: bool) -> list[Split]:
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


def _most_telling(names: list[str], rows: Columns, judged: Positions, outcomes: Numbers) -> list[str]:
    """Return the MAX_NUMBERS columns whose ranges explain most of the outcomes, in the order of the data."""
    if len(names) <= MAX_NUMBERS:
        return names
    outcomes = outcomes[judged] - outcomes[judged].mean(axis=0)
    explained = {name: _explained(np.asarray(rows.values[name])[judged], outcomes) for name in names}
    chosen = set(sorted(names, key=lambda name: -explained[name])[:MAX_NUMBERS])
    return [name for name in names if name in chosen]


def _candidates(numbers: list[str], dates: list[str], rows: Columns) -> Iterator[Candidate]:
    """Yield every operation of every pair. A ratio has the column below that is never zero and of one sign."""
    for left, right in combinations(numbers, 2):
        first, second = np.asarray(rows.values[left]), np.asarray(rows.values[right])
        yield Candidate(left, right, "difference", derive(first, second, "difference"))
        yield Candidate(left, right, "product", derive(first, second, "product"))
        if _can_divide(second):
            yield Candidate(left, right, "ratio", derive(first, second, "ratio"))
        elif _can_divide(first):
            yield Candidate(right, left, "ratio", derive(second, first, "ratio"))
    for left, right in combinations(dates, 2):
        between = derive(np.asarray(rows.values[left]), np.asarray(rows.values[right]), "days_between")
        yield Candidate(left, right, "days_between", between)


def _can_divide(values: npt.NDArray[Any]) -> bool:
    present = values[~np.isnan(values)]
    return bool(len(present)) and bool((present > 0).all() or (present < 0).all())


def _explained(values: npt.NDArray[Any], residual: Numbers) -> float:
    """Return the share of the squared residual (m, k) that ranges of the values (m,) explain.

    The means of the ranges come from one half of the rows and are judged on the other, so chance explains nothing.
    Missing values are a range of their own.
    """
    present = ~np.isnan(values)
    if not present.any():
        return 0.0
    return max(_explained_by(bins, values, present, residual) for bins in BINS)


def _explained_by(bins: int, values: npt.NDArray[Any], present: npt.NDArray[np.bool_], residual: Numbers) -> float:
    edges = np.unique(np.quantile(values[present], np.linspace(0, 1, bins + 1)[1:-1]))
    ranges = np.where(present, np.searchsorted(edges, values), len(edges) + 1)
    half = np.random.default_rng(0).permutation(len(values)) % 2
    saved = 0.0
    for number in (0, 1):
        other, own = half != number, half == number
        counts = np.bincount(ranges[other], minlength=len(edges) + 2)
        for outcome in range(residual.shape[1]):
            sums = np.bincount(ranges[other], residual[other, outcome], minlength=len(edges) + 2)
            left = residual[own, outcome]
            saved += float(np.sum(np.square(left) - np.square(left - (sums / np.maximum(counts, 1))[ranges[own]])))
    total = float(np.square(residual).sum())
    return saved / total if total else 0.0


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """Return at most MAX_CONFIRMED candidates, without those that order the rows as an earlier one does."""
    kept: list[Candidate] = []
    ranks: list[Numbers] = []
    for candidate in candidates:
        rank = _ranks(candidate.values)
        if all(abs(float(np.corrcoef(rank, other)[0, 1])) <= MAX_SAME_CORRELATION for other in ranks):
            kept.append(candidate)
            ranks.append(rank)
        if len(kept) == MAX_CONFIRMED:
            break
    return kept


def _ranks(values: npt.NDArray[np.float32]) -> Numbers:
    from scipy.stats import rankdata

    ranks: Numbers = rankdata(np.where(np.isnan(values), -np.inf, values))
    return ranks


def _confirmed(candidates: list[Candidate], trial: _Trial) -> list[Derived]:
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
