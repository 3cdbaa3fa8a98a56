"""The screens of `runs` and of `show --run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cli.outcome import Outcome
from cli.screens.costs import cost_text, costs_table
from cli.screens.lines import WIDTH, ago, clip, minute, more, seconds, table, words, wrapped
from cli.screens.outcome import decided_later_text, outcome_text
from cli.screens.steps import line
from cli.screens.verdict import verdict_text
from modelcycle.faults import Fault
from modelcycle.registry import RunRecord

MAX_SHOWN_RUNS = 20  # --json prints all
MAX_WHY = 400  # characters of a reason; `show --run` prints all
WHY_WIDTH = 80  # of its lines


def runs_text(records: Sequence[RunRecord], now: datetime | None = None, later: Mapping[str, str] | None = None) -> str:
    """Return the list of a model's runs.

    Parameters
    ----------
    later : what was decided since about the versions that runs left to a person, by the id of the run
    """
    decided = later or {}
    rows = [
        [
            record.run.run_id, ago(record.run.started_at, now), words(record.run.trigger.kind),
            decided.get(record.run.run_id, words(str(record.state))),
            str(record.version) if record.version is not None else "",
            seconds((record.ended_at - record.run.started_at).total_seconds()) if record.ended_at else "",
            clip(Fault.parse(record.reason)[0], MAX_WHY),
        ]
        for record in records[:MAX_SHOWN_RUNS]
    ]  # fmt: skip
    head = ["run", "started", "by", "status", "version", "took", "why"]
    return "\n".join([table(head, wrapped(rows, WHY_WIDTH)), *more(len(records) - MAX_SHOWN_RUNS)])


def run_text(record: RunRecord, outcome: Outcome, report: Mapping[str, Any] | None = None) -> str:
    """Return a run as it was, with the evidence of its verdict.

    Parameters
    ----------
    report : of the validation; None if the run had none, or its object is gone
    """
    run = record.run
    trigger = words(run.trigger.kind) + (f": {run.trigger.detail}" if run.trigger.detail else "")
    steps = [line(step, WIDTH) for step in outcome.steps if step.status != "running"]
    if not steps:
        steps = ["    its steps are no longer on record" if record.ended_at else "    no step has ended yet"]
    return "\n".join([
        f"{run.model}  run {run.run_id}  started {minute(run.started_at)} by {trigger}", "", *steps, "",
        _last_line(record, outcome), *([verdict_text(report)] if report else []),
        *(["", costs_table(outcome.cost), f"    {cost_text(outcome.cost)}"] if outcome.cost else []),
    ])  # fmt: skip


def _last_line(record: RunRecord, outcome: Outcome) -> str:
    """Return what the run led to then; another version may be live now."""
    if record.state == "running":
        return f"The run continues. Follow it: modelcycle runs {outcome.model} --follow {outcome.run_id}"
    version = f"{outcome.model}:{outcome.version}"
    if outcome.status == "deployed" and outcome.went_live:
        return f"{version} went live."
    if outcome.status == "deployed":
        return f"{version} was registered, but its rollout gave it no traffic: modelcycle show {outcome.model}"
    if outcome.decision is not None:
        return decided_later_text(outcome, outcome.decision)
    return outcome_text(outcome, [], details=False)
