"""Windows of live traffic beside their reference, drawn from known distributions: 30 columns of several kinds.

Rows are drawn, and counted by the bins that `model.window` describes; nothing else of the product takes part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.cells.reading import ColumnType
from modelcycle.model.window import MAX_SAMPLE_ROWS, QUANTILES, ColumnCounts, Side, WindowSample, WindowSummary

NUMBERS, TEXTS, BOOLEANS, DATES = 15, 10, 3, 2
MANY_LEVELS = 50_000
OWN_BINS, HASH_BINS, NUMBER_BINS = 50, 10, 20
TRAINING_ROWS = 100_000
SHARED = 0.6  # correlation of all columns with one factor, where they are correlated
END = datetime(2026, 11, 1, tzinfo=UTC)

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Change:
    """What has changed in the window.

    Parameters
    ----------
    moved : standard deviations, added to the first column
    scale : factor of the second column's deviation
    level_share : added to the share of one level of the first text column
    """

    moved: float = 0.0
    scale: float = 1.0
    level_share: float = 0.0

    @property
    def columns(self) -> tuple[str, str, str]:
        return "number 0", "number 1", "text 0"


@dataclass(frozen=True)
class Drawn:
    """Distributions of 30 columns, drawn once by a seed.

    Parameters
    ----------
    shares : of the levels of each text column, the last one with MANY_LEVELS
    frequent : codes of the levels of each text column with a bin of their own, by training rows
    missing : share of missing values, by column
    """

    shares: list[Array]
    frequent: list[Array]
    missing: Array
    correlated: bool

    @staticmethod
    def columns(seed: int = 0, correlated: bool = False) -> Drawn:
        """Draw the distributions."""
        rng = np.random.default_rng(seed)
        first = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
        sizes = [2, 3, 4, 7, 12, 20, 40, 200]
        many = 1 / np.arange(10, MANY_LEVELS + 10)
        shares = [first, *(rng.dirichlet(np.ones(size)) for size in sizes), many / many.sum()]
        training = [rng.multinomial(TRAINING_ROWS, share) for share in shares]
        frequent = [np.argsort(-counts, kind="stable")[:OWN_BINS] for counts in training]
        missing = rng.choice([0.0, 0.0, 0.0, 0.01, 0.2], NUMBERS + TEXTS + BOOLEANS + DATES)
        return Drawn(shares, frequent, missing, correlated)

    def rows(self, rng: np.random.Generator, rows: int, change: Change = Change()) -> dict[str, Array]:
        """Return columns of rows: float32 with NaN for a missing value; texts as codes, -1 for a missing one."""
        factor = rng.standard_normal(rows, dtype=np.float32) if self.correlated else None
        columns: dict[str, Array] = {}
        for number in range(NUMBERS):
            columns[f"number {number}"] = _number(number, _normal(rng, rows, factor), change)
        for number, shares in enumerate(self.shares):
            if number == 0 and change.level_share:
                others = shares[1:] * (1 - change.level_share / (1 - shares[0]))
                shares = np.array([shares[0] + change.level_share, *others])
            uniform = _uniform(_normal(rng, rows, factor)) if factor is not None else rng.random(rows)
            codes = np.searchsorted(np.cumsum(shares), uniform, side="right")
            columns[f"text {number}"] = np.minimum(codes, len(shares) - 1).astype(np.int32)
        for number in range(BOOLEANS):
            columns[f"boolean {number}"] = (_normal(rng, rows, factor) > number - 1).astype(np.float32)
        for number in range(DATES):
            columns[f"date {number}"] = rng.random(rows, dtype=np.float32)
        for (name, values), share in zip(columns.items(), self.missing, strict=True):
            if share:
                values[rng.random(rows) < share] = -1 if name.startswith("text") else np.nan
        return columns


def window(
    drawn: Drawn, rng: np.random.Generator, reference_rows: int, rows: int, change: Change = Change(),
    reference: Mapping[str, Array] | None = None,
) -> tuple[WindowSummary, WindowSample]:  # fmt: skip
    """Draw a window and its reference.

    Parameters
    ----------
    reference : by default a new one is drawn, of `reference_rows`
    """
    before = reference if reference is not None else drawn.rows(rng, reference_rows)
    live = drawn.rows(rng, rows, change)
    columns = [_counts(drawn, name, before[name], live[name]) for name in before]
    scores = [_scores(side) for side in (before, live)]
    summary = WindowSummary(
        model="drawn", version=1, task="binary", kind="hour", window=(END - timedelta(hours=1), END), rows=rows,
        versions={1: rows}, newest=END - timedelta(hours=rng.exponential(1 / rows)),
        before=rng.poisson(rows, 28).tolist(), columns=columns,
        predictions=_counted("predicted", "text", *(_classes(side) for side in scores)),
        scores=_counted_numbers("score", *scores), requests=rows,
    )  # fmt: skip
    return summary, _sample(before, live, scores)


def _normal(rng: np.random.Generator, rows: int, factor: Array | None) -> Array:
    noise = rng.standard_normal(rows, dtype=np.float32)
    return noise if factor is None else np.float32(SHARED**0.5) * factor + np.float32((1 - SHARED) ** 0.5) * noise


def _uniform(normal: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr(normal))


def _number(number: int, normal: Array, change: Change) -> Array:
    """Normal, log-normal, whole, mostly zero, and heavy-tailed columns in turn; the first two are normal."""
    if number < 2:
        return np.asarray(normal * (change.scale if number == 1 else 1) + (change.moved if number == 0 else 0))
    kind = number % 5
    if kind == 0:
        return np.exp(normal)
    if kind == 1:
        return np.asarray(np.floor(30 + 8 * normal))
    if kind == 2:
        return np.where(normal > 1.2, np.exp(normal * 3), 0).astype(np.float32)
    if kind == 3:
        return np.asarray(np.sign(normal) * np.abs(normal) ** 5)
    return np.asarray(1000 + 50 * normal)


def _scores(columns: Mapping[str, Array]) -> Array:
    logit = np.nan_to_num(columns["number 0"]) + (columns["text 0"] == 1) - 0.5 * np.nan_to_num(columns["boolean 0"])
    return np.asarray(1 / (1 + np.exp(-logit)), dtype=np.float32)


def _classes(scores: Array) -> list[int]:
    return [int((scores < 0.5).sum()), int((scores >= 0.5).sum())]


def _counts(drawn: Drawn, name: str, reference: Array, live: Array) -> ColumnCounts:
    if name.startswith("text"):
        return _counted_texts(name, drawn.frequent[int(name.split()[1])], reference, live)
    if name.startswith("number"):
        return _counted_numbers(name, reference, live)
    missing = [int(np.isnan(side).sum()) for side in (reference, live)]
    if name.startswith("date"):
        sides = [
            Side(rows=len(side), counts=[], missing=gone) for side, gone in zip((reference, live), missing, strict=True)
        ]
        return ColumnCounts(name=name, type="datetime", reference=sides[0], live=sides[1])
    counts = [[int((side == 0).sum()), int((side == 1).sum())] for side in (reference, live)]
    return _counted(name, "boolean", counts[0], counts[1], missing)


def _counted(
    name: str, kind: ColumnType, reference: list[int], live: list[int], missing: list[int] | None = None
) -> ColumnCounts:
    missing = missing or [0, 0]
    sides = [
        Side(rows=sum(counts) + gone, counts=counts, missing=gone, distinct=sum(count > 0 for count in counts))
        for counts, gone in zip((reference, live), missing, strict=True)
    ]  # fmt: skip
    labels = [str(number) for number in range(len(reference))]
    return ColumnCounts(name=name, type=kind, labels=labels, reference=sides[0], live=sides[1])


def _counted_texts(name: str, frequent: Array, reference: Array, live: Array) -> ColumnCounts:
    levels = int(max(reference.max(initial=0), live.max(initial=0))) + 1
    bins = len(frequent) + np.arange(levels) * 2654435761 % HASH_BINS
    bins[frequent[frequent < levels]] = np.flatnonzero(frequent < levels)
    sides = []
    known = np.bincount(reference[reference >= 0], minlength=levels)
    for values in (reference, live):
        counts = np.bincount(values[values >= 0], minlength=levels)
        by_bin = np.bincount(bins, weights=counts, minlength=len(frequent) + HASH_BINS).astype(np.int64)
        sides.append(
            Side(
                rows=len(values), counts=by_bin.tolist(), missing=int((values < 0).sum()),
                unknown=int(counts[known == 0].sum()), once=int((counts == 1).sum()), distinct=int((counts > 0).sum()),
            )
        )  # fmt: skip
    labels = [*(f"level {code}" for code in frequent), *(f"others, part {part + 1}" for part in range(HASH_BINS))]
    return ColumnCounts(name=name, type="text", labels=labels, reference=sides[0], live=sides[1])


def _counted_numbers(name: str, reference: Array, live: Array) -> ColumnCounts:
    present = np.sort(reference[~np.isnan(reference)])
    inner = present[(len(present) * np.arange(1, NUMBER_BINS) // NUMBER_BINS).astype(int)]
    edges = np.unique(inner[inner < present[-1]])
    sides = [number_side(side, present, edges) for side in (reference, live)]
    labels = [f"bin {number}" for number in range(len(edges) + 1)]
    return ColumnCounts(name=name, type="number", labels=labels, reference=sides[0], live=sides[1])


def number_side(values: Array, reference: Array, edges: Array) -> Side:
    """Count numbers.

    Parameters
    ----------
    values : (n,), NaN for a missing one
    reference : (m,), sorted, without missing ones
    edges : of the bins; one belongs to the bin below it
    """
    found = values[~np.isnan(values)]
    counts = np.bincount(np.searchsorted(edges, found), minlength=len(edges) + 1)
    wide = found.astype(np.float64)
    with np.errstate(all="ignore"):  # of huge numbers
        deviation = float(wide.std()) if len(wide) else 0.0
    return Side(
        rows=len(values), counts=counts.tolist(), missing=len(values) - len(found),
        below=int((found < reference[0]).sum()), above=int((found > reference[-1]).sum()),
        distinct=min(len(found), 1000), mean=float(wide.mean()) if len(wide) else None,
        deviation=deviation if len(wide) else None,
        quantiles=np.quantile(wide, QUANTILES, method="inverted_cdf").tolist() if len(wide) else [],
    )  # fmt: skip


def _sample(reference: Mapping[str, Array], live: Mapping[str, Array], scores: list[Array]) -> WindowSample:
    names = list(reference)
    texts = np.array([name.startswith("text") for name in names])
    sides = [
        np.stack([side[name][:MAX_SAMPLE_ROWS].astype(np.float32) for name in names], axis=1)
        for side in (reference, live)
    ]
    for side in sides:
        codes = side[:, texts]
        side[:, texts] = np.where(codes < 0, np.nan, codes)
    kept = [side[:MAX_SAMPLE_ROWS] for side in scores]
    both = [np.stack([1 - side, side], axis=1) for side in kept]
    target = np.zeros(len(both[0]), dtype=np.float32)
    return WindowSample(names, texts, sides[0], sides[1], both[0], both[1], target)
