"""What a version answered: its predictions and scores beside those of the reference, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modelcycle.model import scoring
from modelcycle.model.bins import short
from modelcycle.model.reference import Reference
from modelcycle.model.signature import Signature
from modelcycle.model.window import ColumnCounts, Side
from modelcycle.summarize import numbers
from modelcycle.summarize.rows import Rows

PREDICTIONS, SCORES = "prediction", "score"


class Answers(NamedTuple):
    """What was answered in one window; the parts are those of a `WindowSummary`."""

    predictions: ColumnCounts | None
    scores: ColumnCounts | None
    requests: int
    latency: list[float]


def count_answers(
    rows: Rows, signature: Signature, probabilities: Mapping[str, str], reference: Reference | None
) -> list[Answers]:
    """Count the answers of each window.

    Parameters
    ----------
    probabilities : by class: SQL of its probability
    """
    predictions: Sequence[ColumnCounts | None] = [None] * len(rows.windows)
    scores = predictions
    if reference is not None and signature.task == "regression":
        predictions = _count_numbers(rows, PREDICTIONS, "try_cast(prediction AS DOUBLE)", reference.scores[:, 0])
    elif reference is not None:
        predictions = _count_classes(rows, signature, reference)
        expected = reference.scores[:, 1] if signature.task == "binary" else reference.scores.max(axis=1)
        if all(name in probabilities for name in signature.classes):
            scores = _count_numbers(rows, SCORES, _score_sql(signature, probabilities), expected)
    return [Answers(*parts) for parts in zip(predictions, scores, *zip(*_requests(rows), strict=True), strict=True)]


def _score_sql(signature: Signature, probabilities: Mapping[str, str]) -> str:
    """Return SQL of the positive class's probability, or of several classes of the largest one."""
    if signature.task == "binary":
        return probabilities[signature.classes[1]]
    return f"greatest({', '.join(probabilities[name] for name in signature.classes)})"


def _count_classes(rows: Rows, signature: Signature, reference: Reference) -> list[ColumnCounts]:
    cutoffs = signature.threshold if reference.cutoffs is None else reference.cutoffs
    codes = scoring.predicted_codes(reference.scores, cutoffs)
    counts = np.bincount(codes, minlength=len(signature.classes)).tolist()
    expected = _class_side(dict(zip(signature.classes, counts, strict=True)), signature.classes)
    each = ", ".join(f"count(*) FILTER ({window})" for window in rows.windows)
    found = rows.engine.execute(f"SELECT prediction, {each} FROM {rows.source} GROUP BY 1").fetchall()
    labels = [short(name) for name in signature.classes]
    return [
        ColumnCounts(
            name=PREDICTIONS, type="text", labels=labels, reference=expected,
            live=_class_side({name: counts[n] for name, *counts in found}, signature.classes),
        )
        for n in range(len(rows.windows))
    ]  # fmt: skip


def _class_side(counts: dict[str | None, int], classes: Sequence[str]) -> Side:
    known = [counts.get(name, 0) for name in classes]
    return Side(
        rows=sum(counts.values()), counts=known, missing=sum(counts.values()) - sum(known),
        distinct=sum(count > 0 for count in known), once=sum(count == 1 for count in known),
    )  # fmt: skip


def _count_numbers(rows: Rows, name: str, value: str, expected: numbers.Numbers) -> list[ColumnCounts]:
    reference = numbers.reference_of_numbers(expected.astype(np.float32))
    found = rows.fetch({"value": f"coalesce(({value})::FLOAT, 'NaN'::FLOAT)"})["value"]
    counted = []
    for values in rows.of_windows(found):
        live = numbers.sorted_present(values)
        missing = len(values) - len(live)
        side = numbers.number_side(live, reference.bins, reference.range, rows=len(values), missing=missing)
        counted.append(
            ColumnCounts(name=name, type="number", labels=reference.bins.labels, reference=reference.side, live=side)
        )
    return counted


def _requests(rows: Rows) -> list[tuple[int, list[float]]]:
    """Return the number of requests of each window and the quantiles of their times; a request has `of` rows.

    A request that another version answered in part counts by its rows here.
    """
    found = rows.fetch({"ms": "coalesce(ms, 'NaN'::DOUBLE)", "size": 'greatest(coalesce("of", 1), 1)'})
    counted = []
    for times, sizes in zip(rows.of_windows(found["ms"]), rows.of_windows(found["size"]), strict=True):
        timed = np.isfinite(times)
        if (sizes == 1).all():  # sorting is much faster than finding the order
            counted.append((len(sizes), numbers.quantiles(np.sort(times[timed]))))
        else:
            parts, own = 1.0 / sizes, times[timed]
            order = np.argsort(own)
            counted.append((round(float(parts.sum())), numbers.quantiles(own[order], parts[timed][order])))
    return counted
