"""The 95 % interval of every metric, of independent rows or of clusters of rows (all rows of one customer).

A metric's uncertainty comes from the influence of each row on it: the first-order change of the metric when the row
gets more weight (Hampel 1974; for the area under the ROC curve, DeLong's structural components, 1988). The influences
of a cluster are added before they are squared, so that rows which repeat each other are not counted as evidence twice.
Intervals are symmetric on the logit scale of a share and on the log scale of an error, since near its bound a metric is
not symmetric itself. Shares of rows have Wilson's interval; means over classes are put together from the intervals of
the classes. Area under the ROC curve: see `ranked_pairs`. Root mean squared error: see `heavy_tails`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.measured.heavy_tails import positive_mean_interval
from modelcycle.measured.ranked_pairs import auc_influences, auc_interval
from modelcycle.measured.units import Units
from modelcycle.model.group_cutoffs import Cutoffs
from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import DEFAULT_THRESHOLD
from modelcycle.spec import METRICS, Task

CONFIDENCE_LEVEL = 0.95
TAIL = (1 - CONFIDENCE_LEVEL) / 2
Array = npt.NDArray[Any]
Interval = tuple[float, float]


def metric_interval(
    name: str, scores: Array, target: Array, task: Task, units: Units, threshold: Cutoffs = DEFAULT_THRESHOLD
) -> Interval | None:
    """Return the 95 % interval of a metric, or None if it has none on these rows.

    Parameters
    ----------
    name : of `spec.METRICS[task]`
    scores : probabilities (n, k), or values (n, 1)
    target : codes (n,), or numbers (n,)
    units : which rows are independent of each other

    Examples
    --------
    >>> scores = np.tile([0.1, 0.9], (10, 1))
    >>> target = np.array([1] * 8 + [0] * 2)
    >>> low, high = metric_interval("accuracy", scores, target, "binary", Units(10))
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    if name not in METRICS[task] or units.count < 2:
        return None
    if task == "regression":
        return _of_errors(name, scores[:, 0].astype(np.float64), target.astype(np.float64), units)
    predicted = predicted_codes(scores, threshold)
    return _of_classes(name, scores.astype(np.float64), predicted, target, units)


def _of_errors(name: str, predicted: Array, target: Array, units: Units) -> Interval | None:
    from scipy.stats import binom

    n = len(target)
    errors = np.abs(predicted - target)
    if name == "rmse":
        return _rmse_interval(np.square(errors), units)
    if name == "mae":
        return _log_scale(float(errors.mean()), (errors - errors.mean()) / n, units)
    if name == "mape":
        relative = errors / np.maximum(np.abs(target), np.finfo(np.float64).eps)
        return _log_scale(float(relative.mean()), (relative - relative.mean()) / n, units)
    if name == "median_absolute_error":
        # order statistics; dependent rows count as fewer
        rows = max(int(units.effective_rows((errors > np.median(errors)) - 0.5)), 1)
        ranks = binom.ppf([TAIL, 1 - TAIL], rows, 0.5) + np.array([0, 1])
        interval = np.quantile(errors, np.minimum(ranks / rows, 1))
        return float(interval[0]), float(interval[1])
    squared, deviation = np.square(errors), np.square(target - target.mean())
    if name != "r2" or not deviation.mean() > 0 or not squared.mean() > 0:
        return None
    share = float(squared.mean() / deviation.mean())  # 1 - R2
    influences = share * (squared / squared.mean() - deviation / deviation.mean()) / n
    low, high = _log_scale(share, influences, units)
    return 1 - high, 1 - low


def _rmse_interval(squared: Array, units: Units) -> Interval:
    mean = float(squared.mean())
    if mean <= 0:
        return 0.0, 0.0
    low, high = positive_mean_interval(units.means(squared))
    if units.are_rows:
        return math.sqrt(low), math.sqrt(high)
    # the mean of the rows weighs large clusters more than the mean of the clusters does: the width is that of clusters
    clusters_mean = float(units.means(squared).mean())
    return math.sqrt(mean * low / clusters_mean), math.sqrt(mean * high / clusters_mean)


def _of_classes(name: str, scores: Array, predicted: Array, target: Array, units: Units) -> Interval | None:
    n, k = scores.shape
    if name == "accuracy":
        return wilson(predicted == target, units)
    if name in ("precision", "recall"):
        counted = (predicted if name == "precision" else target) == 1
        return wilson((predicted == target)[counted], units.take(counted)) if counted.any() else None
    if name == "log_loss":
        of_truth = np.clip(scores[np.arange(n), target], np.finfo(np.float32).eps, 1)
        losses = -np.log(of_truth)
        return _log_scale(float(losses.mean()), (losses - losses.mean()) / n, units)
    if name == "brier":
        losses = np.square(scores[:, 1] - target)
        return _log_scale(float(losses.mean()), (losses - losses.mean()) / n, units)
    if name == "roc_auc":
        return auc_interval(scores[:, 1], target, units) if 0 < target.sum() < n else None
    if name == "roc_auc_ovr":
        return _one_versus_rest_interval(scores, target, units)
    if name == "balanced_accuracy":
        return _balanced_accuracy_interval(predicted, target, units)
    share = _shares(k).get(name)
    if share is None:
        return None
    value_and_influences = share(scores, predicted, target)
    if value_and_influences is None:
        return None
    smallest = int(np.unique(target, return_counts=True)[1].min())
    return _logit_scale(*value_and_influences, units, min(smallest, units.count))


def _shares(k: int) -> dict[str, Callable[[Array, Array, Array], tuple[float, Array] | None]]:
    """Return what computes value and influences of the other metrics between 0 and 1."""
    return {
        "roc_auc": lambda scores, predicted, target: (
            auc_influences(scores[:, 1], target) if 0 < target.sum() < len(target) else None
        ),
        "roc_auc_ovr": lambda scores, predicted, target: _one_versus_rest(scores, target),
        "average_precision": lambda scores, predicted, target: _average_precision(scores[:, 1], target),
        "f1": lambda scores, predicted, target: _f1(predicted, target, [1]),
        "macro_f1": lambda scores, predicted, target: _f1(predicted, target, np.union1d(predicted, target).tolist()),
        "balanced_accuracy": lambda scores, predicted, target: _balanced_accuracy(predicted, target),
    }


def _one_versus_rest(scores: Array, target: Array) -> tuple[float, Array] | None:
    k = scores.shape[1]
    if len(np.unique(target)) < k:
        return None
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    parts = [auc_influences(probabilities[:, code], (target == code).astype(int)) for code in range(k)]
    return sum(auc for auc, _ in parts) / k, np.sum([influences for _, influences in parts], axis=0) / k


def _average_precision(positive: Array, target: Array) -> tuple[float, Array] | None:
    """Return the average precision: the mean over positive rows of the precision at their score, ties together."""
    n_positive = int(target.sum())
    if not n_positive > 0:
        return None
    # groups of equal scores, from the highest
    _, group = np.unique(-positive, return_inverse=True)
    hits = np.bincount(group, weights=target)
    rows = np.bincount(group)
    true_above, rows_above = np.cumsum(hits), np.cumsum(rows)
    precision = true_above / rows_above
    value = float((hits * precision).sum() / n_positive)
    # a row changes the precision at its own score and at all lower ones
    gain = np.cumsum((hits * (1 - precision) / rows_above)[::-1])[::-1]
    loss = np.cumsum((hits * precision / rows_above)[::-1])[::-1]
    own = precision[group] - value
    return value, np.where(target == 1, own + gain[group], -loss[group]) / n_positive


def _f1(predicted: Array, target: Array, codes: list[int]) -> tuple[float, Array] | None:
    """Return the mean F1 of classes."""
    size = int(max(predicted.max(), target.max(), *codes)) + 1
    right = predicted == target
    hits = np.bincount(target[right], minlength=size).astype(np.float64)
    total = (np.bincount(target, minlength=size) + np.bincount(predicted, minlength=size)).astype(np.float64)
    counted = np.zeros(size)
    counted[codes] = 1.0
    if not total[codes].all():
        return None
    total[total == 0] = 1.0
    f1 = 2 * hits / total * counted
    per_row = counted / total * f1  # by which each appearance of a class lowers its F1
    influences = 2 * right * (counted / total)[target] - per_row[target] - per_row[predicted]
    return float(f1.sum() / len(codes)), influences / len(codes)


def _balanced_accuracy(predicted: Array, target: Array) -> tuple[float, Array] | None:
    """Return the mean recall of the classes of these rows."""
    counts = np.bincount(target)
    right = (predicted == target).astype(np.float64)
    recalls = np.bincount(target, weights=right) / np.maximum(counts, 1)
    present = int((counts > 0).sum())
    return float(recalls.sum() / present), (right - recalls[target]) / counts[target] / present


def _one_versus_rest_interval(scores: Array, target: Array, units: Units) -> Interval | None:
    k = scores.shape[1]
    if len(np.unique(target)) < k:
        return None
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    parts = []
    for code in range(k):
        is_class = (target == code).astype(int)
        value, influences = auc_influences(probabilities[:, code], is_class)
        parts.append((value, influences, auc_interval(probabilities[:, code], is_class, units)))
    return _interval_of_mean(parts, units)


def _balanced_accuracy_interval(predicted: Array, target: Array, units: Units) -> Interval:
    right = (predicted == target).astype(np.float64)
    parts = []
    for code in np.unique(target):
        is_class = target == code
        recall = float(right[is_class].mean())
        influences = np.where(is_class, right - recall, 0.0) / is_class.sum()
        parts.append((recall, influences, wilson(right[is_class], units.take(is_class))))
    return _interval_of_mean(parts, units)


def _interval_of_mean(parts: list[tuple[float, Array, Interval]], units: Units) -> Interval:
    """Return the interval of the mean of k shares from theirs: squared distances add up (Zou and Donner 2008).

    So a share of 0 or 1, which has no influences, still is as uncertain as its interval says.

    Parameters
    ----------
    parts : value, influences (n,) and interval of each share
    """
    k = len(parts)
    value = sum(part for part, _, _ in parts) / k
    alone = sum(units.variance(influences) for _, influences, _ in parts)
    together = units.variance(np.sum([influences for _, influences, _ in parts], axis=0))
    dependence = math.sqrt(together / alone) if alone > 0 else 1.0
    below = math.sqrt(sum((part - low) ** 2 for part, _, (low, _) in parts)) / k * dependence
    above = math.sqrt(sum((high - part) ** 2 for part, _, (_, high) in parts)) / k * dependence
    return max(value - below, 0.0), min(value + above, 1.0)


def wilson(successes: Array, units: Units) -> Interval:
    """Return Wilson's interval (1927) of a share of rows (n,); dependent rows count as fewer.

    With clusters, n is divided by the design effect (Kish 1965), the variance over that of independent rows.
    """
    from scipy.stats import norm, t

    share, n = float(successes.mean()), len(successes)
    quantile, rows = float(norm.ppf(1 - TAIL)), float(n)
    if not units.are_rows and units.count > 1:
        rows = units.effective_rows(successes - share)
        quantile = float(t.ppf(1 - TAIL, units.count - 1))
    spread = quantile**2 / rows
    middle = (share + spread / 2) / (1 + spread)
    width = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return max(middle - width, 0.0), min(middle + width, 1.0)


def _log_scale(value: float, influences: Array, units: Units) -> Interval:
    if value <= 0 or units.count < 2:
        return value, value
    width = units.quantile * units.standard_error(influences) / value
    return value * math.exp(-width), value * math.exp(min(width, 700.0))


def _logit_scale(value: float, influences: Array, units: Units, smallest: int) -> Interval:
    """Return the interval of a share, symmetric on the logit scale.

    Parameters
    ----------
    smallest : rows of the rarest class; without a single error among them, a larger true error is still possible
    """
    error = units.standard_error(influences)
    if not 0 < value < 1 or error == 0:
        # as Clopper and Pearson (1934) bound a share of 0 or 1; a mean of such shares can be anywhere between
        possible = TAIL ** (1 / max(smallest, 1))
        return value * possible, 1 - (1 - value) * possible
    logit, width = math.log(value / (1 - value)), units.quantile * error / (value * (1 - value))
    low, high = (1 / (1 + math.exp(-min(max(bound, -700.0), 700.0))) for bound in (logit - width, logit + width))
    return low, high
