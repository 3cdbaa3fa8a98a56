"""Freeze windows: each week, each year, or once; in the time of a place; and who is not held by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.screens.versions import decided_text
from modelcycle.messages import Decided
from modelcycle.policy import frozen, parse_policy, who_overrides
from modelcycle.policy.freezes import DAYS, Freeze, freeze_at


def freeze(start: str, until: str, zone: str = "UTC") -> Freeze:
    return Freeze.model_validate({"name": "x", "from": start, "until": until, "time_zone": zone})


@pytest.mark.parametrize(("window", "now", "ends"), [
    (freeze("fri 18:00", "mon 06:00"), "2026-11-27T17:59", None),
    (freeze("fri 18:00", "mon 06:00"), "2026-11-27T18:00", "2026-11-30T06:00"),
    (freeze("Monday 06:00", "friday 18:00"), "2026-12-02T00:00", "2026-12-04T18:00"),
    (freeze("12-20", "01-03 12:00"), "2026-01-03T11:59", "2026-01-03T12:00"),
    (freeze("12-20", "01-03 12:00"), "2026-12-31T00:00", "2027-01-03T12:00"),
    (freeze("12-20", "01-03 12:00"), "2026-06-01T00:00", None),
    (freeze("02-29", "03-02"), "2027-03-01T12:00", "2027-03-02T00:00"),
    (freeze("2026-12-20", "2026-12-24 08:00"), "2026-12-24T07:59", "2026-12-24T08:00"),
    (freeze("2026-12-20", "2026-12-24 08:00"), "2027-12-22T00:00", None),
    # clocks in Berlin are set back on 25 October 2026: 18:00 is 16:00 UTC before, 06:00 is 05:00 UTC after it
    (freeze("fri 18:00", "mon 06:00", "Europe/Berlin"), "2026-10-23T16:00", "2026-10-26T05:00"),
    (freeze("fri 18:00", "mon 06:00", "Europe/Berlin"), "2026-10-23T15:59", None),
])  # fmt: skip
def test_a_freeze_holds_from_its_first_minute_to_its_end(window: Freeze, now: str, ends: str | None) -> None:
    at = datetime.fromisoformat(f"{now}:00+00:00")
    expected = datetime.fromisoformat(f"{ends}:00+00:00") if ends else None
    assert window.ends_at(at) == expected


@given(
    st.tuples(st.sampled_from(DAYS), st.integers(0, 23)), st.tuples(st.sampled_from(DAYS), st.integers(0, 23)),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)  # fmt: skip
def test_a_week_is_frozen_or_free_and_never_both(start: tuple[str, int], until: tuple[str, int], now: datetime) -> None:
    if start == until:
        return
    one = freeze(f"{start[0]} {start[1]:02}:00", f"{until[0]} {until[1]:02}:00")
    other = freeze(f"{until[0]} {until[1]:02}:00", f"{start[0]} {start[1]:02}:00")
    ends = [window.ends_at(now) for window in (one, other)]
    assert sum(end is not None for end in ends) == 1
    assert all(now < end <= now + timedelta(weeks=1) for end in ends if end)


def test_the_freeze_that_ends_last_counts_and_some_people_are_not_held() -> None:
    policy = parse_policy(
        "{name: ab, version: 1, models: [a], groups: {sre: ['*:user/ann']}, freeze: ["
        "{name: sales, from: 2026-12-20, until: 2026-12-24},"
        "{name: winter, from: 12-19, until: 01-03, may_override: [sre]}]}"
    )
    now = datetime(2026, 12, 21, tzinfo=UTC)
    found = freeze_at(policy.freeze, now)
    assert found is not None and found[0].name == "winter"
    held = frozen(policy, "run r", now)
    assert held is not None and held[0] == (
        "winter: no version gets more traffic until 2027-01-03 00:00 UTC (policy ab)"
    )
    assert who_overrides(policy, now) == "nobody may override it"
    assert who_overrides(policy, datetime(2027, 1, 1, tzinfo=UTC)) == "people of sre may override it"
    assert who_overrides(policy, datetime(2027, 2, 1, tzinfo=UTC)) == ""
    sales = policy.freeze[0].model_copy(update={"may_override": ["shop"]})
    both = policy.model_copy(update={"freeze": [sales, policy.freeze[1]]})
    assert who_overrides(both, now) == "whoever is in shop (for sales) and in sre (for winter) may override it"
    of_ann = frozen(policy, "arn:aws:iam::1:user/ann", now)
    assert of_ann is not None and of_ann[1] == datetime(2026, 12, 24, tzinfo=UTC)
    assert frozen(policy, "arn:aws:iam::1:user/ann", datetime(2026, 12, 25, tzinfo=UTC)) is None


def test_the_screen_of_an_approval_in_a_freeze_says_that_its_rollout_waits() -> None:
    why = "the sales: no version gets more traffic until 2026-11-30 06:00 Europe/Berlin (05:00 UTC) (policy ab)"
    told = f"its rollout waits: {why}; nobody may override it"
    screen = decided_text(Decided(model="m", decision="approve", version=2, route={1: 100}, told=told, frozen=True))
    assert "m:2 is approved; its rollout waits." in screen and "has started" not in screen
    assert "your approval is on record" in screen and "the rollout begins after the freeze" in screen
    assert f"  frozen        {why}; nobody may override it" in screen
    started = decided_text(Decided(model="m", decision="approve", version=2, route={1: 100}))
    assert "m:2 is approved; its rollout has started." in started and "frozen" not in started
