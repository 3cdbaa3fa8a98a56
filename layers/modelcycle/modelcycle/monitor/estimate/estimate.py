"""The headline metric of a window before any outcome is known.

Classes: confidence-based estimation, as NannyML calls it. The model's scores become probabilities of what comes out, by
the reference's known outcomes, weighted by how typical of the window its rows are (PAPE: Bialek et al., Estimating
Model Performance Under Covariate Shift Without Labels, 2024); outcomes are then drawn. Numbers: direct loss estimation.

Both hold as long as only the inputs change. That the same inputs now lead to other outcomes cannot be seen without
outcomes; `audit` says how far earlier estimates were off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from modelcycle.measured.metrics import measure_one
from modelcycle.messages import Estimate, Signal
from modelcycle.messages.monitoring import SignalState
from modelcycle.model.group_cutoffs import Cutoffs, of_rows
from modelcycle.model.window import MAX_SAMPLE_ROWS, WindowSample
from modelcycle.monitor.estimate.direct_loss import drawn_losses
from modelcycle.monitor.estimate.importance import Numbers, features, importance
from modelcycle.monitor.estimate.probabilities import choose_curve, fit_curves, outcome_probabilities
from modelcycle.monitor.one_thread import one_thread
from modelcycle.monitor.performance.performance import growth_of_error, probability_of_worse
from modelcycle.spec import Monitoring, Task

MIN_REFERENCE_ROWS = 100
MIN_LIVE_ROWS = 20
FITS, OUTCOMES = 40, 5  # of the curves, from resampled references; draws of outcomes by each
TAIL = 0.025
MAX_CLASSES = 100
MIN_DEFINED = 0.9  # share of the draws on which the metric is defined


def estimate(sample: WindowSample | None, task: Task, metric: str, threshold: float) -> Estimate | None:
    """Estimate a metric of a window, with the band in which it will be in 95 % of windows whose inputs alone change.

    The band holds what is not known of the outcomes themselves, of the reference, and of the rows beyond the sample.

    Returns
    -------
    None with too few rows or too many classes, and for a metric that cannot be estimated
    """
    if sample is None:
        return None
    sample = _usable(sample, task)
    if len(sample.target) < MIN_REFERENCE_ROWS or len(sample.live_scores) < MIN_LIVE_ROWS:
        return None
    drawn: Numbers | None
    method: Literal["confidence-based", "direct loss"]
    with one_thread():
        if task == "regression":
            method, drawn = "direct loss", _drawn_errors(sample, metric)
        else:
            method, drawn = "confidence-based", _drawn_of_classes(sample, task, metric, threshold)
    if drawn is None or len(drawn) == 0:
        return None
    low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
    value = float(np.clip(drawn.mean(), low, high))
    return Estimate(metric=metric, value=value, low=float(low), high=float(high), method=method)


def estimate_signal(
    estimate: Estimate | None, validation_metrics: Mapping[str, float], validation_interval: tuple[float, float],
    metric: str, limits: Monitoring, audited: float | None = None,
) -> Signal:  # fmt: skip
    """Judge an estimate, whose band is widened by `audit.widened`, against validation.

    Parameters
    ----------
    audited : mean difference of earlier estimates from what came out, for the detail
    """
    expected = validation_metrics.get(metric)
    if estimate is None or expected is None:
        why = f"{metric} cannot be estimated without outcomes"
        return Signal(kind="estimated performance", subject=metric, state="not watched", detail=why)
    interval = estimate.low, estimate.high
    p = probability_of_worse(metric, estimate.value, interval, expected, validation_interval)
    growth = growth_of_error(metric, estimate.value, expected, validation_interval)
    beyond = p < limits.false_alarms
    state: SignalState = "ok" if not beyond else "alarm" if growth >= limits.worse else "slight"
    detail = f"{estimate.method}; it cannot see that the same inputs lead to other outcomes"
    if audited is not None:
        detail += f"; earlier estimates were off by {audited:.3g}"
    return Signal(
        kind="estimated performance", subject=metric, state=state, value=estimate.value, low=estimate.low,
        high=estimate.high, expected=expected, effect=growth, unit="of the expected error", p=p, detail=detail,
    )  # fmt: skip


def _usable(sample: WindowSample, task: Task) -> WindowSample:
    """Return the rows with finite scores, and targets that the scores know."""
    known = np.isfinite(sample.reference_scores).all(axis=1) & np.isfinite(sample.target)
    if task != "regression":
        known &= (sample.target >= 0) & (sample.target < sample.reference_scores.shape[1])
    scored = np.isfinite(sample.live_scores).all(axis=1)
    selected = None if sample.live_selected is None else sample.live_selected[scored]
    return WindowSample(
        sample.names, sample.texts, sample.reference[known], sample.live[scored], sample.reference_scores[known],
        sample.live_scores[scored], sample.target[known], live_selected=selected,
    )  # fmt: skip


def _drawn_of_classes(sample: WindowSample, task: Task, metric: str, threshold: float) -> Numbers | None:
    scores, live = sample.reference_scores.astype(np.float64), sample.live_scores
    if scores.shape[1] > MAX_CLASSES:
        return None
    target, live_exact = sample.target.astype(np.int64), live.astype(np.float64)
    weights = importance(*features(sample))
    kind = choose_curve(scores, target, weights)
    cutoffs: Cutoffs = threshold
    if sample.live_selected is not None:  # what was answered counts, whatever the group of the row was
        cutoffs = np.where(sample.live_selected, -np.inf, np.inf).astype(np.float32)
    random = np.random.default_rng(0)
    drawn = []
    for _ in range(FITS):
        rows = random.integers(len(target), size=len(target))
        curves = fit_curves(kind, scores[rows], target[rows], weights[rows])
        reached = np.cumsum(outcome_probabilities(live_exact, curves), axis=1)
        for _ in range(OUTCOMES):
            picked = _rows(random, len(live))
            outcomes = (random.random((len(picked), 1)) > reached[picked, :-1]).sum(axis=1)
            drawn.append(measure_one(metric, live[picked], outcomes, task, of_rows(cutoffs, picked)))
    defined = np.array([value for value in drawn if value is not None])
    return defined if len(defined) >= MIN_DEFINED * len(drawn) else None


def _drawn_errors(sample: WindowSample, metric: str) -> Numbers | None:
    errors = np.abs(sample.reference_scores[:, 0].astype(np.float64) - sample.target)
    if metric not in ("rmse", "mae") or not errors.any():
        return None
    reference, live, categories = features(sample)
    weights = importance(reference, live, categories)
    losses = np.square(errors) if metric == "rmse" else errors
    resample = len(live) >= MAX_SAMPLE_ROWS
    means = drawn_losses(reference, live, categories, losses, weights, FITS * OUTCOMES, resample)
    return np.sqrt(means) if metric == "rmse" else means


def _rows(random: np.random.Generator, rows: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return rows of the window: all of them, or draw them if they are a sample."""
    return random.integers(rows, size=rows) if rows >= MAX_SAMPLE_ROWS else np.arange(rows)
