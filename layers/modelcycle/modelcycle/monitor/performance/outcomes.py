"""Outcomes of the reference and of live predictions, counted by the same bins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modelcycle.model.labelled import Labelled
from modelcycle.model.window import QUANTILES, ColumnCounts, Side
from modelcycle.monitor.performance.judged_rows import Positions, usable
from modelcycle.spec import Task

NUMBER_BINS = 20


def outcome_counts(
    reference: Labelled | None, labelled: Labelled | None, rows: Positions, task: Task, target: str,
    classes: Sequence[str],
) -> ColumnCounts | None:  # fmt: skip
    """Return the outcomes of rows beside those of the reference; None if one of the two has none.

    Parameters
    ----------
    reference : the test rows, of `judged_rows.reference_rows`
    rows : of `labelled` that are judged
    target : name of the target column
    """
    if reference is None or labelled is None or not len(rows):
        return None
    then, now = reference.outcome[usable(reference, task)], labelled.outcome[rows]
    if not len(then):
        return None
    if task == "regression":
        edges = np.unique(np.quantile(then, np.linspace(0, 1, NUMBER_BINS + 1)[1:-1], method="inverted_cdf"))
        return ColumnCounts(name=target, type="number", reference=_numbers(then, edges), live=_numbers(now, edges))
    sides = [np.bincount(values.astype(np.int64), minlength=len(classes)) for values in (then, now)]
    before, live = (Side(rows=int(counts.sum()), counts=counts.tolist()) for counts in sides)
    return ColumnCounts(name=target, type="text", labels=list(classes), reference=before, live=live)


def _numbers(values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> Side:
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return Side(
        rows=len(values), counts=counts.tolist(), mean=float(values.mean()), deviation=float(values.std()),
        quantiles=np.quantile(values, QUANTILES).tolist(),
    )  # fmt: skip
