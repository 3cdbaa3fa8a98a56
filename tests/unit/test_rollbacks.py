"""Rollbacks: one for each incident, back along the history of the route."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelcycle.faults import NotAllowed
from modelcycle.govern.decision_request import parse_decision
from modelcycle.registry.moves import SAME_ROLLBACK
from tests.unit.traffic_cycle import Cycle


def test_each_rollback_of_an_incident_goes_back_one_more_version(cycle: Cycle) -> None:
    cycle.live(4)
    assert [cycle.decide("rollback").version for _ in range(3)] == [3, 2, 1]
    assert [cycle.state(version) for version in (1, 2, 3, 4)] == ["live", "rolled_back", "rolled_back", "rolled_back"]
    with pytest.raises(NotAllowed, match="no earlier version to go back to") as refused:
        cycle.decide("rollback")
    assert "2 (rolled back), 3 (rolled back), 4 (rolled back)" in refused.value.remedy
    assert cycle.decide("rollback", 3).route == {3: 100}


def test_a_rollback_skips_versions_that_were_rolled_back_before(cycle: Cycle) -> None:
    cycle.live(3)
    cycle.decide("rollback")  # from 3 to 2
    cycle.live()  # version 4
    assert cycle.decide("rollback").version == 2
    assert cycle.decide("rollback").version == 1


def test_after_a_rollback_to_a_named_version_the_next_one_goes_back_from_there(cycle: Cycle) -> None:
    cycle.live(4)
    cycle.decide("rollback", 2)
    assert cycle.registry.routes.get("m").previous == 1
    assert cycle.decide("rollback").version == 1


def test_four_people_who_roll_back_within_a_second_take_away_one_version(cycle: Cycle) -> None:
    cycle.live(5)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda by: cycle.decide("rollback", by=by), ["ann", "bob", "cem", "dee"]))
    assert cycle.weights == {4: 100} and {result.version for result in results} == {4}
    assert sorted(bool(result.note) for result in results) == [False, True, True, True]
    assert len(cycle.audited("rollback")) == 1
    note = next(result.note for result in results if result.note)
    assert "this is the same rollback" in note and "`modelcycle rollback m:VERSION` goes further back" in note


def test_a_rollback_that_was_asked_for_before_the_last_one_is_the_same_rollback(cycle: Cycle) -> None:
    cycle.live(3)
    asked = datetime.now(UTC)
    for _ in range(3):  # one person, one click, three requests
        assert cycle.decide("rollback", asked_at=asked).version == 2
    assert cycle.decide("rollback", by="bob", asked_at=asked + SAME_ROLLBACK / 2).version == 2
    assert cycle.decide("rollback", by="bob", asked_at=asked + 2 * SAME_ROLLBACK).version == 1


def test_a_rollback_that_loses_to_another_one_names_it(cycle: Cycle) -> None:
    cycle.live(2)
    cycle.table.meanwhile = lambda: cycle.decide("rollback", by="bob")
    result = cycle.decide("rollback")
    assert result.version == 1 and "bob rolled m back" in result.note


def test_a_rollback_with_a_stale_route_is_retried(cycle: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another rollback is made between the read of the route and the reads of the states."""
    cycle.live(2)
    routes, read, stale = cycle.registry.routes, cycle.registry.routes._read, []

    def late(model: str) -> Any:
        route_and_record = read(model)
        if not stale:
            stale.append(route_and_record)
            routes.roll_back("m", "bob")
        return route_and_record

    monkeypatch.setattr(routes, "_read", late)
    move, moved = routes.roll_back("m", "ann", asked_at=datetime.now(UTC))
    assert (move.by, moved, cycle.weights) == ("bob", False, {1: 100})


def test_a_rollback_during_a_rollout_step_takes_the_new_version_away(cycle: Cycle) -> None:
    cycle.live()
    first = cycle.step(cycle.staged(), 0, moves=1)
    cycle.table.meanwhile = lambda: cycle.step(2, first.step, first.moves)
    assert cycle.decide("rollback").route == {1: 100}


def test_a_rollback_that_races_the_steps_of_a_rollout_is_kept(cycle: Cycle) -> None:
    cycle.live()
    cycle.staged()
    running = threading.Event()

    def roll_out() -> None:
        expected_moves: int | None = 1
        for weight in range(1, 100):
            moved = cycle.registry.routes.promote(
                "m", 2, weight, "run r", rollout="x", step=weight, expected_moves=expected_moves
            )
            if moved is None:
                return
            expected_moves = moved.moves
            if weight > 2:
                running.set()
            time.sleep(0.001)
        raise AssertionError("the rollback did not end the rollout")

    with ThreadPoolExecutor(1) as pool:
        rollout = pool.submit(roll_out)
        assert running.wait(10)
        cycle.decide("rollback")
        rollout.result()
    assert cycle.weights == {1: 100}


def test_the_time_at_which_a_person_asked_is_trusted_within_a_minute() -> None:
    received = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for asked_at, seconds in (("11:59:58", -2), ("10:00:00", -60), ("12:00:30", 0)):
        body = '{"decision": "rollback", "asked_at": "2026-01-01T' + asked_at + 'Z"}'
        assert parse_decision(body, "m", "ann", received).asked_at == received + timedelta(seconds=seconds)
    assert parse_decision('{"decision": "rollback"}', "m", "ann", received).asked_at == received
