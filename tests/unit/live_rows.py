"""Live predictions with known outcomes, for tests of monitoring."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.labelled import Labelled
from modelcycle.model.slices import Slices
from modelcycle.monitor.performance.judged_rows import day_name

START = datetime(2026, 3, 2, tzinfo=UTC)
Array = npt.NDArray[Any]


def days_window(days: int) -> tuple[datetime, datetime]:
    """Return the last day of so many days."""
    end = START + timedelta(days=days)
    return end - timedelta(days=1), end


def spread(days: int, a_day: int) -> Array:
    """Return times (n,) of so many rows a day."""
    return START.timestamp() + np.arange(days * a_day) * (86_400 / a_day)


def classes(at: Array, right: Array, **columns: Any) -> Labelled:
    """Return binary predictions at these times, of which `right` (n,) are right; their scores are 0.2 and 0.8.

    Parameters
    ----------
    columns : `version` (n,), `predicted` by day and version, `slices` and `groups` by name: codes (n,) of `a` and `b`
    """
    outcome = np.arange(len(at)) % 2
    positive = np.where(right, outcome, 1 - outcome) * 0.6 + 0.2
    scores = np.stack([1 - positive, positive], axis=1).astype(np.float32)
    return labelled(at, scores, outcome, **columns)


def numbers(at: Array, errors: Array, **columns: Any) -> Labelled:
    """Return predictions of numbers with these errors (n,)."""
    outcome = np.arange(len(at)) % 7 * 1.0
    return labelled(at, (outcome + errors)[:, None].astype(np.float32), outcome, **columns)


def labelled(
    at: Array, scores: Array, outcome: Array, version: Array | int = 1, predicted: Any = None,
    slices: dict[str, Array] | None = None, groups: dict[str, Array] | None = None,
) -> Labelled:  # fmt: skip
    """Return labelled rows; without `predicted`, all predictions have an outcome."""
    versions = np.broadcast_to(version, len(at)).astype(np.int32)
    if predicted is None:
        predicted = {}
        for day, number in zip(np.floor_divide(at, 86_400).astype(int), versions, strict=True):
            of_day = predicted.setdefault(day_name(day), {})
            of_day[str(number)] = of_day.get(str(number), 0) + 1
    return Labelled(
        at, versions, scores, np.asarray(outcome, dtype=np.float64), _coded(slices or {}, len(at)),
        _coded(groups or {}, len(at)), predicted,
    )  # fmt: skip


def _coded(columns: dict[str, Array], rows: int) -> Slices:
    codes = np.array([*columns.values()], dtype=np.int8).reshape(len(columns), rows)
    return Slices([*columns], [["a", "b"] for _ in columns], codes)
