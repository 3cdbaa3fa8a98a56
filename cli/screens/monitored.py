"""The screens of `monitor`: what one look saw, and what earlier looks saw."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cli.screens.lines import clip, count, figure, labelled, minute, more, seconds, table, words, wrapped
from modelcycle.messages import Monitored, MonitoringReport, Signal, VersionResources, Watched

MAX_SHOWN_SIGNALS = 15
MAX_SHOWN_WINDOWS = 60
MAX_DETAIL = 70  # characters
HEADS = {
    "ok": "nothing has changed beyond chance",
    "drifted": "drifted",
    "degraded": "degraded",
    "broken": "the data are broken",
    "no data": "too few predictions to compare",
    "not live": "no version is live",
}
ORDER = {"alarm": 0, "slight": 1, "too few": 2, "not watched": 3, "ok": 4}


def monitored_text(watched: Watched, reports: Sequence[MonitoringReport | None]) -> str:
    """Return the verdict on each window, and the signals of the first, the gravest first.

    Parameters
    ----------
    reports : of `watched.windows`; None for a window without one
    """
    lines: list[str] = []
    for result, report in zip(watched.windows, reports, strict=True):
        lines += ["", *_window(result, report)] if lines else _window(result, report)
    first = reports[0] if reports else None
    if first is not None and first.signals:
        lines += ["", *_signals(first.signals)]
    if first is not None and first.resources:
        lines += ["", *_resources(first.resources)]
    return "\n".join(lines)


def windows_text(model: str, since: datetime, results: Sequence[Monitored]) -> str:
    """Return one line for each result, the newest first, with the columns behind its verdict."""
    if not results:
        return f"{model} was not looked at since {minute(since)}; `modelcycle monitor {model}` looks now"
    rows = [
        [
            minute(result.window[1]), "" if result.version is None else str(result.version), f"{result.rows:,}",
            result.state, _figure(result.estimated), _figure(result.realized), f"{result.labelled:,}",
            clip("; ".join(result.why), MAX_DETAIL),
        ]
        for result in results[:MAX_SHOWN_WINDOWS]
    ]  # fmt: skip
    head = ["day until", "version", "predictions", "verdict", "estimated", "measured", "outcomes", "why"]
    metric = next((result.metric for result in results if result.metric), "")
    title = f"{model}: the last look of each day" + (f"; {words(metric)}" if metric else "")
    return "\n".join([title, "", table(head, rows), *more(len(results) - MAX_SHOWN_WINDOWS)])


def _window(result: Monitored, report: MonitoringReport | None) -> list[str]:
    version = f":{result.version}" if result.version is not None else ""
    since, until = map(minute, result.window)
    rows = [
        (result.kind, f"{count(result.rows, 'prediction')}, {since} to {until}" if result.version else ""),
        (words(result.metric) or "metric", _performance(result)),
        *(("why" if not number else "", sentence) for number, sentence in enumerate(result.why)),
        *(("incident", sentence) for sentence in result.incidents),
        ("worse since", minute(report.change_point) if report and report.change_point else ""),
        ("event", _announcement(result) if result.degraded and result.kind == "day" else ""),
        *(("retraining", asked) for asked in result.asked),
        *(("note", note) for note in (report.notes if report else [])),
    ]
    return [f"{result.model}{version}: {HEADS[result.state]}", *labelled(rows, 14)]


def _performance(result: Monitored) -> str:
    parts = []
    if result.realized is not None:
        low, high = result.realized_interval or (result.realized, result.realized)
        of = f"{result.labelled:,} of {count(result.rows, 'prediction')}"
        parts.append(f"{figure(result.realized)} ({figure(low)} to {figure(high)}) measured on {of}")
    if result.estimate is not None:
        band = f"{figure(result.estimate.low)} to {figure(result.estimate.high)}"
        parts.append(f"{figure(result.estimate.value)} ({band}) estimated without outcomes")
    return "; ".join(parts)


def _announcement(result: Monitored) -> str:
    """Return whether this result announces the degradation, or an earlier one of the same day has."""
    if not result.announced_before:
        return "ModelDegraded is sent to the bus; `retraining` in the pipeline file says what it starts"
    when = f"at {minute(result.announced_at)}" if result.announced_at else "earlier that day"
    return f"none: ModelDegraded was sent {when}; it is sent once a day for each version"


def _signals(signals: Sequence[Signal]) -> list[str]:
    told = sorted((one for one in signals if one.state != "ok"), key=lambda one: (ORDER[one.state], -(one.effect or 0)))
    quiet = len(signals) - len(told)
    rows = [
        [
            signal.kind, clip(_subject(signal), 40), signal.state, _effect(signal), _seen(signal, signal.value),
            _seen(signal, signal.expected), "" if signal.p is None else f"{signal.p:.1g}", signal.detail,
        ]
        for signal in told[:MAX_SHOWN_SIGNALS]
    ]  # fmt: skip
    head = ["signal", "of", "state", "change", "now", "reference", "p", ""]
    lines = [table(head, wrapped(rows, MAX_DETAIL))] if rows else []
    lines += more(len(told) - MAX_SHOWN_SIGNALS)
    return [*lines, f"    {count(quiet, 'signal')} without a change beyond chance"] if quiet else lines


def _subject(signal: Signal) -> str:
    return words(signal.subject) if signal.kind == "performance" else signal.subject  # others are names of columns


def _seen(signal: Signal, value: float | None) -> str:
    """Return what was seen; of a signal without a change, in its unit: the change has it otherwise."""
    if value is None:
        return ""
    if signal.kind == "volume":  # predictions are counted
        return f"{value:,.0f}"
    return f"{figure(value)} {signal.unit}".rstrip() if signal.effect is None else figure(value)


def _effect(signal: Signal) -> str:
    return "" if signal.effect is None else f"{figure(signal.effect)} {signal.unit}".rstrip()


def _resources(resources: Sequence[VersionResources]) -> list[str]:
    rows = [
        [
            str(one.version), f"{one.requests:,}", f"{one.errors:,}", f"{one.refused:,}", f"{one.cold_starts:,}",
            _ms(one.p50_ms), _ms(one.p99_ms), "" if one.memory_mb is None else f"{one.memory_mb:.0f} MB",
            "" if one.gb_seconds is None else f"{one.gb_seconds:.3g}",
            "" if one.dollars is None else f"{one.dollars:.2g} $",
        ]
        for one in resources
    ]  # fmt: skip
    head = ["version", "requests", "errors", "refused", "cold starts", "p50", "p99", "memory", "GB-seconds", "price"]
    return [table(head, rows)]


def _figure(value: float | None) -> str:
    return "" if value is None else figure(value)


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} ms" if value < 1000 else seconds(value / 1000)
