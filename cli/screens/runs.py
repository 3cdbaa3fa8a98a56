"""The screens of runs: the list, and one run as it was."""

from __future__ import annotations

from datetime import datetime

from cli.follow import Ending
from cli.screens.lines import WIDTH, ago, clip, seconds, table, words
from cli.screens.run import ending
from cli.screens.steps import line
from cli.screens.versions import more
from modelcycle.faults import Fault
from modelcycle.registry import RunRecord

MAX_RUNS = 20  # on a screen; --json prints all


def runs(found: list[RunRecord], now: datetime | None = None) -> str:
    rows = [
        [
            one.run.run_id, ago(one.run.started_at, now), words(one.run.trigger.kind), words(str(one.state)),
            str(one.version) if one.version is not None else "",
            seconds((one.ended_at - one.run.started_at).total_seconds()) if one.ended_at else "",
            clip(Fault.parse(one.reason)[0], 80),
        ]
        for one in found[:MAX_RUNS]
    ]  # fmt: skip
    return "\n".join([
        table(["run", "began", "by", "ended", "version", "took", ""], rows), *more(len(found) - MAX_RUNS)
    ])  # fmt: skip


def run(record: RunRecord, end: Ending) -> str:
    by = words(record.run.trigger.kind) + (f": {record.run.trigger.detail}" if record.run.trigger.detail else "")
    head = f"{record.run.model}  run {record.run.run_id}  began {record.run.started_at:%Y-%m-%d %H:%M} UTC by {by}"
    steps = [line(step, WIDTH) for step in end.steps if step.status != "running"]
    if not steps:
        steps = ["    its steps are no longer on record" if record.ended_at else "    no step has ended yet"]
    last = (
        f"The run goes on. Follow it: modelcycle runs {record.run.model} --follow {record.run.run_id}"
        if record.state == "running"
        else _ending(end)
    )
    return "\n".join([head, "", *steps, "", last])


def _ending(end: Ending) -> str:
    """What came of it then; what is live now may be another version."""
    if end.status == "deployed" and end.went_live:
        return f"{end.model}:{end.version} went live."
    if end.status == "deployed":
        return (
            f"{end.model}:{end.version} was registered, but its rollout gave it no traffic: modelcycle show {end.model}"
        )
    return ending(end, [], evidence=False)
