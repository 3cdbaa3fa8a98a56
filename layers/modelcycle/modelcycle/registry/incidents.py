"""Incidents: what monitoring has found wrong with a version, from the first window that shows it to its end.

An incident is announced when it opens, once a day while it stays open, and when it closes, however many windows show
it. Its event is written in the transaction that changes it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from modelcycle.messages import Broken, Signal, WindowKind
from modelcycle.registry import keys
from modelcycle.registry.events import plain_line
from modelcycle.registry.incident import (
    AT_ONCE,
    EVENTS,
    MIN_QUIET_WINDOWS,
    ChangeKind,
    Incident,
    IncidentChange,
    Quiet,
    Suspected,
)
from modelcycle.registry.incident_kinds import IncidentKind, Seen, by_kind
from modelcycle.registry.table import Record, Table, Write, retry_when_raced, revision_of
from modelcycle.registry.unit_of_work import UnitOfWork

REMINDER = timedelta(days=1)  # an incident that stays open is announced again
MAX_CLOCK_AHEAD = timedelta(hours=1)  # a look that lies further in the future came from a clock that was wrong
MAX_OPEN_SUBJECTS = 50  # columns, groups or metrics that an incident names


class NewestLook(BaseModel):
    """The newest look at a version through windows of one length, and what it changed."""

    end: datetime
    changes: list[IncidentChange] = []


class Now(BaseModel):
    """`looks` by version and length of the window, `suspected` and `open` by version and kind; `last` number."""

    model_config = ConfigDict(defer_build=True)

    looks: dict[str, NewestLook] = {}
    suspected: dict[str, Suspected] = {}
    open: dict[str, int] = {}
    last: int = 0


class Look(NamedTuple):
    """What one window of a version shows.

    Parameters
    ----------
    window : its start and end
    live : the versions that answer requests now
    rows : in the window
    newest : time of the newest of them, None if it is not known
    """

    model: str
    version: int
    kind: WindowKind
    window: tuple[datetime, datetime]
    signals: Sequence[Signal]
    broken: Sequence[Broken]
    live: Collection[int]
    rows: int
    newest: datetime | None


class Incidents:
    """The incidents of all models."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def open(self, model: str) -> list[Incident]:
        """Return the incidents that are open now, the oldest first."""
        now, _ = self._now(model)
        return [self._get(model, number)[0] for number in sorted(now.open.values())]

    def latest(self, model: str, limit: int | None = None) -> list[Incident]:
        """Return the incidents of a model, newest first."""
        records = self.table.query(*keys.incidents(model), newest_first=True, limit=limit)
        return [Incident.model_validate(record.body) for record in records]

    @retry_when_raced
    def update(
        self, model: str, version: int, kind: WindowKind, window: tuple[datetime, datetime],
        signals: Sequence[Signal], broken: Sequence[Broken], live: Collection[int], rows: int = 0,
        newest: datetime | None = None,
    ) -> list[IncidentChange]:  # fmt: skip
        """Open, continue and close the incidents of a version by what one window shows.

        An incident opens when a second window shows the alarm with other rows, see `Suspected.is_confirmed_by`; wrong
        values (`AT_ONCE`) open one at once. It closes after MIN_QUIET_WINDOWS windows in a row that could show it
        and do not, of each length that has shown it, or once its version is no longer live. As long as a column whose
        values were wrong alarms in another way, only windows with as many rows as the first count as quiet. A look that
        comes again returns what it returned; one that is older than the newest look changes nothing.

        Parameters
        ----------
        kind : length of the window
        window : its start and end
        signals : of the window; those with too few rows neither open nor close anything
        live : the versions that answer requests now
        rows : in the window
        newest : time of the newest of them, None if it is not known

        Raises
        ------
        Raced : others changed the incidents at each attempt
        """
        start, end = (moment.astimezone(UTC) for moment in window)
        look = Look(model, version, kind, (start, end), signals, broken, live, rows, newest)
        now, record = self._now(model)
        before = now.looks.get(_name(version, kind))
        if before and before.end == end:
            return before.changes
        if before and end < before.end <= datetime.now(UTC) + MAX_CLOCK_AHEAD:
            return []
        changed = Changed(self, UnitOfWork(self.table, model), now)
        changed.close_those_not_live(look)
        changed.follow(look)
        looks = {name: one for name, one in now.looks.items() if int(name.partition(" ")[0]) in {*live, version}}
        looks[_name(version, kind)] = NewestLook(end=end, changes=changed.changes)
        after = Now(looks=looks, suspected=changed.suspected, open=changed.open, last=changed.last)
        changed.unit.put(Write(*keys.incidents_now(model), after.model_dump(mode="json"), revision_of(record)))
        changed.unit.commit()
        return changed.changes

    def _now(self, model: str) -> tuple[Now, Record | None]:
        record = self.table.get(*keys.incidents_now(model))
        return (Now.model_validate(record.body) if record else Now()), record

    def _get(self, model: str, number: int) -> tuple[Incident, Record]:
        record = self.table.get(*keys.incident(model, number))
        if record is None:  # written in the transaction that numbered it
            raise ValueError(f"incident {number} of {model} is not on record")
        return Incident.model_validate(record.body), record


class Changed:
    """What one look changes, before it is written."""

    def __init__(self, incidents: Incidents, unit: UnitOfWork, now: Now) -> None:
        self.incidents = incidents
        self.unit = unit
        self.open = dict(now.open)
        self.suspected = dict(now.suspected)
        self.last = now.last
        self.changes: list[IncidentChange] = []

    def close_those_not_live(self, look: Look) -> None:
        """Close the incidents of versions that no longer answer requests."""
        self.suspected = {name: one for name, one in self.suspected.items() if int(name.partition(" ")[0]) in look.live}
        for name, number in sorted(self.open.items(), key=lambda item: item[1]):
            if int(name.partition(" ")[0]) in look.live:
                continue
            incident, record = self.incidents._get(look.model, number)
            others = " and ".join(f"version {version}" for version in sorted(look.live))
            self._close(incident, record, f"{others or 'no version'} is live now", look.window[1])

    def follow(self, look: Look) -> None:
        """Open, continue or close the incidents of the version that was looked at."""
        if look.version not in look.live:
            return
        for kind, seen in by_kind(look.signals, look.broken).items():
            number = self.open.get(_name(look.version, kind))
            if number is not None:
                self._continue(look, seen, *self.incidents._get(look.model, number))
            elif seen.alarms:
                self._suspect(look, kind, seen)
            elif seen.quiet:
                self._calm(look, kind)

    def _suspect(self, look: Look, kind: IncidentKind, seen: Seen) -> None:
        """Open an incident, or remember the alarm until another window shows it too."""
        name, end = _name(look.version, kind), look.window[1]
        earlier = self.suspected.get(name)
        if earlier is not None and earlier.since > end:  # the clock was wrong
            earlier = None
        if kind in AT_ONCE or (
            earlier is not None
            and earlier.is_confirmed_by(kind, look.kind, end, seen.alarms, look.rows, look.newest)
        ):  # fmt: skip
            self.suspected.pop(name, None)
            self._open(look, kind, seen)
            return
        subjects = list(dict.fromkeys([*(earlier.subjects if earlier else []), *seen.alarms]))
        self.suspected[name] = Suspected(
            subjects=subjects[:MAX_OPEN_SUBJECTS], since=earlier.since if earlier else end,
            seen=(earlier.seen if earlier else {}) | {look.kind: end},
            rows=(earlier.rows if earlier else {}) | {look.kind: look.rows},
        )  # fmt: skip

    def _calm(self, look: Look, kind: IncidentKind) -> None:
        """Forget an alarm that a window of the same length no longer shows."""
        name = _name(look.version, kind)
        earlier = self.suspected.get(name)
        if earlier is None or look.kind not in earlier.seen:
            return
        seen = {length: end for length, end in earlier.seen.items() if length != look.kind}
        if seen:
            self.suspected[name] = earlier.model_copy(update={"seen": seen})
        else:
            del self.suspected[name]

    def _open(self, look: Look, kind: IncidentKind, seen: Seen) -> None:
        self.last += 1
        end = look.window[1]
        incident = Incident(
            number=self.last, model=look.model, version=look.version, kind=kind,
            subjects=list(seen.alarms)[:MAX_OPEN_SUBJECTS], details=seen.details, opened_at=end, seen_at=end,
            told_at=end, seen={look.kind: end}, rows={look.kind: look.rows},
        )  # fmt: skip
        self.open[_name(look.version, kind)] = self.last
        self._write("opened", incident, None)

    def _continue(self, look: Look, seen: Seen, incident: Incident, record: Record) -> None:
        start, end = look.window
        incident = incident.model_copy(deep=True)
        before = incident.model_dump()
        if seen.alarms:
            incident.subjects = list(dict.fromkeys([*incident.subjects, *seen.alarms]))[:MAX_OPEN_SUBJECTS]
            incident.details, incident.seen_at = seen.details, end
            incident.windows += 1
            incident.seen[look.kind] = end
            incident.rows.setdefault(look.kind, look.rows)
            incident.quiet.pop(look.kind, None)
        elif seen.is_quiet(incident.subjects, settles=incident.is_settled_by(look.kind, look.rows)):
            quiet = incident.quiet.get(look.kind)
            if quiet is None or quiet.until > end:  # later than this one: the clock was wrong
                incident.quiet[look.kind] = Quiet(start=start, since=end, until=end)
            else:
                quiet.windows, quiet.start, quiet.until = quiet.windows + 1, start, end
            if incident.is_over:
                why = f"it was not seen again in {MIN_QUIET_WINDOWS} windows with enough rows"
                self._close(incident, record, why, end)
                return
        # `told_at` in the future was a clock that was wrong
        if end - incident.told_at >= REMINDER or incident.told_at > end:
            incident.told_at = end
            self._write("still open", incident, record)
        elif incident.model_dump() != before:
            self._put(incident, record)

    def _close(self, incident: Incident, record: Record, why: str, end: datetime) -> None:
        closed = incident.model_copy(update={"state": "closed", "closed_at": end, "closed_why": why})
        self.open.pop(_name(incident.version, incident.kind), None)
        self._write("closed", closed, record)

    def _write(self, change: ChangeKind, incident: Incident, record: Record | None) -> None:
        text = incident.sentence(change)
        self._put(incident, record)
        self.changes.append(IncidentChange(kind=change, number=incident.number, text=text))
        self.unit.announce(
            EVENTS[change], number=incident.number, version=incident.version, about=incident.kind,
            subjects=incident.subjects, details=incident.details, opened_at=incident.opened_at.isoformat(),
            text=plain_line(text),
        )  # fmt: skip

    def _put(self, incident: Incident, record: Record | None) -> None:
        key = keys.incident(incident.model, incident.number)
        self.unit.put(Write(*key, incident.model_dump(mode="json"), revision_of(record)))


def _name(version: int, what: str) -> str:
    return f"{version} {what}"
