"""What each version takes: requests, refused ones, errors, cold starts, latency, memory, GB-seconds and their price."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from scipy import stats

from modelcycle.faults import Fault
from modelcycle.lambda_price import MB_IN_GB, dollars
from modelcycle.logs import Logs
from modelcycle.messages.monitoring import Signal, VersionResources
from modelcycle.monitor.resources.function_log import Call, FunctionLog, read_function_log
from modelcycle.monitor.signals import rounded
from modelcycle.spec import Pipeline

MIN_CALLS = 20  # below it nothing is said about shares and quantiles
SLIGHT_MEMORY, MAX_MEMORY = 0.85, 0.95  # shares of the function's memory; above the second, Lambda soon ends it
MAX_COST_RATIO = 2.0  # of the price of a request, against the window before
MIN_COST_CALLS = 200  # without a cold start, in both windows: a few long ones make up much of a price
TESTS = 4  # errors, refused requests, latency and cost; they share the rate of false alarms with the window's others
SHARE_OF_FALSE_ALARMS = 0.1  # of `monitoring.false_alarms` that is theirs

Window = tuple[datetime, datetime]


@dataclass(frozen=True)
class Resources:
    """What the function that answers requests took for a model in one window.

    Parameters
    ----------
    versions : those that answered, or failed to, by number
    throttles : calls of the function that were refused, for all models: nothing tells whose they were; None if unknown
    notes : what could not be read, as sentences
    milliseconds : by version, the time of each call
    size_mb : memory of the function; None if no call was read
    champion : as whose the refused requests count; None if the log was not read
    """

    versions: list[VersionResources] = field(default_factory=list)
    throttles: int | None = None
    notes: list[str] = field(default_factory=list)
    milliseconds: dict[int, np.ndarray] = field(default_factory=dict)
    size_mb: int | None = None
    champion: int | None = None

    def of(self, version: int) -> VersionResources | None:
        """Return what a version took; None if it had no request."""
        return next((one for one in self.versions if one.version == version), None)


def resources(
    model: str,
    champion: int,
    windows: Sequence[Window],
    *,
    logs: Logs,
    throttles: Callable[[datetime, datetime], int],
) -> list[Resources]:
    """Return what each version took, for each window.

    The whole of a request that several versions answered counts as the champion's. So does a request that ended with an
    error before a version had it, or was refused.

    Parameters
    ----------
    windows : [start, end); they may overlap: the log is read once
    logs : of the function that answers requests
    throttles : see `CloudMetrics.throttles`
    """
    log = read_function_log(logs, model, windows)
    return [_of_window(log, champion, window, throttles) for window in windows]


def resource_signals(now: Resources, version: int, before: VersionResources | None, pipeline: Pipeline) -> list[Signal]:
    """Judge what a version took in a window.

    Parameters
    ----------
    before : the same version in an earlier window of the same length; None if there is none
    pipeline : `rollout.evidence` says by how much more errors and a higher latency count

    Returns
    -------
    signals of the kinds errors, latency, memory and cost; the champion's errors twice: also of refused requests
    """
    of_version = now.of(version) or VersionResources(version=version, requests=0)
    alpha = pipeline.monitoring.false_alarms * SHARE_OF_FALSE_ALARMS / TESTS
    failures = [_refused(of_version, before, pipeline, alpha)] if version == now.champion else []
    before = before if before is not None and before.requests >= MIN_CALLS else None
    failures.insert(0, _errors(of_version, before, pipeline, alpha))
    if of_version.requests < MIN_CALLS:
        detail = _too_few(of_version.requests)
        return [
            *failures,
            *(Signal(kind=kind, state="too few", detail=detail) for kind in ("latency", "memory", "cost")),
        ]
    return [
        *failures,
        _latency(now.milliseconds.get(version, np.empty(0)), of_version, before, pipeline, alpha),
        _memory(of_version, now.size_mb),
        _cost(of_version, before, alpha),
    ]


def _of_window(
    log: FunctionLog, champion: int, window: Window, throttles: Callable[[datetime, datetime], int]
) -> Resources:
    start, end = window
    notes = []
    try:
        throttled: int | None = throttles(start, end)
    except Fault as fault:
        throttled = None
        notes.append(f"throttles are not known: {fault.what}")
    if log.fault:
        return Resources(throttles=throttled, notes=[f"the log of predict could not be read: {log.fault}", *notes])
    calls = [call for call in log.calls if start <= call.at < end]
    lost = sum(start <= at < end for at in log.lost)
    if lost:
        notes.append(
            f"{lost} calls of predict ended without an answer, killed or out of time;"
            " the log does not say for which model"
        )
    if any(call.weight > 1 for call in calls):
        notes.append("the log of predict is too long to be read whole: its figures are those of parts, scaled up")
    unread = sum(((last - first).total_seconds() for first, last in log.unread if start <= first < end), 0.0)
    if unread:
        notes.append(f"{unread / 60:,.0f} minutes of the log of predict could not be read in time")
    by_version: dict[int, list[Call]] = {}
    for call in calls:
        by_version.setdefault(champion if call.version is None else call.version, []).append(call)
        for failed in call.failed:
            by_version.setdefault(failed, [])
    refused = sum(weight for at, weight in log.refused if start <= at < end)
    if refused:
        by_version.setdefault(champion, [])
    received = sum(call.weight for call in calls) + refused
    versions = [_version(number, by_version[number], calls) for number in sorted(by_version)]
    asked = {"refused": round(refused), "received": round(received)}
    sizes = [call.size_mb for call in calls if call.size_mb is not None]
    return Resources(
        versions=[one.model_copy(update=asked) if one.version == champion else one for one in versions],
        throttles=throttled,
        notes=notes,
        milliseconds={
            number: np.array([call.ms for call in own if call.ms is not None]) for number, own in by_version.items()
        },
        size_mb=max(sizes, default=None),
        champion=champion,
    )


def _version(number: int, own: Sequence[Call], calls: Sequence[Call]) -> VersionResources:
    """Return the figures of a version.

    Parameters
    ----------
    own : the calls that it answered
    calls : all calls, in some of which it may have failed while another version answered
    """
    reported = [call for call in own if call.ms is not None]
    errors = sum(call.weight for call in own if call.error)
    errors += sum(call.weight for call in calls if number in call.failed and not call.error)
    gb_seconds = sum(call.weight * (call.billed_ms or 0.0) / 1000 * (call.size_mb or 0) / MB_IN_GB for call in reported)
    requests = sum(call.weight for call in own)
    memory = [call.memory_mb for call in own if call.memory_mb is not None]
    p50, p99 = _quantiles(reported) if reported else (None, None)
    warm, price, deviation = _warm_price(reported)
    return VersionResources(
        version=number, requests=round(requests), errors=round(errors),
        cold_starts=round(sum(call.weight for call in own if call.cold)), p50_ms=p50, p99_ms=p99,
        memory_mb=max(memory, default=None),
        gb_seconds=round(gb_seconds, 6) if reported else None,
        dollars=round(dollars(gb_seconds, requests), 12) if reported else None,
        warm_requests=warm, warm_dollars=price, warm_deviation=deviation,
    )  # fmt: skip


def _quantiles(calls: Sequence[Call]) -> tuple[float, float]:
    """Return the median and the 99th percentile of the time of calls, by weight."""
    order = sorted((call.ms or 0.0, call.weight) for call in calls)
    reached = np.cumsum([weight for _, weight in order])
    first, second = (int(np.searchsorted(reached, share * reached[-1])) for share in (0.5, 0.99))
    return order[first][0], order[min(second, len(order) - 1)][0]


def _warm_price(calls: Sequence[Call]) -> tuple[int, float | None, float | None]:
    """Return the number of calls without a cold start, and mean and standard deviation of their prices.

    Calls that stand for others are fewer than their weights say (Kish, Survey Sampling, 1965).
    """
    warm = [call for call in calls if not call.cold and call.billed_ms is not None and call.size_mb is not None]
    if not warm:
        return 0, None, None
    weights = np.array([call.weight for call in warm])
    gb_seconds = np.array([(call.billed_ms or 0.0) / 1000 * (call.size_mb or 0) / MB_IN_GB for call in warm])
    prices = dollars(1, 0) * gb_seconds + dollars(0, 1)
    mean = float(np.average(prices, weights=weights))
    deviation = math.sqrt(float(np.average(np.square(prices - mean), weights=weights)))
    return int(weights.sum() ** 2 / np.square(weights).sum() + 1e-6), rounded(mean), rounded(deviation)


def _errors(now: VersionResources, before: VersionResources | None, pipeline: Pipeline, alpha: float) -> Signal:
    """Judge the share of requests in which the version failed, against the one before."""
    # a version may fail in requests that another one then answered
    expected = before.errors / max(before.requests, before.errors) if before else 0.0
    return _share(
        "", now.errors, max(now.requests, now.errors), expected, pipeline, alpha,
        f"{now.errors:,} of {max(now.requests, now.errors):,} requests",
    )  # fmt: skip


def _refused(now: VersionResources, before: VersionResources | None, pipeline: Pipeline, alpha: float) -> Signal:
    """Judge the share of requests that break the model's contract, against the window before.

    Requests that were refused have no predictions: nothing else that is watched sees them.
    """
    expected = before.refused / before.received if before is not None and before.received >= MIN_CALLS else 0.0
    detail = f"{now.refused:,} of {now.received:,} requests were answered with 400 or 422; predict's log says why"
    return _share("refused requests", now.refused, now.received, expected, pipeline, alpha, detail)


def _too_few(requests: int) -> str:
    noun = "request" if requests == 1 else "requests"
    return f"{requests:,} {noun} in the function's log, fewer than {MIN_CALLS}"


def _share(
    subject: str, failed: int, total: int, expected: float, pipeline: Pipeline, alpha: float, detail: str
) -> Signal:
    """Judge a share of requests against the one before; `rollout.evidence.errors` says by how much it may be higher."""
    if total < MIN_CALLS:
        return Signal(kind="errors", subject=subject, state="too few", detail=_too_few(total))
    limit = min(expected + pipeline.rollout.evidence.errors, 1.0)
    interval = stats.binomtest(failed, total).proportion_ci(0.95, method="exact")
    p = float(stats.binom.sf(failed - 1, total, limit))
    share = failed / total
    state = "alarm" if p < alpha and share > limit else "slight" if interval.low > expected else "ok"
    return Signal(
        kind="errors", subject=subject, state=state, value=share, low=float(interval.low), high=float(interval.high),
        expected=expected, effect=share - expected, unit="share of requests", p=p, detail=detail,
    )  # fmt: skip


def _latency(
    milliseconds: np.ndarray, now: VersionResources, before: VersionResources | None, pipeline: Pipeline, alpha: float
) -> Signal:
    """Judge whether more than 1 % of calls take longer than 99 % of those before did, and by how much."""
    if now.p99_ms is None or len(milliseconds) < MIN_CALLS:
        return Signal(kind="latency", state="not watched", detail="the log has no reports of these calls")
    if before is None or before.p99_ms is None:
        return Signal(
            kind="latency", state="not watched", value=now.p99_ms, unit="ms",
            detail="99th percentile; no window of this version before to compare it with",
        )  # fmt: skip
    evidence = pipeline.rollout.evidence
    limit = max(before.p99_ms * evidence.slower, before.p99_ms + evidence.slower_ms)
    longer = int((milliseconds > limit).sum())
    p = float(stats.binom.sf(longer - 1, len(milliseconds), 0.01))
    ratio = now.p99_ms / before.p99_ms if before.p99_ms > 0 else math.inf
    longer_before = int((milliseconds > before.p99_ms).sum())
    is_beyond_chance = float(stats.binom.sf(longer_before - 1, len(milliseconds), 0.01)) < alpha
    state = "alarm" if p < alpha and now.p99_ms > limit else "slight" if is_beyond_chance else "ok"
    return Signal(
        kind="latency", state=state, value=now.p99_ms, expected=before.p99_ms,
        effect=ratio if math.isfinite(ratio) else None, unit="times as long (99th percentile, ms)", p=p,
        detail=f"{longer:,} of {len(milliseconds):,} calls took longer than {limit:,.0f} ms",
    )  # fmt: skip


def _memory(now: VersionResources, size_mb: int | None) -> Signal:
    """Judge the highest memory against the function's: what needs more is killed."""
    if now.memory_mb is None or size_mb is None:
        return Signal(kind="memory", state="not watched", detail="this place does not report the memory of calls")
    share = now.memory_mb / size_mb
    return Signal(
        kind="memory", state="alarm" if share >= MAX_MEMORY else "slight" if share >= SLIGHT_MEMORY else "ok",
        value=now.memory_mb, expected=float(size_mb), effect=share, unit="share of the function's memory",
        detail=f"{now.memory_mb:,.0f} of {size_mb:,} MB, with all versions in memory (ServingMemory)",
    )  # fmt: skip


def _cost(now: VersionResources, before: VersionResources | None, alpha: float) -> Signal:
    """Judge the price of a request against the window before, by Welch's test (The generalization of Student's problem
    when several different population variances are involved, Biometrika, 1947).

    Cold starts do not count: how many there are depends on the traffic.
    """
    if now.warm_dollars is None:
        return Signal(kind="cost", state="not watched", detail="the log has no reports of calls without a cold start")
    unit = "$ a million requests without a cold start, at the list price of us-east-1"
    price = now.warm_dollars * 1e6
    if now.warm_requests < MIN_COST_CALLS:
        detail = f"{now.warm_requests:,} requests without a cold start, fewer than {MIN_COST_CALLS}"
        return Signal(kind="cost", state="too few", value=price, unit=unit, detail=detail)
    if before is None or not before.warm_dollars or before.warm_requests < MIN_COST_CALLS:
        return Signal(
            kind="cost", state="not watched", value=price, unit=unit,
            detail=f"no window of this version before, of {MIN_COST_CALLS} requests without a cold start",
        )  # fmt: skip
    expected = before.warm_dollars * 1e6
    ratio = price / expected
    p = _p_of_dearer(now, before)
    state = "ok" if p >= alpha else "alarm" if ratio >= MAX_COST_RATIO else "slight"
    return Signal(
        kind="cost", state=state, value=price, expected=expected, effect=ratio, unit=unit, p=p,
        detail=f"{ratio:.2f} times the price before",
    )  # fmt: skip


def _p_of_dearer(now: VersionResources, before: VersionResources) -> float:
    """Return the probability that chance alone makes requests so much dearer than those before."""
    sides = [(one.warm_dollars or 0.0, one.warm_deviation or 0.0, one.warm_requests) for one in (now, before)]
    if not any(deviation for _, deviation, _ in sides):  # each request costs the same
        return 0.0 if sides[0][0] > sides[1][0] else 1.0
    return float(stats.ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False, alternative="greater").pvalue)
