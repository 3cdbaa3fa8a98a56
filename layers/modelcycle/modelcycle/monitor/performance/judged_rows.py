"""The live rows by which a version is judged now, and those before them.

Outcomes arrive late. The rows of the window are judged if enough of their outcomes are known; otherwise the newest rows
of the version whose outcomes are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from modelcycle.measured.grouped_means import MIN_GROUP_CLUSTERS
from modelcycle.measured.units import Units
from modelcycle.model.columns import Texts
from modelcycle.model.labelled import Labelled
from modelcycle.model.scoring import ScoreArray
from modelcycle.model.slices import Slices
from modelcycle.spec import Monitoring, Task

MIN_KNOWN_SHARE = 0.5
"""Of the share of known outcomes that most days reach. A day below it is still waiting for outcomes, and the first ones
to arrive are a selection: of loans, those that have failed at once."""

USUAL_QUANTILE = 0.9  # of the shares of known outcomes by day, weighted by their predictions
LARGEST_NUMBER = float(np.finfo(np.float32).max)  # that a model can predict; the squares of larger ones overflow
DAY_SECONDS, HOUR_SECONDS = 86_400, 3_600
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class JudgedRows:
    """Positions of one version's rows among the labelled ones, each in the order of time.

    Parameters
    ----------
    now : by which the version is judged
    before : the rows before those
    waiting : days (YYYY-MM-DD) that are not judged yet, since most of their outcomes are still to come
    in_window : rows of the window whose outcome is known
    known : share of the predictions of the judged days whose outcome is known
    of_window : whether `now` are the rows of the window
    """

    now: Positions
    before: Positions
    waiting: list[str] = field(default_factory=list)
    in_window: int = 0
    known: float = 1.0
    of_window: bool = True


def judged_rows(
    labelled: Labelled, version: int, task: Task, window: tuple[datetime, datetime], limits: Monitoring
) -> JudgedRows:
    """Choose the rows that judge a version.

    If the window has fewer than `limits.minimum_rows` known outcomes, they are the newest rows that span a window's
    length, or more days until they are enough. Rows that claim to be later than the window are not judged.
    """
    start, end = (moment.timestamp() for moment in window)
    rows = usable(labelled, task) & (labelled.version == version) & (labelled.at >= 0) & (labelled.at < end)
    in_window = int((rows & (labelled.at >= start)).sum())
    days = np.floor_divide(np.where(rows, labelled.at, 0.0), DAY_SECONDS).astype(np.int64)
    waiting = _waiting(labelled.predicted, version, days[rows])
    rows &= ~np.isin(days, waiting)
    positions = np.flatnonzero(rows)
    positions = positions[np.argsort(labelled.at[positions], kind="stable")]
    at = labelled.at[positions]
    first = int(np.searchsorted(at, start))
    of_window = len(at) - first >= limits.minimum_rows
    if not of_window and len(at):
        first = int(np.searchsorted(at, at[-1] - (end - start), side="right"))
        if len(at) - first < limits.minimum_rows:
            nth = max(len(at) - limits.minimum_rows, 0)
            first = int(np.searchsorted(at, at[nth] // DAY_SECONDS * DAY_SECONDS))
    now = positions[first:]
    judged_days = np.unique(days[now])
    predicted = sum(labelled.predicted.get(day_name(day), {}).get(str(version), 0) for day in judged_days)
    of_days = int(np.isin(days[positions], judged_days).sum())
    return JudgedRows(
        now, positions[:first], [day_name(day) for day in waiting], in_window,
        min(of_days / predicted, 1.0) if predicted else 1.0, of_window,
    )  # fmt: skip


def usable(labelled: Labelled, task: Task) -> npt.NDArray[np.bool_]:
    """Return which rows (n,) can be measured: finite scores, and an outcome that a score could be."""
    rows = np.isfinite(labelled.scores).all(axis=1) & np.isfinite(labelled.outcome) & np.isfinite(labelled.at)
    if task == "regression":
        rows &= np.abs(labelled.outcome) <= LARGEST_NUMBER
    else:
        rows &= (labelled.outcome >= 0) & (labelled.outcome < labelled.scores.shape[1])
    return np.asarray(rows, dtype=np.bool_)


def target_of(labelled: Labelled, rows: Positions, task: Task) -> npt.NDArray[np.float64] | npt.NDArray[np.int64]:
    """Return the outcomes (n,) of rows: codes of classes, or numbers."""
    outcome = labelled.outcome[rows]
    return outcome if task == "regression" else outcome.astype(np.int64)


def units_of(at: npt.NDArray[np.float64]) -> Units:
    """Return which rows are independent, by their time (n,) in seconds.

    Rows of one day share its weather, its prices and its campaign. So days are the units, if there are enough of them;
    else hours; else rows.
    """
    for seconds in (DAY_SECONDS, HOUR_SECONDS):
        periods = np.floor_divide(at, seconds)
        if len(np.unique(periods)) >= MIN_GROUP_CLUSTERS:
            return Units.of(len(at), periods)
    return Units(len(at))


def reference_rows(
    scores: ScoreArray, target: npt.NDArray[np.floating] | npt.NDArray[np.integer],
    groups: Mapping[str, Texts] | None = None, slices: Slices | None = None,
) -> Labelled:  # fmt: skip
    """Return the test rows on which a version was judged, as if they had been answered before any traffic.

    Parameters
    ----------
    scores : (n, k)
    target : codes (n,), or numbers (n,)
    groups : by sensitive column, as in `model.scoring.Scores`
    slices : by the same groups as those of the live rows; groups of other names are ignored

    Examples
    --------
    >>> rows = reference_rows(np.array([[0.2, 0.8]], dtype=np.float32), np.array([1]), {"sex": Texts.of(["f"])})
    >>> rows.groups.columns, rows.groups.groups
    (['sex'], [['f', '(missing)']])
    """
    n = len(target)
    coded = {name: _coded(texts) for name, texts in (groups or {}).items() if len(texts.levels) < 127}
    empty = Slices([], [], np.zeros((0, n), dtype=np.int8))
    return Labelled(
        at=np.zeros(n), version=np.zeros(n, dtype=np.int32), scores=scores,
        outcome=np.asarray(target, dtype=np.float64), slices=slices or empty,
        groups=Slices(
            list(coded), [names for names, _ in coded.values()],
            np.array([codes for _, codes in coded.values()], dtype=np.int8).reshape(len(coded), n),
        ),
    )  # fmt: skip


def day_name(day: int) -> str:
    """Return the date of a day, counted from 1970.

    >>> day_name(20_000)
    '2024-10-04'
    """
    return f"{datetime.fromtimestamp(int(day) * DAY_SECONDS, UTC):%Y-%m-%d}"


def _coded(texts: Texts) -> tuple[list[str], npt.NDArray[np.int8]]:
    levels = [*texts.levels, "(missing)"]
    return levels, np.where(texts.codes < 0, len(texts.levels), texts.codes).astype(np.int8)


def _waiting(predicted: Mapping[str, Mapping[str, int]], version: int, days: Positions) -> list[int]:
    """Return the days whose outcomes are mostly still to come, among those of known rows."""
    distinct, known = np.unique(days, return_counts=True)
    rows = np.array([predicted.get(day_name(day), {}).get(str(version), 0) for day in distinct])
    rows = np.maximum(rows, known)
    if not len(distinct):
        return []
    shares = known / rows
    order = np.argsort(shares)
    reached = np.cumsum(rows[order]) >= USUAL_QUANTILE * rows.sum()
    usual = shares[order][np.argmax(reached)]
    return [int(day) for day in distinct[shares < MIN_KNOWN_SHARE * usual]]
