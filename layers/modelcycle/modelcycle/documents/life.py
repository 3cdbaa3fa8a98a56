"""What has happened to a version since it was made: its state, moves, decisions, incidents and newest figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from modelcycle.documents.outline import Missing, Part, Table, escaped, number
from modelcycle.messages import Monitored
from modelcycle.registry import Entry, Incident, Move, Standing, Version
from modelcycle.spec import About

MAX_LISTED = 50  # moves, decisions or incidents in a table, the newest first


class Life(NamedTuple):
    """Parameters
    ----------
    about : what the model's pipeline file says now; people may have written more since the version was made
    moves, decisions, incidents : of this version, the newest first
    others : the model's other versions
    monitored : the newest look at this version
    staged : the report of staging
    """

    version: Version
    standing: Standing
    about: About
    moves: Sequence[Move] = ()
    decisions: Sequence[Entry] = ()
    incidents: Sequence[Incident] = ()
    others: Sequence[Version] = ()
    monitored: Monitored | None = None
    staged: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The version as people write it."""
        return f"{self.version.model}:{self.version.version}"


def decision_table(life: Life) -> list[Part]:
    """Return who decided what about the version or its run, when and why."""
    if not life.decisions:
        return [Missing("decisions about this version", "let it pass `govern`, which records the first one")]
    rows = [
        [f"{entry.at:%Y-%m-%d %H:%M}", escaped(entry.decision), escaped(entry.by), escaped(entry.why)]
        for entry in life.decisions[:MAX_LISTED]
    ]
    return [Table(["UTC", "decision", "by", "why"], rows), *_left(len(life.decisions))]


def move_table(life: Life) -> list[Part]:
    """Return when the version got how much of the traffic."""
    if not life.moves:
        return ["it has not answered any request"]
    number_of = life.version.version
    rows = [
        [
            f"{move.at:%Y-%m-%d %H:%M}", f"{move.before.get(number_of, 0)} %", f"{move.after.get(number_of, 0)} %",
            escaped(move.by), escaped(move.why),
        ]
        for move in life.moves[:MAX_LISTED]
    ]  # fmt: skip
    return [Table(["UTC", "traffic before", "after", "by", "why"], rows), *_left(len(life.moves))]


def incident_table(life: Life) -> list[Part]:
    """Return what monitoring has found wrong with the version."""
    if not life.incidents:
        return ["no incident on record"]
    rows = [
        [
            f"{incident.opened_at:%Y-%m-%d %H:%M}", incident.state, incident.kind,
            escaped(", ".join(incident.subjects)), escaped("; ".join(incident.details)),
        ]
        for incident in life.incidents[:MAX_LISTED]
    ]  # fmt: skip
    return [Table(["UTC", "state", "kind", "subjects", "what was seen"], rows), *_left(len(life.incidents))]


def _left(count: int) -> list[str]:
    return [f"and {count - MAX_LISTED:,} older ones, in the registry"] if count > MAX_LISTED else []


def monitoring_facts(life: Life) -> list[Part]:
    """Return the newest figures of live traffic."""
    seen = life.monitored
    if seen is None:
        return [Missing("figures of live traffic", f"send requests, then `modelcycle monitor {life.version.model}`")]
    start, end = seen.window
    parts: list[Part] = [
        f"newest window: {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, {seen.rows:,} rows, verdict {seen.state}",
        *(escaped(sentence) for sentence in seen.why),
    ]
    if seen.realized is not None:
        parts.append(f"measured with outcomes: {seen.metric} {number(seen.realized)}")
    else:
        parts.append(Missing("performance with outcomes", "send outcomes: `modelcycle feedback`"))
    if seen.estimated is not None:
        parts.append(f"estimated without outcomes: {seen.metric} {number(seen.estimated)}")
    return parts


def staging_facts(life: Life) -> list[Part]:
    """Return what staging has measured before the version got traffic."""
    report = life.staged
    if report is None:
        return [Missing("a report of staging", "run again: staging of this version has left none")]
    load = report.get("load") or {}
    figures = {
        "throughput": (load.get("rows_per_second"), "rows/s"),
        "p99 in the serving function": (load.get("own_p99_ms"), "ms"),
        "memory": (load.get("memory_mb"), "MB"),
        "cold start": (load.get("cold_start_ms"), "ms"),
    }
    return [
        f"{report['rows']:,} test rows replayed, {report['differences']:,} answers different from those judged",
        *(f"{name}: {number(value)} {unit}" for name, (value, unit) in figures.items() if value is not None),
        *(escaped(note) for note in report.get("notes", [])),
        f"verdict: {report['verdict']}",
    ]
