"""Measure what monitoring says of performance: python -m bench.estimates [adult] [bikeshare] [--runs N]

adult      Ten windows of 2,000 rows of Adult whose inputs are shifted, each in another way and more strongly than the
           one before. Is the realized accuracy inside the band that was estimated without outcomes? `unweighted` is the
           same estimate with all rows of the reference alike; `confidence` is the mean probability of what the model
           says, as until version 0.2.
bikeshare  A model that has learned from January to March 2011, and was judged on the newest quarter. The rest of
           the year is replayed in order, and each outcome comes 30 days late. When is the drop of performance seen,
           since when does it say it lasts, and what was estimated before?

The model is gradient boosting of scikit-learn on all columns; for Adult also a logistic regression on three. Seeds are
fixed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from modelcycle.measured.intervals import metric_interval
from modelcycle.measured.metrics import measure, measure_one
from modelcycle.measured.units import Units
from modelcycle.messages import DayPerformance, Estimate
from modelcycle.model.labelled import Labelled
from modelcycle.model.slices import Slices
from modelcycle.model.window import MAX_SAMPLE_ROWS, WindowSample
from modelcycle.monitor.estimate.estimate import estimate
from modelcycle.monitor.performance.audit import estimate_error, widened
from modelcycle.monitor.performance.change_point import change_point
from modelcycle.monitor.performance.judged_rows import DAY_SECONDS, reference_rows
from modelcycle.monitor.performance.performance import Performance, performance_signals
from modelcycle.spec import Monitoring, Task

DATA = Path(__file__).resolve().parent.parent / "examples" / "data"
WINDOW_ROWS, WINDOWS = 2_000, 10
LATE = timedelta(days=30)
LIMITS = Monitoring()
Array = npt.NDArray[Any]


class Rows(NamedTuple):
    """A table for trees: float32 (n, columns), the columns that hold codes, and the target (n,)."""

    names: list[str]
    values: npt.NDArray[np.float32]
    texts: npt.NDArray[np.bool_]
    target: Array

    def take(self, rows: Array) -> Rows:
        """Return some of the rows."""
        return self._replace(values=self.values[rows], target=self.target[rows])


class Window(NamedTuple):
    """One window of Adult: what was estimated in three ways, and what came out."""

    number: int
    realized: float
    estimate: Estimate
    unweighted: Estimate
    confidence: float

    @property
    def is_inside(self) -> bool:
        """Whether the realized value lies in the band."""
        return self.estimate.low <= self.realized <= self.estimate.high


class Month(NamedTuple):
    """A month of Bikeshare, as it is known 30 days after its end."""

    month: str
    estimates: list[DayPerformance]
    performance: Performance
    change: datetime | None
    error: float | None


def main() -> None:
    """Run the modes of the command line and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modes", nargs="*", choices=["adult", "bikeshare", []], default=[])
    parser.add_argument("--runs", type=int, default=3, help="repetitions of Adult's ten windows")
    arguments = parser.parse_args()
    modes = arguments.modes or ["adult", "bikeshare"]
    if "adult" in modes:
        for metric, narrow in (("accuracy", False), ("roc_auc", False), ("accuracy", True)):
            _print_adult(metric, arguments.runs, narrow)
    if "bikeshare" in modes:
        _print_bikeshare()


def read(name: str, target: str, drop: tuple[str, ...] = ()) -> Rows:
    """Read an example table; texts become codes."""
    import pandas as pd

    table = pd.read_csv(DATA / f"{name}.csv.gz").drop(columns=list(drop))
    outcome = table.pop(target)
    texts = np.array([not pd.api.types.is_numeric_dtype(table[column]) for column in table])
    values = np.stack(
        [pd.factorize(table[c], sort=True)[0] if text else table[c] for c, text in zip(table, texts, strict=True)],
        axis=1,
    )
    if not pd.api.types.is_numeric_dtype(outcome):
        outcome = pd.factorize(outcome, sort=True)[0]
    return Rows(list(table), values.astype(np.float32), texts, np.asarray(outcome))


def fit(rows: Rows, task: Task) -> Any:
    """Fit a model."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    with threadpool_limits(1):
        return kind(categorical_features=rows.texts, random_state=0).fit(rows.values, rows.target)


def scores_of(model: Any, rows: Rows) -> npt.NDArray[np.float32]:
    """Return scores (n, k)."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        scores = model.predict_proba(rows.values) if hasattr(model, "classes_") else model.predict(rows.values)[:, None]
    return np.asarray(scores, dtype=np.float32)


def sample_of(model: Any, reference: Rows, live: Rows, random: np.random.Generator) -> WindowSample:
    """Return the sample that `summarize` takes of a window."""
    taken = [side.take(random.permutation(len(side.target))[:MAX_SAMPLE_ROWS]) for side in (reference, live)]
    return WindowSample(
        reference.names, reference.texts, taken[0].values, taken[1].values, scores_of(model, taken[0]),
        scores_of(model, taken[1]), taken[0].target.astype(np.float32),
    )  # fmt: skip


class NarrowModel:
    """A logistic regression on three columns: right on average, and wrong in many parts of the table."""

    COLUMNS = ("age", "education_num", "hours_per_week")

    def __init__(self, rows: Rows) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self.columns = [rows.names.index(name) for name in self.COLUMNS]
        self.model = make_pipeline(StandardScaler(), LogisticRegression()).fit(
            rows.values[:, self.columns], rows.target
        )
        self.classes_ = self.model.classes_

    def predict_proba(self, values: Array) -> Array:
        """Return probabilities (n, 2)."""
        return np.asarray(self.model.predict_proba(values[:, self.columns]))


def adult_windows(metric: str, seed: int, narrow: bool = False) -> Iterator[Window]:
    """Shift Adult's inputs in ten windows, each along two random columns, by up to a factor of e^2 in a row's odds."""
    random = np.random.default_rng(seed)
    rows = read("adult", "income")
    order = random.permutation(len(rows.target))
    learned, reference, pool = (rows.take(part) for part in np.split(order, [14_000, 19_000]))
    model = NarrowModel(learned) if narrow else fit(learned, "binary")
    for number in range(WINDOWS):
        columns = random.choice(len(rows.names), 2, replace=False)
        ranks = pool.values[:, columns].argsort(axis=0).argsort(axis=0) / len(pool.target) - 0.5
        pull = ranks @ random.choice([-1.0, 1.0], 2) * (number + 1) / WINDOWS * 4
        chance = np.exp(pull) / np.exp(pull).sum()
        live = pool.take(random.choice(len(pool.target), WINDOW_ROWS, replace=False, p=chance))
        sample = sample_of(model, reference, live, random)
        realized = measure_one(metric, sample.live_scores, _sampled_target(model, live, sample), "binary")
        found = estimate(sample, "binary", metric, 0.5)
        with patch("modelcycle.monitor.estimate.estimate.importance", lambda reference, *_: np.ones(len(reference))):
            unweighted = estimate(sample, "binary", metric, 0.5)
        if realized is None or found is None or unweighted is None:
            raise RuntimeError(f"{metric} is not defined on window {number}")
        yield Window(number, realized, found, unweighted, float(sample.live_scores.max(axis=1).mean()))


def bikeshare_months(months: int = 9) -> Iterator[Month]:
    """Replay Bikeshare from April on; look at the end of each month's outcomes, which are 30 days late."""
    rows = read("bikeshare", "bikers", drop=("casual", "registered"))
    day, hour = rows.names.index("day"), rows.names.index("hr")
    at = datetime(2011, 1, 1, tzinfo=UTC).timestamp() + rows.values[:, day].astype(float) * DAY_SECONDS - DAY_SECONDS
    at += rows.values[:, hour].astype(float) * 3600
    kept = np.array([number for number, name in enumerate(rows.names) if name not in ("mnth", "day")])
    rows = Rows([rows.names[number] for number in kept], rows.values[:, kept], rows.texts[kept], rows.target)
    starts = [datetime(2011, month, 1, tzinfo=UTC) for month in range(4, 13)] + [datetime(2012, 1, 1, tzinfo=UTC)]
    before = np.flatnonzero(at < starts[0].timestamp())
    random = np.random.default_rng(0)
    learned, held_out = np.split(before, [len(before) * 3 // 4])  # judged on the newest quarter, as with a time_column
    model = fit(rows.take(learned), "regression")
    judged = rows.take(held_out)
    scores = scores_of(model, judged)
    metrics, _ = measure(scores, judged.target, "regression")
    interval = metric_interval("rmse", scores, judged.target, "regression", Units(len(held_out)))
    live = np.flatnonzero(at >= starts[0].timestamp())
    labelled = Labelled(
        at[live], np.ones(len(live), dtype=np.int32), scores_of(model, rows.take(live)),
        rows.target[live].astype(np.float64), _no_slices(len(live)), _no_slices(len(live)),
    )  # fmt: skip
    estimates: list[DayPerformance] = []
    for number in range(months):
        start, end = starts[number], starts[number + 1]
        of_month = (labelled.at >= start.timestamp()) & (labelled.at < end.timestamp())
        sample = sample_of(model, judged, rows.take(live[of_month]), random)
        said = widened(estimate(sample, "regression", "rmse", 0.5), estimates)
        look = end + LATE
        known = (labelled.at < end.timestamp()) & (labelled.at >= (look - timedelta(days=90)).timestamp())
        performance = performance_signals(
            _take(labelled, known), metrics, interval or (0.0, 0.0), version=1, task="regression", metric="rmse",
            threshold=0.5, window=(look - (end - start), look), limits=LIMITS,
            reference=reference_rows(scores, judged.target),
        )  # fmt: skip
        _, since = change_point(_take(labelled, known), 1, "regression", (end, look), LIMITS)
        realized = measure_one("rmse", labelled.scores[of_month], labelled.outcome[of_month], "regression")
        figures = {} if realized is None else {"rmse": (realized, realized, realized)}
        estimates = [
            DayPerformance(
                day=f"{start:%Y-%m}", version=1, rows=int(of_month.sum()), labelled=int(of_month.sum()),
                metrics=figures, estimated=said,
            ),
            *estimates,
        ]  # fmt: skip
        yield Month(f"{start:%Y-%m}", list(estimates), performance, since, estimate_error(estimates))


def _sampled_target(model: Any, live: Rows, sample: WindowSample) -> Array:
    """Return the outcomes of a sample's live rows, which are in another order."""
    order = np.lexsort(live.values.T), np.lexsort(sample.live.T)
    target = np.empty(len(live.target), dtype=np.int64)
    target[order[1]] = live.target[order[0]]
    return target


def _take(labelled: Labelled, rows: Array) -> Labelled:
    positions = np.flatnonzero(rows)
    empty = _no_slices(len(positions))
    return replace(
        labelled, at=labelled.at[positions], version=labelled.version[positions], scores=labelled.scores[positions],
        outcome=labelled.outcome[positions], slices=empty, groups=empty,
    )  # fmt: skip


def _no_slices(rows: int) -> Slices:
    return Slices([], [], np.zeros((0, rows), dtype=np.int8))


def _print_adult(metric: str, runs: int, narrow: bool) -> None:
    inside = unweighted = windows = 0
    errors: list[tuple[float, float, float]] = []
    model = "a logistic regression on three columns" if narrow else "gradient boosting"
    print(f"adult, {metric} of {model}: realized, estimated (band), unweighted, confidence")
    for seed in range(runs):
        held = 0
        for window in adult_windows(metric, seed, narrow):
            said, plain = window.estimate, window.unweighted
            held += window.is_inside
            unweighted += plain.low <= window.realized <= plain.high
            windows += 1
            errors.append(
                (
                    abs(said.value - window.realized), abs(plain.value - window.realized),
                    abs(window.confidence - window.realized),
                )
            )  # fmt: skip
            if seed == 0:
                print(
                    f"  window {window.number + 1:>2}  {window.realized:.3f}  {said.value:.3f} ({said.low:.3f} to"
                    f" {said.high:.3f})  {plain.value:.3f}  {window.confidence:.3f}"
                    f"{'' if window.is_inside else '  OUTSIDE'}"
                )
        inside += held
        print(f"  seed {seed}: inside the band in {held} of {WINDOWS} windows   wanted 8")
    means = np.mean(errors, axis=0)
    print(
        f"  inside in {inside} of {windows}, unweighted in {unweighted}; mean error {means[0]:.4f}, unweighted"
        f" {means[1]:.4f}, confidence {means[2]:.4f}"
    )


def _print_bikeshare() -> None:
    print("bikeshare, rmse: realized (expected), estimated before outcomes (band), seen 30 days later, since")
    for month in bikeshare_months():
        newest, signal = month.estimates[0], month.performance.signals[0]
        said = newest.estimated
        estimated = f"{said.value:.1f} ({said.low:.1f} to {said.high:.1f})" if said else "none"
        since = f"{month.change:%Y-%m-%d}" if month.change else "-"
        off = f"{month.error:.1f}" if month.error is not None else "-"
        expected = signal.expected or 0.0
        print(
            f"  {month.month}  {newest.metrics['rmse'][0]:>6.1f} ({expected:.1f})  {estimated:<24} {signal.state:<8}"
            f" worse since {since:<12} earlier estimates off by {off}"
        )


if __name__ == "__main__":
    main()
