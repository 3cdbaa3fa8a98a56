"""Shadows, and withdrawals that restore what was there before a rollout began."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cli.history import moves_around
from modelcycle.faults import NotAllowed
from modelcycle.registry import Route
from tests.unit.traffic_cycle import Cycle


def test_a_shadow_gets_no_traffic_and_becomes_live_by_its_promotion(cycle: Cycle) -> None:
    cycle.live()
    routes, second = cycle.registry.routes, cycle.staged()
    shadowed = routes.shadow("m", second, "run r", "first in the shadow", rollout="x", step=0, expected_moves=1)
    assert shadowed == routes.get("m") == Route(weights={1: 100}, shadow=2, moves=2)
    assert cycle.state(second) == "staged"
    promoted = cycle.registry.routes.promote("m", second, 10, "run r", rollout="x", step=0, expected_moves=2)
    assert promoted == Route(weights={1: 90, 2: 10}, previous=1, shadow=None, moves=3)
    assert cycle.state(second) == "live"
    kinds = [(move.kind, move.before, move.after, move.shadow) for move in routes.moves("m", 2)]
    assert kinds == [("promoted", {1: 100}, {1: 90, 2: 10}, None), ("shadowed", {1: 100}, {1: 100}, 2)]
    assert [entry.by for entry in cycle.audited("shadow")] == ["run r"]


def test_a_shadow_that_is_delivered_twice_is_one_move_and_others_end_its_rollout(cycle: Cycle) -> None:
    cycle.live()
    routes, second = cycle.registry.routes, cycle.staged()
    first = routes.shadow("m", second, "run r", rollout="x", step=0, expected_moves=1)
    assert routes.shadow("m", second, "run r", rollout="x", step=0, expected_moves=1) == first
    assert routes.shadow("m", second, "run r", rollout="y", step=0, expected_moves=1) is None
    assert routes.get("m").moves == 2
    cycle.live()  # a person promotes another version: the shadow ends, and so does its rollout
    assert routes.get("m").shadow is None
    assert routes.promote("m", second, 10, "run r", rollout="x", step=0, expected_moves=2) is None


def test_there_is_no_shadow_without_a_live_version_or_of_one_that_may_not_go_live(cycle: Cycle) -> None:
    first = cycle.staged()
    assert cycle.registry.routes.shadow("m", first, "run r") == Route()
    cycle.registry.routes.promote("m", first, 100, "run r")
    assert cycle.registry.routes.shadow("m", first, "run r") == cycle.registry.routes.get("m")
    with pytest.raises(NotAllowed, match="awaiting approval"):
        cycle.registry.routes.shadow("m", cycle.staged("awaiting_approval"), "run r")
    assert cycle.registry.routes.get("m").shadow is None


def test_a_rollback_to_the_live_version_ends_a_shadow_and_the_next_rollback_is_another_one(cycle: Cycle) -> None:
    cycle.live(2)
    third = cycle.staged()
    cycle.registry.routes.shadow("m", third, "run r", rollout="x", step=0, expected_moves=2)
    assert cycle.decide("rollback", 2).note == ""
    assert cycle.registry.routes.get("m") == Route(weights={2: 100}, previous=1, moves=4)
    assert cycle.state(third) == "staged"
    assert cycle.decide("rollback", by="bob").route == {1: 100}, "not the same rollback: the first moved no traffic"


def test_a_rollback_without_an_earlier_version_says_how_to_end_the_shadow(cycle: Cycle) -> None:
    cycle.live()
    cycle.registry.routes.shadow("m", cycle.staged(), "ann")
    with pytest.raises(NotAllowed) as refused:
        cycle.decide("rollback")
    assert "`modelcycle rollback m:1` ends it" in refused.value.remedy
    with pytest.raises(NotAllowed) as refused:
        cycle.decide("reject", 2)
    assert "`modelcycle rollback m:1` ends the shadow" in refused.value.remedy
    cycle.decide("rollback", 1)
    assert cycle.registry.routes.get("m").shadow is None and cycle.weights == {1: 100}


def test_a_withdrawn_shadow_may_be_staged_again_unless_it_was_worse(cycle: Cycle) -> None:
    cycle.live()
    routes = cycle.registry.routes
    for worse, state in ((False, "staged"), (True, "rolled_back")):
        number = cycle.staged()
        routes.shadow("m", number, "run r", rollout="x")
        assert routes.withdraw("m", number, "x", "judge", "it answers otherwise", worse=worse, evidence={"rows": 200})
        assert (routes.get("m").weights, routes.get("m").shadow) == ({1: 100}, None)
        assert (cycle.state(number), cycle.registry.standings.get("m", number).final) == (state, worse)
    assert cycle.audited("withdraw")[0].evidence == {"rows": 200}


def test_a_withdrawal_restores_the_weights_and_the_previous_version(cycle: Cycle) -> None:
    cycle.live(3)  # 3 is live, 2 the one before
    fourth, fifth = cycle.staged(), cycle.staged()
    held = cycle.step(fourth, 0, moves=3, rollout="held")
    before = cycle.registry.routes.get("m")
    assert before.weights == {3: 90, 4: 10}
    steps = cycle.step(fifth, 0, moves=held.moves, rollout="x")
    cycle.step(fifth, 1, moves=steps.moves, rollout="x")
    assert cycle.weights == {3: 50, 5: 50} and cycle.state(fourth) == "retired"
    assert cycle.registry.routes.withdraw("m", fifth, "x", "rollout", "it did not complete")
    after = cycle.registry.routes.get("m")
    assert (after.weights, after.previous, after.moves) == (before.weights, before.previous, 7)
    assert [cycle.state(number) for number in (3, 4, 5)] == ["live", "live", "rolled_back"]


def test_a_withdrawal_gives_the_share_of_a_version_that_was_rejected_meanwhile_to_the_other(cycle: Cycle) -> None:
    cycle.live()
    second, third = cycle.staged(), cycle.staged()
    held = cycle.step(second, 0, moves=1, rollout="held")
    cycle.step(third, 0, moves=held.moves, rollout="x")
    for state in ("awaiting_approval", "rejected"):
        cycle.registry.standings.move("m", second, state, "ann")
    assert cycle.registry.routes.withdraw("m", third, "x", "rollout", "")
    assert cycle.weights == {1: 100}


def test_a_complete_rollout_is_only_undone_if_that_is_asked_for(cycle: Cycle) -> None:
    cycle.live(2)
    routes, third = cycle.registry.routes, cycle.staged()
    moves: int | None = 2
    for step in range(3):
        moves = cycle.step(third, step, moves).moves
    assert not routes.withdraw("m", third, "x", "rollout", "")
    assert routes.withdraw("m", third, "x", "judge", "quality fell", complete=True, worse=True)
    assert routes.get("m") == Route(weights={2: 100}, previous=1, moves=6)
    assert cycle.registry.standings.get("m", third).final
    assert not routes.withdraw("m", third, "x", "judge", "quality fell", complete=True), "once"


def test_the_first_version_of_a_model_is_never_withdrawn(cycle: Cycle) -> None:
    first = cycle.staged()
    cycle.registry.routes.promote("m", first, 10, "run r", rollout="x")
    assert not cycle.registry.routes.withdraw("m", first, "x", "rollout", "", complete=True)
    assert cycle.weights == {1: 100}


def test_a_rollout_that_continues_a_dead_one_is_withdrawn_to_where_that_one_began(cycle: Cycle) -> None:
    cycle.live()
    second = cycle.staged()
    half = cycle.step(second, 1, cycle.step(second, 0, moves=1).moves)
    cycle.registry.routes.promote("m", second, 70, "run r", rollout="y", expected_moves=half.moves)
    assert cycle.registry.routes.withdraw("m", second, "y", "rollout", "")
    assert cycle.weights == {1: 100}


def test_a_sleeping_rollout_never_takes_up_a_version_that_was_stopped(cycle: Cycle) -> None:
    """Stopped by a person, by a withdrawal, or while it was a shadow; with the same shares or others since."""
    cycle.live()
    second = cycle.staged()
    asleep = cycle.step(second, 0, moves=1, rollout="sleeper")
    cycle.registry.routes.withdraw("m", second, "sleeper", "judge", "worse", worse=True)
    assert cycle.step(second, asleep.step, asleep.moves, rollout="sleeper").overruled
    cycle.decide("promote", second)  # by a person, with a rollout of its own: the same share as when the sleeper slept
    again = cycle.step(second, 0, moves=3, rollout="of a person")
    assert (again.weight, asleep.weight) == (10, 10)
    assert cycle.step(second, asleep.step, asleep.moves, rollout="sleeper").overruled
    assert not cycle.registry.routes.withdraw("m", second, "sleeper", "judge", "worse")
    cycle.decide("rollback")
    for moves in range(1, 5):  # whatever it knew when it went to sleep
        for step in range(1, 3):
            cycle.step(second, step, moves, rollout="sleeper")
    assert cycle.weights == {1: 100}
    third = cycle.staged()
    shadowed = cycle.registry.routes.shadow("m", third, "run r", rollout="sleeper", step=0, expected_moves=5)
    assert shadowed is not None
    cycle.decide("rollback", 1, by="bob")
    assert cycle.step(third, 0, shadowed.moves, rollout="sleeper").overruled
    assert cycle.weights == {1: 100}


def test_the_route_at_a_time_is_the_one_that_the_last_move_left(cycle: Cycle) -> None:
    before = datetime.now(UTC)
    cycle.live()
    cycle.registry.routes.shadow("m", cycle.staged(), "run r")
    moves = cycle.registry.routes.moves("m")

    def route_at(when: datetime) -> Route:
        last, _ = moves_around(moves, when)
        return last.route if last else Route()

    assert route_at(before) == Route()
    assert route_at(moves[1].at) == route_at(moves[0].at - timedelta(microseconds=1))
    assert route_at(moves[1].at) == Route(weights={1: 100}, moves=1)
    assert route_at(moves[0].at) == Route(weights={1: 100}, shadow=2, moves=2)
