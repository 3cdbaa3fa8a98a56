"""What past runs of a model measured, in the place where they ran; documented figures for the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from cli.costs.prices import price_table
from cli.execution import Execution
from cli.place import Place
from cli.run_costs import CallLog, run_cost
from modelcycle.registry import RunRecord

MAX_RUNS = 5  # the newest that trained
MAX_LOOKED_AT = 20  # runs; each has its history read
MAX_LOOKS = 5
MONITOR_STEP = "monitor"


@dataclass(frozen=True)
class Figure:
    """An amount, and whether it was measured or is a documented one."""

    amount: float
    unit: str
    kind: Literal["measured", "documented"]
    source: str


@dataclass
class Figures:
    """The figures of an estimate by name; `notes` say what could not be measured, and why."""

    measured: dict[str, Figure] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> float:
        return self.figure(name).amount

    def figure(self, name: str) -> Figure:
        """Return a figure: as measured, else as documented."""
        if name in self.measured:
            return self.measured[name]
        documented = price_table().documented[name]
        return Figure(documented.amount, documented.unit, "documented", documented.source)

    def add(self, name: str, amount: float, source: str) -> None:
        """Add a measured figure. Zero is none: nothing that is measured here costs nothing."""
        if amount > 0:
            self.measured[name] = Figure(amount, price_table().documented[name].unit, "measured", source)

    def all(self) -> dict[str, Figure]:
        """Return all figures by name, those of runs first."""
        return {name: self.figure(name) for name in price_table().documented}


def measure(place: Place, model: str) -> Figures:
    """Return what the place has measured of a model.

    What cannot be read is left to the documented figures, and named in the notes.
    """
    figures = Figures()
    for what, read in (("runs", _add_runs), ("the load test of staging", _add_load_test), ("monitoring", _add_looks)):
        _try(figures, what, read, place, model)
    return figures


def _try(figures: Figures, what: str, read: Callable[[Figures, Place, str], str], place: Place, model: str) -> None:
    try:
        missing = read(figures, place, model)
    except (ClientError, BotoCoreError) as error:
        missing = f"they cannot be read ({type(error).__name__})"
        if isinstance(error, ClientError):
            missing = f"it cannot be read ({error.response.get('Error', {}).get('Code', 'error')})"
    if missing:
        figures.notes.append(f"{what}: {missing}")


def _add_runs(figures: Figures, place: Place, model: str) -> str:
    """Add the medians of the newest runs that trained; return why there are none."""
    records = [record for record in place.registry.runs.latest(model, MAX_LOOKED_AT) if record.ended_at is not None]
    if not records:
        return f"no run of {model} has ended in {place.title}"
    rows: list[dict[str, float]] = []
    for record in records:
        row = _run(place, record)
        if row is not None:
            rows.append(row)
        if len(rows) == MAX_RUNS:
            break
    if not rows:
        return f"no run of {model} on record trained a model (runs that reuse results are left out)"
    source = f"the median of {len(rows)} runs in {place.title}" if len(rows) > 1 else f"one run in {place.title}"
    for name in rows[0]:
        figures.add(name, median(row[name] for row in rows), source)
    return ""


def _run(place: Place, record: RunRecord) -> dict[str, float] | None:
    """Return the figures of a run; None if it trained nothing, or its execution is no longer on record."""
    execution = Execution(place, record.run.execution)
    try:
        execution.refresh()
    except place.states.exceptions.ExecutionDoesNotExist:
        return None
    train = execution.steps.get("train")
    cost = run_cost(place, execution.calls)
    if train is None or train.status != "done" or cost is None:
        return None
    run = record.run
    artifacts = place.artifacts
    written = [listed.bytes for listed in artifacts.list(f"{run.model}/runs/{run.run_id}/")]
    return {
        "run_gb_seconds": cost.gb_seconds, "run_calls": sum(step.calls for step in cost.steps),
        "run_transitions": execution.transitions, "run_bytes": sum(written), "run_objects": len(written),
        "upload_bytes": execution.results.get("collect", {}).get("bytes", 0),
    }  # fmt: skip


def _add_load_test(figures: Figures, place: Place, model: str) -> str:
    """Add the time of a request in the newest load test, until its answer is there: a little more than is billed."""
    artifacts = place.artifacts
    # the keys hold version and run, both of which sort in order of creation
    reports = [one.key for one in artifacts.list(f"{model}/staging/") if one.key.endswith("/report.json")]
    if not reports:
        return f"no version of {model} was staged in {place.title}"
    report: Mapping[str, Any] = json.loads(artifacts.latest(reports[-1])[0])
    levels = (report.get("load") or {}).get("levels") or []
    if not levels:
        return "the newest version was staged without one"
    first = levels[0]
    taken = (first.get("round_trip_ms") or {}).get("p50")
    if taken is None:
        return "its report has no time of a request"
    source = f"the median of {first['answered']} requests, {first['concurrency']} at once, in {place.title}"
    figures.add("predict_ms", float(taken), source)
    return ""


def _add_looks(figures: Figures, place: Place, model: str) -> str:
    """Add the GB-seconds of a look at one model, by all of its functions."""
    listed = place.states.list_executions(
        stateMachineArn=place.output("MonitoringArn"), statusFilter="SUCCEEDED", maxResults=MAX_LOOKS
    )["executions"]
    log = CallLog()
    for execution in listed:
        calls = CallLog()  # event ids count from 1 in each history
        for event in _history(place, execution["executionArn"]):
            calls.add(event, MONITOR_STEP)
        for function, one in calls.calls.items():
            total = log.calls.setdefault(function, one)
            if total is not one:
                total.number += one.number
                total.seconds += one.seconds
    cost = run_cost(place, log)
    number = max((one.number for one in log.calls.values()), default=0)  # a look calls each function once
    if cost is None or not number:
        return f"the schedule has not looked at a model in {place.title}"
    figures.add("look_gb_seconds", cost.gb_seconds / number, f"the mean of {number} looks in {place.title}")
    return ""


def _history(place: Place, arn: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    request: dict[str, Any] = {"executionArn": arn, "maxResults": 1000}
    while True:
        page = place.states.get_execution_history(**request)
        events += page["events"]
        if not page.get("nextToken"):
            return events
        request["nextToken"] = page["nextToken"]
