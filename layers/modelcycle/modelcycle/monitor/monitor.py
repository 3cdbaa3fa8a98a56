"""Judge what was summarized of a model's live traffic and outcomes, keep a report, and tell what has changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from modelcycle.cloud_metrics import CloudMetrics
from modelcycle.logs import Logs
from modelcycle.messages import (
    Monitored,
    MonitoringReport,
    MonitorRequest,
    SummarizedWindow,
    Watched,
    bounded_sentences,
    fingerprint,
)
from modelcycle.model.labelled import Labelled
from modelcycle.monitor.earlier import earlier_looks, with_outcomes
from modelcycle.monitor.look import Looked, Subject, judge_look
from modelcycle.monitor.metrics import model_metrics
from modelcycle.monitor.performance.days import measure_days
from modelcycle.monitor.resources.resources import Resources, resources
from modelcycle.monitor.wanted_runs import want_runs
from modelcycle.registry import Registry
from modelcycle.store import S3Store, Store, put_json

Window = tuple[datetime, datetime]


def monitor(
    request: MonitorRequest, *, data: S3Store, artifacts: Store, registry: Registry, logs: Logs,
    metrics: CloudMetrics, training_code: str = "",
) -> Watched:  # fmt: skip
    """Judge each window of a look.

    The champion's long window decides: if the model is degraded, ModelDegraded is announced, once a day for each
    version. All windows open, continue and close incidents. What earlier looks saw gets the outcomes that have come
    since.

    Parameters
    ----------
    data : the bucket of the pipeline files
    training_code : hash of the deployed code that trains
    logs : of the function that answers requests

    Returns
    -------
    the results, the champion's long window first; one of state `not live` without a live version
    """
    windows = request.summarize.windows
    if not windows:
        result = _not_live(request)
        closed = registry.incidents.update(request.model, 0, "day", result.window, [], [], ())
        result = result.model_copy(update={"incidents": bounded_sentences([change.text for change in closed])})
        registry.monitoring.keep([result])
        return Watched(model=request.model, windows=[result])
    labelled = Labelled.from_bytes(artifacts.read(request.summarize.labelled)) if request.summarize.labelled else None
    subjects = {version: Subject.read(registry.versions.get(request.model, version), artifacts)
                for version in {window.version for window in windows}}  # fmt: skip
    if labelled is not None:
        labelled = labelled.with_cutoffs({version: subject.signature for version, subject in subjects.items()})
    earlier = earlier_looks(registry.monitoring, request.model, request.summarize.at, subjects)
    took = _resources(request.model, windows, logs, metrics)
    live = registry.routes.get(request.model).weights
    thresholds = {version: subject.signature.threshold for version, subject in subjects.items()}
    days = {
        task: measure_days(labelled, task, thresholds)
        for task in {subject.version.task for subject in subjects.values()}
    }
    results: list[Monitored] = []
    for window in windows:
        looked = judge_look(
            subjects[window.version], window, labelled, earlier, took[window.window], took[_before(window.window)],
            request.summarize.notes, artifacts, days[subjects[window.version].version.task],
        )  # fmt: skip
        results.append(_recorded(looked, window, live, artifacts, registry))
    champion = subjects[windows[0].version].version
    asked = want_runs(champion, labelled, data, registry, training_code, request.summarize.at)
    first = _announced(results[0], registry)
    results[0] = first.model_copy(update={"asked": bounded_sentences(asked)})
    registry.monitoring.amend(with_outcomes(earlier, labelled, subjects, request.summarize.at))
    registry.monitoring.keep(results)
    metrics.put(
        request.model, model_metrics(results[0], len(registry.incidents.open(request.model))), request.summarize.at
    )
    return Watched(model=request.model, windows=results)


def _resources(
    model: str, windows: Sequence[SummarizedWindow], logs: Logs, metrics: CloudMetrics
) -> dict[Window, Resources]:
    """Return what serving took in each of the windows, and in that of the same length before it."""
    spans = list(dict.fromkeys(span for window in windows for span in (window.window, _before(window.window))))
    found = resources(model, windows[0].version, spans, logs=logs, throttles=metrics.throttles)
    return dict(zip(spans, found, strict=True))


def _before(window: Window) -> Window:
    start, end = window
    return start - (end - start), start


def _recorded(
    looked: Looked, window: SummarizedWindow, live: dict[int, int], artifacts: Store, registry: Registry
) -> Monitored:
    """Keep the report, and open, continue or close incidents by it."""
    report = looked.report
    stored = put_json(artifacts, _report_key(report), report.wire())
    changes = registry.incidents.update(
        report.model, report.version, report.kind, report.window, report.signals, report.broken, live,
        report.rows, looked.newest,
    )  # fmt: skip
    told = bounded_sentences([change.text for change in changes])
    return looked.result.model_copy(update={"report": stored, "incidents": told})


def _announced(result: Monitored, registry: Registry) -> Monitored:
    """Announce ModelDegraded if the champion's long window says so."""
    if not result.degraded or result.kind != "day":
        return result
    announced_at, before = registry.monitoring.announce_degraded(result)
    return result.model_copy(update={"announced_at": announced_at, "announced_before": before})


def _report_key(report: MonitoringReport) -> str:
    # captures and outcomes arrive late, so a second report on the same window may differ: each has its own key
    content = fingerprint("monitor", "", report.wire())[:8]
    folder = f"{report.model}/monitoring/{report.version:08d}/{report.kind}"
    return f"{folder}/{report.window[1]:%Y-%m-%dT%H%M%SZ}-{content}.json"


def _not_live(request: MonitorRequest) -> Monitored:
    at = request.summarize.at
    return Monitored(
        model=request.model, version=None, window=(at, at), rows=0, state="not live", drifted=[], degraded=False
    )
