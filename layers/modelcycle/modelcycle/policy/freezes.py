"""Freeze windows: when no version gets more traffic."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from modelcycle.spec.section import Section

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY = re.compile(rf"({'|'.join(DAYS)})[a-z]* ([01]\d|2[0-3]):([0-5]\d)", re.IGNORECASE)
_YEARLY = re.compile(r"(\d\d)-(\d\d)(?: ([01]\d|2[0-3]):([0-5]\d))?")
_ONCE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T]([01]\d|2[0-3]):([0-5]\d))?")
MAX_WAIT = timedelta(hours=1)  # after which a rollout that waits looks again: somebody may have changed the policy
LEAP_YEAR = 2024


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("a time zone is expected, such as Europe/Berlin or UTC") from None
    return name


def _as_text(moment: str) -> str:
    moment = " ".join(moment.split())
    if _kind(moment) is None:
        raise ValueError(
            "a moment is expected: fri 18:00 (each week), 12-20 or 12-20 18:00 (each year), or 2026-12-20 (once)"
        )
    return moment


def _written(moment: object) -> object:
    """Return a date that YAML has read as one as the text that it was."""
    if isinstance(moment, datetime):
        return f"{moment:%Y-%m-%d %H:%M}"
    return moment.isoformat() if isinstance(moment, date) else moment


Moment = Annotated[str, BeforeValidator(_written), StringConstraints(strip_whitespace=True), AfterValidator(_as_text)]


class Freeze(Section):
    """A time in which no version gets more traffic. Both ends are of one form: each week, each year, or once."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        description="as in a sentence: the sales"
    )
    start: Moment = Field(alias="from", description="fri 18:00, 12-20 00:00 or 2026-12-20 18:00")
    until: Moment = Field(description="in the same form; that minute itself is free again")
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field("UTC", description="such as Europe/Berlin")
    may_override: list[str] = Field([], description="groups whose people may promote and approve all the same")

    @model_validator(mode="after")
    def _is_a_window(self) -> Freeze:
        problem = window_problem(self.start, self.until)
        if problem:
            raise ValueError(problem)
        return self

    def ends_at(self, now: datetime) -> datetime | None:
        """Return when the freeze that holds at `now` ends; None if it does not hold then.

        Examples
        --------
        >>> weekend = Freeze.model_validate({"name": "the weekend", "from": "fri 18:00", "until": "mon 06:00"})
        >>> weekend.ends_at(datetime(2026, 11, 29, 12, tzinfo=UTC))
        datetime.datetime(2026, 11, 30, 6, 0, tzinfo=datetime.timezone.utc)
        >>> weekend.ends_at(datetime(2026, 11, 30, 6, tzinfo=UTC))
        """
        zone = ZoneInfo(self.time_zone)
        local = now.astimezone(zone)
        for start, until in self._around(local):
            begins, ends = (moment.replace(tzinfo=zone).astimezone(UTC) for moment in (start, until))
            if begins <= now < ends:
                return ends
        return None

    def in_its_zone(self, moment: datetime) -> str:
        """Return a moment as the policy file writes times, and in UTC besides.

        >>> in_berlin = {"name": "a", "from": "fri 18:00", "until": "mon 06:00", "time_zone": "Europe/Berlin"}
        >>> Freeze.model_validate(in_berlin).in_its_zone(datetime(2026, 11, 30, 5, tzinfo=UTC))
        '2026-11-30 06:00 Europe/Berlin (05:00 UTC)'
        """
        utc = moment.astimezone(UTC)
        if self.time_zone == "UTC":
            return f"{utc:%Y-%m-%d %H:%M} UTC"
        return f"{moment.astimezone(ZoneInfo(self.time_zone)):%Y-%m-%d %H:%M} {self.time_zone} ({utc:%H:%M} UTC)"

    def _around(self, local: datetime) -> list[tuple[datetime, datetime]]:
        """Return the windows near a moment, in local time without a zone."""
        kind = _kind(self.start)
        if kind == "once":
            return [(_once(self.start), _once(self.until))]
        if kind == "yearly":
            ends_next_year = _yearly(self.until, LEAP_YEAR) <= _yearly(self.start, LEAP_YEAR)
            return [
                (_yearly(self.start, year), _yearly(self.until, year + ends_next_year))
                for year in (local.year - 1, local.year)
            ]
        monday = local.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0) - timedelta(days=local.weekday())
        start, until = _weekly(self.start), _weekly(self.until)
        length = (until - start) % timedelta(weeks=1)
        return [(begins, begins + length) for begins in (monday + start - timedelta(weeks=1), monday + start)]


def freeze_at(freezes: list[Freeze], now: datetime) -> tuple[Freeze, datetime] | None:
    """Return the freeze that holds at a moment and ends last, and its end; None if none holds."""
    holding = [(freeze, ends) for freeze in freezes if (ends := freeze.ends_at(now)) is not None]
    return max(holding, key=lambda one: one[1]) if holding else None


def window_problem(start: str, until: str) -> str:
    """Return what is wrong with two valid moments as a window; empty if nothing is.

    >>> window_problem("fri 18:00", "mon 06:00"), window_problem("2026-12-20", "2026-12-01")
    ('', 'until is before from')
    """
    if _kind(start) != _kind(until):
        return "from and until have to be of the same form"
    if start == until:
        return "from and until are the same moment"
    return "until is before from" if _kind(start) == "once" and _once(start) > _once(until) else ""


def _kind(moment: str) -> str | None:
    try:
        if _WEEKLY.fullmatch(moment):
            return "weekly"
        if _YEARLY.fullmatch(moment):
            _yearly(moment, LEAP_YEAR)
            return "yearly"
        if _ONCE.fullmatch(moment):
            _once(moment)
            return "once"
    except ValueError:  # such as 02-30
        pass
    return None


def _weekly(moment: str) -> timedelta:
    """Return a moment of a week as the time since its Monday."""
    day, hour, minute = _parts(_WEEKLY, moment)
    return timedelta(days=DAYS.index(day.lower()), hours=int(hour), minutes=int(minute))


def _yearly(moment: str, year: int) -> datetime:
    """Return a moment of a year; 29 February is 1 March where there is none."""
    month, day, hour, minute = _parts(_YEARLY, moment)
    clock = timedelta(hours=int(hour or 0), minutes=int(minute or 0))
    if (month, day) == ("02", "29") and not _is_leap(year):
        month, day = "03", "01"
    return datetime(year, int(month), int(day)) + clock


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _once(moment: str) -> datetime:
    year, month, day, hour, minute = _parts(_ONCE, moment)
    return datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0))


def _parts(pattern: re.Pattern[str], moment: str) -> tuple[str, ...]:
    match = pattern.fullmatch(moment)
    if match is None:
        raise ValueError(f"{moment} has another form")
    return match.groups()
