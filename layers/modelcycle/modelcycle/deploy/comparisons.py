"""The four kinds of evidence: errors, latency, predictions, quality. Each compares one thing, against its limit."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.deploy.samples import Arm, Samples, size_class
from modelcycle.deploy.sequential import (
    MAX_SUBSETS_OF_CLASSES,
    class_radius,
    distribution_radius,
    mean_radius,
    quantile_interval,
    share_interval,
)
from modelcycle.messages import Finding
from modelcycle.model.distances import class_distance, neighbour_distance, number_distance
from modelcycle.model.request import MAX_REQUEST_ROWS
from modelcycle.spec import Evidence

KINDS = 4
QUANTILES = (0.5, 0.95)  # of latency: the usual request, and the slow ones
SIZE_CLASSES = size_class(MAX_REQUEST_ROWS) + 1
MIN_REQUESTS = 20  # for errors, and for latency of each version and size
MIN_OUTCOMES = 30  # of each version: the sequence for means is asymptotic
MAX_NAMED_FAILURES = 3
CIRCUMSTANCES = frozenset({"NotLoaded"})  # failures that are not the model's

Array = npt.NDArray[np.float64]


class Comparison(NamedTuple):
    """A finding, and what follows from it.

    Parameters
    ----------
    leans : whether the estimate lies beyond the limit, perhaps by chance
    is_circumstance : whether it says nothing about the model; a later run may find otherwise
    """

    finding: Finding
    leans: bool
    is_circumstance: bool = False

    @property
    def verdict(self) -> str:
        return self.finding.verdict


class Usual(NamedTuple):
    """Distances of predictions that are allowed: between the versions on test rows, between the champion's hours."""

    versions: float = 0.0
    hours: float = 0.0


def compare(samples: Samples, limits: Evidence, usual: Usual, is_regression: bool, alpha: float) -> list[Comparison]:
    """Compare what champion and challenger have answered.

    Parameters
    ----------
    usual : distances of predictions that do not count
    alpha : chance of a false alarm, of all kinds together
    """
    share = alpha / KINDS
    return [
        compare_errors(samples.champion, samples.challenger, limits, share),
        compare_latency(samples.champion, samples.challenger, limits, share),
        compare_predictions(samples.champion, samples.challenger, limits, usual, is_regression, share),
        compare_quality(samples, limits, share),
    ]


def compare_errors(champion: Arm, challenger: Arm, limits: Evidence, alpha: float) -> Comparison:
    """Compare the shares of rows that a version was asked for and did not answer, averaged over requests."""
    if not challenger.requests:
        return _unknown("errors", limits.errors, champion, challenger, "it was not asked yet")
    old, new = (share_interval(arm.failed, arm.requests, alpha / 2) for arm in (champion, challenger))
    shares = [arm.failed / max(arm.requests, 1) for arm in (champion, challenger)]
    # a champion that was asked for nothing, as in a watch without earlier requests, counts as free of errors
    low, high = new.low - (old.high if champion.requests else 0.0), new.high - (old.low if champion.requests else 0.0)
    # requests of the same moment fail together, so a few of them decide nothing
    verdict = _verdict(low, high, limits.errors) if challenger.requests >= MIN_REQUESTS else "open"
    names = ", ".join(list(challenger.failures)[:MAX_NAMED_FAILURES])
    detail = (
        f"{shares[1]:.1%} of its requests failed" + (f" ({names})" if names else "") + f", champion {shares[0]:.1%}"
    )
    finding = Finding(
        kind="errors", champion=_short(shares[0]), challenger=_short(shares[1]), low=_short(low), high=_short(high),
        limit=limits.errors, rows=(champion.rows, challenger.rows), verdict=verdict,
        detail=detail,
    )  # fmt: skip
    never_loaded = challenger.failures.keys() <= CIRCUMSTANCES
    return Comparison(finding, shares[1] - shares[0] > limits.errors, never_loaded)


class _Ratio(NamedTuple):
    quantile: float
    rows: int  # the fewest of the size
    old: float
    new: float
    low: float
    high: float
    counts: tuple[int, int]
    is_worse: bool
    is_not_worse: bool
    leans: bool

    @property
    def urgency(self) -> tuple[bool, bool, bool, int]:
        """The one that decides comes first; then the one of most requests."""
        return self.is_worse, self.leans, not self.is_not_worse, self.counts[1]


def compare_latency(champion: Arm, challenger: Arm, limits: Evidence, alpha: float) -> Comparison:
    """Compare quantiles of the time of requests of the same size.

    Where the champion has too few of a size, its larger ones are compared: they take longer, so the challenger is not
    wronged.
    """
    each = alpha / (SIZE_CLASSES * len(QUANTILES) * 2)
    ratios = [
        _ratio(size, quantile, old, new, limits, each)
        for size, new in challenger.latencies.items()
        for old in [_same_size(champion, size)]
        if min(len(old), len(new)) >= MIN_REQUESTS
        for quantile in QUANTILES
    ]
    if not ratios:
        return _unknown("latency", limits.slower, champion, challenger, "too few requests of the same size")
    shown = max(ratios, key=lambda ratio: ratio.urgency)
    worse, not_worse = any(one.is_worse for one in ratios), all(one.is_not_worse for one in ratios)
    which = "median" if shown.quantile == 0.5 else f"{shown.quantile:.0%} quantile"
    size = "1 row" if shown.rows == 1 else f"{shown.rows} to {2 * shown.rows - 1} rows"
    finding = Finding(
        kind="latency", champion=_short(shown.old), challenger=_short(shown.new), low=_short(shown.low),
        high=_short(shown.high), limit=limits.slower, rows=(champion.rows, challenger.rows),
        verdict="worse" if worse else "not worse" if not_worse else "open",
        detail=f"{which} of {size} {shown.new:.1f} ms, champion {shown.old:.1f} ms",
    )  # fmt: skip
    return Comparison(finding, any(one.leans for one in ratios), is_circumstance=True)


def _same_size(champion: Arm, size: int) -> Array:
    same = champion.latencies.get(size, np.zeros(0))
    if len(same) >= MIN_REQUESTS:
        return same
    return np.sort(np.concatenate([np.zeros(0), *(times for one, times in champion.latencies.items() if one >= size)]))


def _ratio(size: int, quantile: float, old: Array, new: Array, limits: Evidence, alpha: float) -> _Ratio:
    before, after = quantile_interval(old, quantile, alpha), quantile_interval(new, quantile, alpha)
    middle = [float(np.quantile(times, quantile)) for times in (old, new)]
    low, high = _quotient(after.low, before.high), _quotient(after.high, before.low)
    return _Ratio(
        quantile, 2**size, middle[0], middle[1], max(low, 0.0), high, (len(old), len(new)),
        is_worse=low > limits.slower and after.low - before.high > limits.slower_ms,
        is_not_worse=high <= limits.slower or after.high - before.low <= limits.slower_ms,
        leans=middle[1] > limits.slower * middle[0] and middle[1] - middle[0] > limits.slower_ms,
    )  # fmt: skip


def _quotient(new: float, old: float) -> float:
    if math.isinf(old):
        return math.inf if old < 0 else 0.0
    return new / old if old > 0 else math.inf


def compare_predictions(
    champion: Arm, challenger: Arm, limits: Evidence, usual: Usual, is_regression: bool, alpha: float
) -> Comparison:
    """Compare the distributions of predictions: total variation of classes, Kolmogorov distance of numbers."""
    allowed = limits.shift + usual.versions + usual.hours
    counts = [_observed(arm, is_regression) for arm in (champion, challenger)]
    if not all(counts):
        return _unknown("predictions", allowed, champion, challenger, "too few answers")
    old, new = champion.predictions, challenger.predictions
    if is_regression:
        distance = number_distance(old, new)
        radius = sum(distribution_radius(count, alpha / 2) for count in counts)
    else:
        known = len(old) if old[-1] or new[-1] else len(old) - 1
        distance = (class_distance if known <= MAX_SUBSETS_OF_CLASSES else neighbour_distance)(old, new)
        radius = sum(class_radius(count, known, alpha / 2) for count in counts)
    low, high = max(distance - radius, 0.0), min(distance + radius, 1.0)
    finding = Finding(
        kind="predictions", champion=None, challenger=_short(distance), low=_short(low), high=_short(high),
        limit=_short(allowed), rows=(counts[0], counts[1]), verdict=_verdict(low, high, allowed),
        detail=f"distance {distance:.2f}, allowed {allowed:.2f}{_composed(limits, usual)}",
    )  # fmt: skip
    # a few entities differ by chance: what counts is the middle between the distance and its lower bound
    return Comparison(finding, distance - radius / 2 > allowed)


def _composed(limits: Evidence, usual: Usual) -> str:
    parts = [f"{limits.shift:g}"]
    parts += [f"{usual.versions:.2f} on test rows"] if usual.versions else []
    parts += [f"{usual.hours:.2f} between hours"] if usual.hours else []
    return f" ({' + '.join(parts)})" if len(parts) > 1 else ""


def _observed(arm: Arm, is_regression: bool) -> int:
    return len(arm.predictions) if is_regression else int(arm.predictions.sum())


def compare_quality(samples: Samples, limits: Evidence, alpha: float) -> Comparison:
    """Compare the losses of answers whose outcome is known, row by row where both have answered the same rows.

    What is tested is the loss beyond the allowed one: that of the challenger less (1 + `worse`) times the champion's.
    """
    champion, challenger = samples.champion, samples.challenger
    factor = 1 + limits.worse
    if samples.pairs is not None:
        old, new = samples.pairs[:, 0], samples.pairs[:, 1]
        counts = (len(old), len(old))
    else:
        old, new = champion.losses, challenger.losses
        counts = (len(old), len(new))
    if min(counts) < MIN_OUTCOMES:
        why = "no outcomes" if not max(counts) else f"outcomes of {counts[0]} and {counts[1]} entities: too few"
        return _unknown("quality", limits.worse, champion, challenger, why, counts)
    means, which = (float(old.mean()), float(new.mean())), "the same" if samples.pairs is not None else "other"
    if samples.pairs is not None:
        deviation, count = float((new - factor * old).std(ddof=1)), len(old)
    else:  # of the difference of two means, as if of so many pairs
        count = round(1 / (1 / len(old) + 1 / len(new)))
        variance = float(new.var(ddof=1)) / len(new) + factor**2 * float(old.var(ddof=1)) / len(old)
        deviation = math.sqrt(count * variance)
    radius, beyond = mean_radius(deviation, count, alpha), means[1] - factor * means[0]
    low, high = (limits.worse + _quotient_of_losses(bound, means[0]) for bound in (beyond - radius, beyond + radius))
    finding = Finding(
        kind="quality", champion=_short(means[0]), challenger=_short(means[1]), low=_short(low), high=_short(high),
        limit=limits.worse, rows=counts, verdict=_verdict(low, high, limits.worse),
        detail=f"loss {means[1]:.4g}, champion {means[0]:.4g}, on {which} rows",
    )  # fmt: skip
    return Comparison(finding, beyond > 0)


def _quotient_of_losses(part: float, loss: float) -> float:
    if loss > 0:
        return part / loss
    return 0.0 if part == 0 else math.copysign(math.inf, part)


def _unknown(
    kind: str, limit: float, champion: Arm, challenger: Arm, why: str, rows: tuple[int, int] | None = None
) -> Comparison:
    finding = Finding.model_validate({
        "kind": kind, "champion": None, "challenger": None, "limit": limit, "verdict": "not known", "detail": why,
        "rows": rows or (champion.rows, challenger.rows),
    })  # fmt: skip
    return Comparison(finding, leans=False)


def _verdict(low: float, high: float, limit: float) -> str:
    return "worse" if low > limit else "not worse" if high <= limit else "open"


def _short(value: float) -> float | None:
    """Return a figure as it goes on record; JSON has no infinity."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
