"""A window of live traffic beside its reference, as `summarize` counts it and `monitor` judges it.

The reference of a version are the test rows on which it was judged (`Version.reference`), at most MAX_REFERENCE_ROWS of
them. Both are counted by the same bins, so a test needs no rows, and its cost does not grow with traffic.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from modelcycle.cells.reading import ColumnType
from modelcycle.messages import WindowKind
from modelcycle.model.npz import from_json_array, from_npz, json_array, to_npz_quickly
from modelcycle.model.slices import Slices
from modelcycle.spec import Task

MAX_REFERENCE_ROWS = 100_000
MAX_SAMPLE_ROWS = 5_000  # of the reference, and of the window
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


class Side(BaseModel):
    """The values of a column on one side: in the reference, or in the window.

    Parameters
    ----------
    rows : all of them, also those without a value
    counts : values by bin; see `ColumnCounts`
    missing : rows without a value
    absent : of these, rows of requests that did not hold the column
    masked : rows whose value is hidden; they are in no other count
    unparsed : of the missing, values that are there but are not of the column's type
    unknown : text: values that the reference does not hold, counted in their bins too
    below, above : numbers outside of the reference's range
    once : text: values that occur once; in the reference, `once / rows` is the share of unknown values to expect
    distinct : different values
    mean, deviation : of numbers
    quantiles : of numbers, at QUANTILES; empty without any
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    rows: int
    counts: list[int]
    missing: int = 0
    absent: int = 0
    masked: int = 0
    unparsed: int = 0
    unknown: int = 0
    below: int = 0
    above: int = 0
    once: int = 0
    distinct: int = 0
    mean: float | None = None
    deviation: float | None = None
    quantiles: list[float] = []


class ColumnCounts(BaseModel):
    """A column in the reference and in the window, by the same bins.

    Parameters
    ----------
    type : number: bins between quantiles of the reference; a value that is frequent there has a bin of its own.
        text: one bin for each frequent value of the reference, and HASH_BINS for all others by their hash, whether
        the reference holds them or not. boolean: 0 and 1. datetime: no bins, since later dates are expected
    labels : of the bins, for people
    new : text: the most frequent values that the reference does not hold, with their rows
    reads : whether the model reads it; a sensitive column that it does not read is counted if requests hold it
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    type: ColumnType
    labels: list[str] = []
    reference: Side
    live: Side
    new: list[tuple[str, int]] = []
    reads: bool = True


class WindowSummary(BaseModel):
    """Everything that is counted of one version in one window.

    Parameters
    ----------
    rows : predictions of the version in the window, each id once
    versions : predictions by version, all of the model
    newest : time of the newest one
    before : rows of all versions in each of the windows of this length before it, the newest first; up to 28
    columns : in the order of the data
    predictions : the predicted class (text) or number, as a column
    scores : binary: the positive class's probability; multiclass: that of the predicted class; regression: None
    failed : rows that another version answered, because this one could not
    latency : milliseconds at QUANTILES, one for each request; empty if not captured
    requests : answered requests
    notes : what was left out, as sentences
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    model: str
    version: int
    task: Task
    kind: WindowKind
    window: tuple[datetime, datetime]
    rows: int
    versions: dict[int, int] = {}
    newest: datetime | None = None
    before: list[int] = []
    columns: list[ColumnCounts] = []
    predictions: ColumnCounts | None = None
    scores: ColumnCounts | None = None
    requests: int = 0
    failed: int = 0
    latency: list[float] = []
    notes: list[str] = Field([])


@dataclass(frozen=True)
class WindowSample:
    """Rows of the reference and of the window, at most MAX_SAMPLE_ROWS each, chosen by their hash.

    Parameters
    ----------
    names : of the columns that the model reads
    texts : bool (columns,), whether a column is text; its values are then codes of levels that both sides share
    reference, live : float32 (rows, columns), NaN for a missing value
    reference_scores, live_scores : float32 (rows, k), as in `model.scoring`
    target : float32 (rows,), the reference's classes by code, or numbers
    reference_groups, live_groups : each row's group by sensitive column, by the same groups; without a column where
        requests hold none
    reference_selected, live_selected : bool (rows,), whether the positive class was predicted; None unless groups have
        thresholds of their own
    """

    names: list[str]
    texts: npt.NDArray[np.bool_]
    reference: npt.NDArray[np.float32]
    live: npt.NDArray[np.float32]
    reference_scores: npt.NDArray[np.float32]
    live_scores: npt.NDArray[np.float32]
    target: npt.NDArray[np.float32]
    reference_groups: Slices | None = None
    live_groups: Slices | None = None
    reference_selected: npt.NDArray[np.bool_] | None = None
    live_selected: npt.NDArray[np.bool_] | None = None

    def to_bytes(self) -> bytes:
        """Return an npz file; equal samples give equal bytes."""
        groups = {"reference_groups": self.reference_groups, "live_groups": self.live_groups}
        selected = {"reference_selected": self.reference_selected, "live_selected": self.live_selected}
        return to_npz_quickly(
            names=json_array(self.names), texts=self.texts, reference=self.reference, live=self.live,
            reference_scores=self.reference_scores, live_scores=self.live_scores, target=self.target,
            **{name: np.frombuffer(one.to_bytes(), dtype=np.uint8) for name, one in groups.items() if one is not None},
            **{name: one for name, one in selected.items() if one is not None},
        )  # fmt: skip

    @staticmethod
    def from_bytes(body: bytes) -> WindowSample:
        """Return the sample in an npz file of `to_bytes`."""
        stored: dict[str, Any] = from_npz(body)
        for name in ("reference_groups", "live_groups"):
            if name in stored:
                stored[name] = Slices.from_bytes(stored[name].tobytes())
        return WindowSample(names=from_json_array(stored.pop("names")), **stored)
