"""Windows of one column for tests, and what is judged of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from bench.drawn_windows import number_side
from modelcycle.messages.monitoring import Broken, Signal
from modelcycle.model.window import ColumnCounts, Side, WindowSummary
from modelcycle.monitor.inputs.cause import broken_columns
from modelcycle.monitor.inputs.inputs import input_signals
from modelcycle.spec import Monitoring

END = datetime(2026, 11, 1, tzinfo=UTC)
LIMITS = Monitoring()


def numbers(reference: Any, live: Any, **column: Any) -> ColumnCounts:
    """Return a column of numbers, by twenty bins."""
    present = np.sort(reference[~np.isnan(reference)])
    edges = np.unique(np.quantile(present, np.arange(1, 20) / 20, method="inverted_cdf")) if len(present) else present
    edges = np.append(np.nextafter(edges, -np.inf), edges) if len(edges) == 1 else edges[:-1]
    sides = []
    for values in (reference, live):
        different = len(np.unique(values[~np.isnan(values)]))
        side = (
            number_side(values, present, edges)
            if len(present)
            else Side(rows=len(values), counts=[0], missing=len(values))
        )
        sides.append(side.model_copy(update={"distinct": different}))
    return ColumnCounts(**{"name": "x", "type": "number", "reference": sides[0], "live": sides[1], **column})


def texts(
    reference: dict[str, int], live: dict[str, int], missing: tuple[int, int] = (0, 0), **more: Any
) -> ColumnCounts:
    """Return a column of texts, a bin for each level of the reference and one for all others."""
    labels = [*reference, "others, part 1"]
    new = {level: rows for level, rows in live.items() if level not in reference}
    counts = [[*reference.values(), 0], [*(live.get(level, 0) for level in reference), sum(new.values())]]
    sides = [
        Side(
            rows=sum(count) + gone, counts=count, missing=gone, once=sum(rows == 1 for rows in levels.values()),
            distinct=len(levels), unknown=sum(new.values()) if levels is live else 0,
        )
        for count, gone, levels in zip(counts, missing, (reference, live), strict=True)
    ]  # fmt: skip
    return ColumnCounts(
        **{
            "name": "x", "type": "text", "labels": labels, "reference": sides[0], "live": sides[1],
            "new": list(new.items()), **more,
        }
    )  # fmt: skip


def counts(reference: dict[str, Any], live: dict[str, Any], kind: Any = "boolean", **column: Any) -> ColumnCounts:
    """Return a column from the fields of its sides."""
    return ColumnCounts(name="x", type=kind, reference=Side(**reference), live=Side(**live), **column)


def summary(*columns: ColumnCounts, **fields: Any) -> WindowSummary:
    rows = columns[0].live.rows if columns else 1_000
    start = END - timedelta(hours=1)
    return WindowSummary(
        **{
            "model": "m", "version": 1, "task": "binary", "kind": "hour", "window": (start, END), "rows": rows,
            "newest": END, "columns": columns, "versions": {1: rows}, **fields,
        }
    )  # fmt: skip


def judged(*columns: ColumnCounts, **fields: Any) -> dict[tuple[str, str], Signal]:
    """Return the signals of a window, by kind and subject."""
    return {
        (signal.kind, signal.subject): signal
        for signal in input_signals(summary(*columns, **fields), None, None, LIMITS)
    }


def broken(*columns: ColumnCounts) -> list[Broken]:
    window = summary(*columns)
    return broken_columns(window, input_signals(window, None, None, LIMITS))
