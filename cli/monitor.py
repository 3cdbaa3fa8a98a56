"""`monitor`: judge live traffic now, or list what earlier looks saw."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from cli import console
from cli.moment import parse_length
from cli.options import Options
from cli.place import Place
from cli.polling import attempts
from cli.screens.monitored import monitored_text, windows_text
from modelcycle.faults import Fault
from modelcycle.messages import Monitored, MonitoringReport, Watched
from modelcycle.store import read_json

LOOK_TIMEOUT = 900.0  # seconds


def look(model: str, options: Options) -> int:
    """Run one look at a model to its end, and show its results."""
    place = options.open_place()
    place.check_model(model)
    watched = run_look(place, model)
    if options.as_json:
        console.print_json(watched.wire())
    else:
        console.show(monitored_text(watched, [_report(place, result) for result in watched.windows]))
    return console.DONE


def windows(model: str, length: str, options: Options) -> int:
    """List the last look of each day."""
    place = options.open_place()
    place.check_model(model)
    now = datetime.now(UTC)
    start = now - parse_length(length, "--window")
    found = place.registry.monitoring.between(model, "day", start, now)
    last = {(result.window[1].date(), result.version): result for result in found}
    newest_first = list(last.values())[::-1]
    if options.as_json:
        console.print_json({"model": model, "windows": [result.wire() for result in newest_first]})
    else:
        console.show(windows_text(model, start, newest_first))
    return console.DONE


def run_look(place: Place, model: str, at: datetime | None = None) -> Watched:
    """Run the state machine `monitoring` for one model and return what it has recorded.

    Parameters
    ----------
    at : end of the windows, whole seconds; default: now, with all that has been answered

    Raises
    ------
    Fault : the look failed, or did not end within LOOK_TIMEOUT
    """
    at = at or next_second(datetime.now(UTC))
    flows = place.client("stepfunctions")
    arn = flows.start_execution(
        stateMachineArn=place.output("MonitoringArn"), name=f"by-hand-{model[:30]}-{uuid4().hex[:12]}",
        input=json.dumps({"model": model, "at": at.isoformat()}),
    )["executionArn"]  # fmt: skip
    status = "RUNNING"
    for _ in attempts(place, LOOK_TIMEOUT):
        status = flows.describe_execution(executionArn=arn)["status"]
        if status != "RUNNING":
            break
    if status != "SUCCEEDED":
        how = "did not end in time" if status == "RUNNING" else "failed"
        raise Fault(f"the look at {model} {how}", model, "`modelcycle status` names the function, and why") from None
    looks = place.registry.monitoring
    latest = looks.latest(model)
    if latest is not None and latest.version is None:
        return Watched(model=model, windows=[latest])
    found = [*looks.between(model, "day", at, at), *looks.between(model, "hour", at, at)]
    champion = place.registry.routes.get(model).champion
    return Watched(model=model, windows=sorted(found, key=lambda one: (one.version != champion, one.kind == "hour")))


def next_second(now: datetime) -> datetime:
    """Return the whole second after a moment: windows end before it, so what was answered in this second is in them.

    >>> print(next_second(datetime(2026, 11, 29, 16, 29, 35, 900_000, tzinfo=UTC)))
    2026-11-29 16:29:36+00:00
    """
    return now.replace(microsecond=0) + timedelta(seconds=1)


def _report(place: Place, result: Monitored) -> MonitoringReport | None:
    if result.report is None:
        return None
    artifacts = place.artifacts
    return MonitoringReport.model_validate(read_json(artifacts, result.report))
