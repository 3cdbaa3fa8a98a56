"""The screen of `monitor`: how live traffic stands against the training data."""

from __future__ import annotations

from typing import Any

from cli.screens.lines import clip, count, figure, table
from modelcycle.messages import Drift, Monitored

MOST_COLUMNS = 15
HEADS = {
    "ok": "no drift", "drifted": "some columns have drifted", "degraded": "degraded",
    "no data": "no data: too few predictions to say anything", "not live": "not live: no version takes traffic",
}  # fmt: skip


def monitored(told: Monitored, report: dict[str, Any]) -> str:
    """One head, the window, and the columns, the most drifted first."""
    version = f":{told.version}" if told.version is not None else ""
    since, until = (f"{moment:%Y-%m-%d %H:%M}" for moment in told.window)
    said = [
        f"{told.model}{version}: {HEADS[told.state]}",
        f"  looked at     {count(told.rows, 'prediction')}, {since} to {until} UTC",
    ]
    if told.estimated is not None:
        said.append(f"  estimated     {figure(told.estimated)}")
    if told.realized is not None:
        said.append(f"  realized      {figure(told.realized)}")
    if told.drifted:
        said.append(f"  drifted       {', '.join(clip(name, 40) for name in told.drifted)}")
    if told.degraded:
        said.append(f"  what follows  {_announcement(told)}")
    if report.get("newest_only"):
        said.append(
            f"  left out      older predictions of the window: the newest {report['objects']:,} objects were read"
        )
    if report.get("objects_unread"):
        said.append(f"  unreadable    {count(report['objects_unread'], 'object')} of captured predictions")
    columns = _columns(report)
    if columns:
        said += ["", _table(columns)]
    return "\n".join(said)


def _announcement(told: Monitored) -> str:
    """Whether this look told the bus, or an earlier one of the day had."""
    if not told.announced_before:
        return "ModelDegraded goes to the bus; the pipeline file's `retraining` says what it starts"
    when = f"at {told.announced_at:%Y-%m-%d %H:%M} UTC" if told.announced_at else "earlier that day"
    return f"nothing new: ModelDegraded was sent {when}; it is sent once a day for each version"


def _columns(report: dict[str, Any]) -> list[Drift]:
    found = [
        Drift.model_validate({name: one[name] for name in Drift.model_fields}) for one in report.get("columns", [])
    ]
    return sorted(found, key=lambda one: (-(one.psi or 0.0), one.column))


def _table(columns: list[Drift]) -> str:
    rows = [
        [
            clip(one.column, 40), "" if one.psi is None else figure(one.psi), f"{one.missing_before:.1%}",
            f"{one.missing_now:.1%}", "drifted" if one.drifted else clip(one.detail, 50),
        ]
        for one in columns[:MOST_COLUMNS]
    ]  # fmt: skip
    more = (
        f"\n    and {len(columns) - MOST_COLUMNS:,} more; --json prints the report's address"
        if len(columns) > MOST_COLUMNS
        else ""
    )
    return table(["column", "psi", "missing before", "now", ""], rows) + more
