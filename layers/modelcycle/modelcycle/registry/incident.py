"""One incident: what is wrong with a version, which windows have shown it, when it is over, and what people read."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from modelcycle.messages import WindowKind
from modelcycle.registry.events import EventKind
from modelcycle.registry.incident_kinds import IncidentKind, headline

AT_ONCE: frozenset[IncidentKind] = frozenset({"broken data"})  # kinds that one window opens
TRAFFIC_ITSELF: frozenset[IncidentKind] = frozenset({"traffic"})  # kinds that are about rows that do not come
OF_ROWS: frozenset[IncidentKind] = frozenset(
    {"data quality", "drift", "fairness"}
)  # kinds that the same rows show again
MORE_ROWS = 1.5  # times as many rows make a window of another length evidence of its own
MIN_QUIET_WINDOWS = 2  # without the alarm, before an incident closes
MIN_QUIET = timedelta(minutes=30)  # between the ends of two windows that count: closer ones tell nothing new

ChangeKind = Literal["opened", "still open", "closed"]
EVENTS: dict[ChangeKind, EventKind] = {
    "opened": "IncidentOpened", "still open": "IncidentStillOpen", "closed": "IncidentClosed",
}  # fmt: skip


class Quiet(BaseModel):
    """Windows of one length, in a row, that did not show an incident although they could have."""

    windows: int = 1
    since: datetime  # the end of the first window
    start: datetime  # of the last one
    until: datetime  # its end

    @property
    def is_long_enough(self) -> bool:
        return self.windows >= MIN_QUIET_WINDOWS and self.until - self.since >= MIN_QUIET


class Suspected(BaseModel):
    """An alarm that a second window has to show too, before it is an incident.

    Parameters
    ----------
    subjects : the columns, groups or metrics that have shown it
    since : end of the first window that did
    seen : by length of the windows, the end of the newest one
    rows : by length of the windows, how many that one had
    """

    model_config = ConfigDict(defer_build=True)

    subjects: list[str]
    since: datetime
    seen: dict[WindowKind, datetime]
    rows: dict[WindowKind, int] = {}

    def is_confirmed_by(
        self, about: IncidentKind, kind: WindowKind, end: datetime, subjects: Collection[str], rows: int,
        newest: datetime | None,
    ) -> bool:  # fmt: skip
        """Return whether a window shows one of the same subjects, and other rows do: the same rows must not confirm
        their own alarm.

        A later window has to hold rows that came after the first alarm. One of another length that ends at the same
        time has to hold MORE_ROWS times as many rows, or as many times fewer. Windows of one length that end within
        MIN_QUIET hold nearly the same rows.

        Parameters
        ----------
        about : what the alarm is about
        newest : time of the newest row of the window, None if it is not known
        """
        if set(self.subjects).isdisjoint(subjects):
            return False
        if end - self.since >= MIN_QUIET:
            return about not in OF_ROWS or newest is None or newest > self.since
        if about in TRAFFIC_ITSELF:
            return kind not in self.seen
        return any(self._has_other_rows(length, rows) for length in self.seen if length != kind)

    def _has_other_rows(self, length: WindowKind, rows: int) -> bool:
        fewer, more = sorted((self.rows.get(length, 0), rows))
        return more > 0 and more >= MORE_ROWS * fewer


class Incident(BaseModel):
    """What was found wrong with a version.

    Parameters
    ----------
    subjects : the columns, groups or metrics that have shown it, in the order in which they did
    details : of the newest window that shows it, as clauses
    opened_at, seen_at : ends of the first and of the newest window that show it
    told_at : end of the window at which it was announced last
    seen : by length of the windows, the end of the newest one that shows it
    quiet : by length of the windows, those since then that do not
    rows : by length of the windows, of the first one that shows it
    """

    model_config = ConfigDict(defer_build=True)

    number: int
    model: str
    version: int
    kind: IncidentKind
    state: Literal["open", "closed"] = "open"
    subjects: list[str]
    details: list[str] = []
    opened_at: datetime
    seen_at: datetime
    told_at: datetime
    windows: int = 1
    seen: dict[WindowKind, datetime]
    quiet: dict[WindowKind, Quiet] = {}
    rows: dict[WindowKind, int] = {}
    closed_at: datetime | None = None
    closed_why: str = ""

    @property
    def is_over(self) -> bool:
        """Whether each length of windows that has shown the incident is quiet.

        Traffic may become too thin for an hour. Then quiet days settle it, if the last one began after the hour's last
        alarm.
        """
        enough = {kind: quiet for kind, quiet in self.quiet.items() if quiet.is_long_enough}
        return all(
            kind in enough or ("day" in enough and enough["day"].start >= last) for kind, last in self.seen.items()
        )

    def is_settled_by(self, kind: WindowKind, rows: int) -> bool:
        """Return whether a window has as many rows as the first one of its length that showed it.

        If none of its length did, as many as the smallest one that did.
        """
        return rows >= self.rows.get(kind, min(self.rows.values(), default=0))

    @property
    def headline(self) -> str:
        """What is wrong, as a clause."""
        return headline(self.kind, self.subjects)

    def sentence(self, change: ChangeKind) -> str:
        """Return what people read about a change of the incident."""
        name = f"{self.model}:{self.version}, incident {self.number}"
        why = f"`modelcycle monitor {self.model}` shows why"
        if self.kind == "broken data":
            why += "; nothing is retrained while it is open"
        since = f"{self.opened_at:%Y-%m-%d %H:%M} UTC"
        if change == "closed":
            return f"{name} is closed: {self.closed_why}. It was open since {since}: {self.headline}."
        if change == "still open":
            return f"{name} is still open since {since}: {self.headline}. {why}."
        return f"{name}: {self.headline}. {why}."


class IncidentChange(BaseModel):
    """What a look has changed about an incident; `text` is the sentence that people get."""

    model_config = ConfigDict(defer_build=True)

    kind: ChangeKind
    number: int
    text: str
