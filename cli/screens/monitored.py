"""The screen of `monitor`: live traffic compared with the training data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cli.screens.lines import clip, count, figure, labelled, minute, table
from modelcycle.messages import Drift, Monitored

MAX_SHOWN_COLUMNS = 15
HEADS = {
    "ok": "no drift",
    "drifted": "some columns have drifted",
    "degraded": "degraded: many columns have drifted",
    "no data": "too few predictions to compare",
    "not live": "no version is live",
}


def monitored_text(monitored: Monitored, report: dict[str, Any]) -> str:
    """Return the result, and the compared columns, the most drifted first.

    Parameters
    ----------
    report : the report that `monitored` names; empty without one
    """
    version = f":{monitored.version}" if monitored.version is not None else ""
    since, until = map(minute, monitored.window)
    rows = [
        ("compared", f"{count(monitored.rows, 'prediction')}, {since} to {until}"),
        ("accuracy", _estimated(monitored.estimated)),
        ("measured", "" if monitored.realized is None else figure(monitored.realized)),
        ("drift from", _limit(report)),
        ("drifted", ", ".join(clip(name, 40) for name in monitored.drifted)),
        ("event", _announcement(monitored) if monitored.degraded else ""),
        ("left out", _left_out(report)),
        ("unreadable", _unreadable(report)),
    ]
    lines = [f"{monitored.model}{version}: {HEADS[monitored.state]}", *labelled(rows, 14)]
    columns = [
        Drift.model_validate({name: row[name] for name in Drift.model_fields}) for row in report.get("columns", [])
    ]
    if columns:
        lines += ["", *_table(sorted(columns, key=lambda drift: (-(drift.psi or 0.0), drift.column)))]
    return "\n".join(lines)


def _estimated(estimated: float | None) -> str:
    return "" if estimated is None else f"{figure(estimated)}, estimated from the predicted probabilities"


def _limit(report: dict[str, Any]) -> str:
    limit = report.get("limits", {}).get("psi")
    return "" if limit is None else f"a population stability index (PSI) of {limit:g}"


def _announcement(monitored: Monitored) -> str:
    """Return whether this result announces the degradation, or an earlier one of the same day has."""
    if not monitored.announced_before:
        return "ModelDegraded is sent to the bus; `retraining` in the pipeline file says what it starts"
    when = f"at {minute(monitored.announced_at)}" if monitored.announced_at else "earlier that day"
    return f"none: ModelDegraded was sent {when}; it is sent once a day for each version"


def _left_out(report: dict[str, Any]) -> str:
    if not report.get("newest_only"):
        return ""
    return f"older predictions of the window: only the newest {report['objects']:,} objects were read"


def _unreadable(report: dict[str, Any]) -> str:
    unread = report.get("objects_unread")
    return f"{count(unread, 'object')} of captured predictions" if unread else ""


def _table(columns: Sequence[Drift]) -> list[str]:
    rows = [
        [
            clip(drift.column, 40), "" if drift.psi is None else figure(drift.psi), f"{drift.missing_before:.1%}",
            f"{drift.missing_now:.1%}", "drifted" if drift.drifted else clip(drift.detail, 50),
        ]
        for drift in columns[:MAX_SHOWN_COLUMNS]
    ]  # fmt: skip
    lines = [table(["column", "PSI", "missing in training", "missing now", ""], rows)]
    if len(columns) > MAX_SHOWN_COLUMNS:
        lines.append(f"    and {len(columns) - MAX_SHOWN_COLUMNS:,} more; --json prints the address of the report")
    return lines
