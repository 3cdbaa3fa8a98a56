"""An incident is told when it opens, once a day, and when it closes, whatever comes late or twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelcycle.messages import Broken, Signal
from modelcycle.registry import IncidentChange, Registry, incidents
from tests.fakes import MemoryTable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WRONG = Broken(column="age", cause="other units", detail="about 365 times as large")


def signals(state: str, *names: str, kind: str = "input drift") -> list[Signal]:
    return [Signal.model_validate({"kind": kind, "subject": name, "state": state}) for name in names or ("age",)]


ALARM, OK, FEW = signals("alarm"), signals("ok"), signals("too few")


@pytest.fixture
def unconfirmed() -> Registry:
    """Where a second window has to show an alarm, as it is."""
    return Registry(MemoryTable())


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Where drift, too, opens an incident at once: for all that follows, it does not matter what opened it."""
    monkeypatch.setattr(incidents, "AT_ONCE", {"broken data", "drift"})
    return Registry(MemoryTable())


def look(
    registry: Registry, hours: float, seen: list[Signal], *, version: int = 3, kind: Any = "hour",
    live: tuple[int, ...] = (3,), broken: tuple[Broken, ...] = (), rows: int = 0, newest: datetime | None = None,
) -> list[IncidentChange]:  # fmt: skip
    end = NOON + hours * HOUR
    window = end - (HOUR if kind == "hour" else 24 * HOUR), end
    return registry.incidents.update("m", version, kind, window, seen, broken, live, rows, newest)


def kinds(changes: list[IncidentChange]) -> list[str]:
    return [change.kind for change in changes]


def events(registry: Registry) -> list[str]:
    assert isinstance(registry.table, MemoryTable)
    return [write.body["kind"] for write in registry.table.written if write.kind == "event"]


def test_an_alarm_that_no_second_window_shows_is_no_incident(unconfirmed: Registry) -> None:
    for hour, seen in enumerate([ALARM, OK, ALARM, OK, ALARM, signals("alarm", "hours"), OK]):
        assert look(unconfirmed, hour, seen) == []
    assert look(unconfirmed, 7, ALARM) + look(unconfirmed, 7.2, ALARM) == []  # nearly the same rows
    assert events(unconfirmed) == []


def test_a_second_window_confirms_an_alarm_whether_later_or_longer(unconfirmed: Registry) -> None:
    assert not look(unconfirmed, 0, ALARM)
    assert not look(unconfirmed, 1, FEW)
    assert kinds(look(unconfirmed, 2, ALARM)) == ["opened"]
    other = Registry(MemoryTable())
    assert not look(other, 0, ALARM, kind="day", rows=900)
    assert kinds(look(other, 0, signals("alarm", "age", "hours"), rows=600)) == ["opened"]


def test_the_hour_and_the_day_of_a_burst_hold_the_same_rows_and_do_not_confirm_each_other(
    unconfirmed: Registry,
) -> None:
    burst = NOON - HOUR / 4
    for kind, rows in (("day", 620), ("hour", 600)):
        assert not look(unconfirmed, 0, ALARM, kind=kind, rows=rows, newest=burst)
    for kind, rows in (("day", 620), ("hour", 600)):
        assert not look(unconfirmed, 0.7, ALARM, kind=kind, rows=rows, newest=burst)
    assert kinds(look(unconfirmed, 1.2, ALARM, rows=50, newest=NOON + HOUR)) == ["opened"]


def test_traffic_that_stays_away_and_late_outcomes_need_no_newer_rows(unconfirmed: Registry) -> None:
    silent = signals("alarm", "", kind="volume")
    assert not look(unconfirmed, 0, silent, kind="day")
    assert kinds(look(unconfirmed, 0, silent)) == ["opened"]
    worse = signals("alarm", "", kind="performance")
    assert not look(unconfirmed, 1, worse, kind="day", rows=600, newest=NOON)
    assert kinds(look(unconfirmed, 2, worse, kind="day", rows=600, newest=NOON)) == ["opened"]


def test_wrong_values_open_an_incident_at_once(unconfirmed: Registry) -> None:
    assert kinds(look(unconfirmed, 0, ALARM, broken=(WRONG,))) == ["opened"]


def test_what_was_suspected_of_a_version_ends_with_it(unconfirmed: Registry) -> None:
    look(unconfirmed, 0, ALARM)
    look(unconfirmed, 1, OK, version=4, live=(4,))
    assert not look(unconfirmed, 2, ALARM)


def test_many_windows_with_an_alarm_are_one_message(registry: Registry) -> None:
    told = [kinds(look(registry, hour, ALARM)) for hour in range(20)]
    assert told == [["opened"]] + [[]] * 19
    assert events(registry) == ["IncidentOpened"]
    (incident,) = registry.incidents.open("m")
    assert (incident.windows, incident.subjects) == (20, ["age"])


def test_an_incident_that_stays_open_is_told_again_once_a_day(registry: Registry) -> None:
    told = [hour for hour in range(80) if kinds(look(registry, hour, ALARM)) == ["still open"]]
    assert told == [24, 48, 72]


def test_it_closes_after_two_quiet_windows_and_a_new_alarm_is_a_new_incident(registry: Registry) -> None:
    told = [kinds(look(registry, *at)) for at in enumerate([ALARM, OK, ALARM, OK, FEW, OK, OK, ALARM])]
    assert told == [["opened"], [], [], [], [], ["closed"], [], ["opened"]]
    assert [one.state for one in registry.incidents.latest("m")] == ["open", "closed"]


def test_windows_that_are_nearly_the_same_are_not_two_quiet_ones(registry: Registry) -> None:
    told = [kinds(look(registry, hours, seen)) for hours, seen in [(0, ALARM), (1, OK), (1.1, OK), (1.6, OK)]]
    assert told == [["opened"], [], [], ["closed"]]


def test_a_slight_change_is_quiet_and_another_column_is_not_this_one(registry: Registry) -> None:
    look(registry, 0, ALARM)
    assert [look(registry, hour, signals("ok", "hours")) for hour in (1, 2, 3)] == [[], [], []]
    assert kinds(look(registry, 4, signals("slight")) + look(registry, 5, signals("slight"))) == ["closed"]


def test_both_lengths_of_windows_share_an_incident_which_closes_when_both_are_quiet(registry: Registry) -> None:
    assert kinds(look(registry, 0, ALARM) + look(registry, 0, ALARM, kind="day")) == ["opened"]
    assert not look(registry, 1, OK) + look(registry, 2, OK) + look(registry, 1, ALARM, kind="day")
    assert kinds(look(registry, 2, OK, kind="day") + look(registry, 3, OK, kind="day")) == ["closed"]


def test_traffic_that_became_too_thin_for_the_hour_is_settled_by_days(registry: Registry) -> None:
    look(registry, 0, ALARM)
    told = [kinds(look(registry, hour, OK, kind="day")) for hour in (1, 12, 23, 24)]
    assert told == [[], [], [], ["closed"]]  # the first three days still hold the hour with the alarm


def test_a_version_that_is_no_longer_live_has_no_open_incident(registry: Registry) -> None:
    look(registry, 0, ALARM)
    (change,) = look(registry, 1, OK, version=4, live=(4,))
    assert change.kind == "closed"
    assert "version 4 is live now" in change.text
    assert not look(registry, 2, ALARM, live=(4,))  # a look at version 3 that was under way


def test_two_versions_of_a_rollout_have_incidents_of_their_own(registry: Registry) -> None:
    both = (3, 4)
    assert kinds(look(registry, 0, ALARM, live=both) + look(registry, 0, ALARM, version=4, live=both)) == ["opened"] * 2
    assert [one.version for one in registry.incidents.open("m")] == [3, 4]


def test_a_look_that_comes_again_returns_what_it_returned(registry: Registry) -> None:
    first = look(registry, 0, ALARM)
    assert look(registry, 0, ALARM) == first
    assert look(registry, 0, OK) == first
    assert events(registry) == ["IncidentOpened"]


def test_late_looks_neither_reopen_nor_close(registry: Registry) -> None:
    for hour, seen in enumerate([ALARM, OK, OK]):
        look(registry, hour, seen)
    assert not look(registry, 1.5, ALARM)
    look(registry, 3, ALARM)
    assert [look(registry, hours, OK) for hours in (2.2, 2.8)] == [[], []]
    assert len(registry.incidents.open("m")) == 1


def test_a_clock_that_jumped_ahead_does_not_stop_the_watch(registry: Registry) -> None:
    ahead = (datetime.now(UTC) - NOON) / HOUR + 24 * 365
    assert kinds(look(registry, ahead, ALARM)) == ["opened"]
    told = [kinds(look(registry, hour, OK)) for hour in (1, 2)]
    assert told[-1] == ["closed"]
    assert kinds(look(registry, 3, ALARM)) == ["opened"]


def test_a_broken_column_is_one_incident_that_says_so(registry: Registry) -> None:
    seen = [*ALARM, *signals("alarm", kind="unparsed"), *signals("alarm", "", kind="joint drift")]
    (change,) = look(registry, 0, seen, broken=(WRONG,))
    assert "live values are wrong (age)" in change.text
    (incident,) = registry.incidents.open("m")
    assert (incident.kind, incident.details) == ("broken data", ["age: about 365 times as large"])
    assert kinds(look(registry, 1, OK) + look(registry, 2, OK)) == ["closed"]


def test_values_that_were_wrong_and_still_alarm_are_right_only_if_as_many_rows_say_so(registry: Registry) -> None:
    look(registry, 0, ALARM, broken=(WRONG,), rows=900)
    mixed = [*ALARM, *signals("ok", kind="missing")]
    for hour in (1, 2, 3):
        assert "closed" not in kinds(look(registry, hour, mixed, rows=899))
    assert "closed" in kinds(look(registry, 4, mixed, rows=900) + look(registry, 5, mixed, rows=900))
    assert [one.kind for one in registry.incidents.open("m")] == ["drift"]


def test_values_that_are_right_again_need_no_more_rows_than_they_are_judged_by(registry: Registry) -> None:
    look(registry, 0, ALARM, broken=(WRONG,), rows=900)
    assert kinds(look(registry, 1, OK, rows=100) + look(registry, 2, OK, rows=100)) == ["closed"]


def test_any_names_and_many_of_them_are_kept(registry: Registry) -> None:
    names = ['a "quoted" name', "größe.µ", "age", "Age", "x" * 5000, *(f"c{n}" for n in range(3000))]
    (change,) = look(registry, 0, signals("alarm", *names))
    (incident,) = registry.incidents.open("m")
    assert incident.subjects[:4] == names[:4]
    assert len(incident.subjects) == 50
    assert "and 45 more" in change.text


def test_a_race_of_two_looks_opens_one_incident(registry: Registry) -> None:
    table = registry.table
    assert isinstance(table, MemoryTable)
    write, other = table.write, iter([True])

    def raced(*writes: Any) -> None:
        if next(other, False):
            look(registry, 0, ALARM, kind="day")
        write(*writes)

    table.write = raced  # type: ignore[method-assign]
    assert look(registry, 0, ALARM) == []
    assert len(registry.incidents.latest("m")) == 1
