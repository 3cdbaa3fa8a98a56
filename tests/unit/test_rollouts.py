"""Rollouts: each step depends on the rollout's own last move, and decisions of people have priority."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from cli.console import REFUSED, status_of
from cli.screens.versions import decided_text
from modelcycle.deploy import deploy, withdraw
from modelcycle.faults import NotAllowed, Transient
from modelcycle.govern import artifacts_exist
from modelcycle.messages import DeployRequest, RolloutEnded
from modelcycle.policy import deployed_shelf
from tests.fakes import MemoryStore
from tests.unit.traffic_cycle import Cycle


def test_a_rollback_between_the_read_and_the_write_of_a_step_is_kept(cycle: Cycle) -> None:
    cycle.live()
    first = cycle.step(cycle.staged(), 0, moves=1)
    cycle.table.meanwhile = lambda: cycle.registry.routes.roll_back("m", "ann")
    second = cycle.step(2, first.step, first.moves)
    assert (second.overruled, second.done, second.weight) == (True, True, 0)
    assert cycle.weights == {1: 100}


def test_an_overruled_rollout_ends_for_good_even_if_its_share_is_there_again(cycle: Cycle) -> None:
    cycle.live()
    first = cycle.step(cycle.staged(), 0, moves=1)
    cycle.registry.routes.roll_back("m", "ann")
    again = cycle.step(2, 0, moves=3, rollout="y")
    assert again.weight == first.weight == 10
    late = cycle.step(2, first.step, first.moves)
    assert late.overruled and cycle.weights == {1: 90, 2: 10}
    assert cycle.step(2, again.step, again.moves, rollout="y").weight == 50


def test_the_first_step_is_made_only_on_the_route_that_its_starter_read(cycle: Cycle) -> None:
    cycle.live(2)
    third = cycle.staged()
    cycle.registry.routes.roll_back("m", "ann")
    assert cycle.step(third, 0, moves=2).overruled
    assert cycle.weights == {1: 100}
    assert cycle.step(third, 0, moves=3, rollout="y").weight == 10


def test_a_step_delivered_twice_finds_its_own_move_and_returns_the_same_result(cycle: Cycle) -> None:
    cycle.live()
    second = cycle.staged()
    first = cycle.step(second, 0, moves=1)
    assert cycle.step(second, 0, moves=1) == first
    assert cycle.step(second, 0, moves=1, rollout="y").overruled
    cycle.step(second, 1, first.moves)
    assert cycle.step(second, 0, moves=1) == first
    assert cycle.weights == {1: 50, 2: 50} and cycle.registry.routes.get("m").moves == 3


def test_two_deliveries_at_once_make_one_move(cycle: Cycle) -> None:
    cycle.live()
    second = cycle.staged()
    cycle.table.meanwhile = lambda: cycle.step(second, 0, moves=1)
    assert cycle.step(second, 0, moves=1).weight == 10
    assert cycle.registry.routes.get("m").moves == 2


def test_an_execution_without_the_number_of_its_move_continues_by_its_share(cycle: Cycle) -> None:
    cycle.live()
    second = cycle.staged()
    weights = [cycle.step(second, step, None, rollout="").weight for step in (0, 1, 1, 2)]
    assert weights == [10, 50, 50, 100]
    cycle.live()
    assert cycle.step(second, 1, None, rollout="").overruled


def test_a_new_rollout_continues_from_the_share_of_a_dead_one(cycle: Cycle) -> None:
    cycle.live()
    second = cycle.staged()
    half = cycle.step(second, 1, cycle.step(second, 0, moves=1).moves)
    moves, weights = half.moves, []
    for step in range(3):
        deployed = cycle.step(second, step, moves, rollout="y")
        moves = deployed.moves
        weights.append(deployed.weight)
    assert weights == [50, 50, 100] and deployed.done and not deployed.overruled


def test_a_withdrawal_undoes_only_what_its_rollout_has_moved(cycle: Cycle) -> None:
    cycle.live()
    cycle.step(cycle.staged(), 0, moves=1, rollout="x")
    cycle.registry.routes.roll_back("m", "ann")
    cycle.step(2, 0, moves=3, rollout="y")
    ended = RolloutEnded(model="m", version=2, rollout="x")
    assert not withdraw(ended, registry=cycle.registry).put_back
    assert not withdraw(RolloutEnded(model="m", version=1, rollout="y"), registry=cycle.registry).put_back
    assert cycle.weights == {1: 90, 2: 10}
    assert withdraw(RolloutEnded(model="m", version=2, rollout="y"), registry=cycle.registry).put_back
    assert cycle.weights == {1: 100}


def test_a_withdrawal_after_a_concurrent_rollback_changes_nothing(cycle: Cycle) -> None:
    cycle.live(2)
    cycle.step(cycle.staged(), 0, moves=2)
    cycle.table.meanwhile = lambda: cycle.decide("rollback", 1)
    assert not withdraw(RolloutEnded(model="m", version=3, rollout="x"), registry=cycle.registry).put_back
    assert cycle.weights == {1: 100}


def test_the_reason_of_a_promotion_is_in_the_moves_that_it_starts(cycle: Cycle) -> None:
    cycle.live()
    cycle.decide("promote", cycle.staged(), why="the audit is done")
    (message,) = cycle.flows.started.values()
    assert message["moves"] == 1
    deploy(
        DeployRequest.from_event(message | {"rollout": "x"}),
        registry=cycle.registry,
        artifacts=cycle.store,
        policies=deployed_shelf(),
    )
    move = cycle.registry.routes.moves("m")[0]
    assert (move.by, move.why) == ("ann", "rollout, step 1 of 3: the audit is done")


def test_the_screen_does_not_claim_a_rollout_that_did_not_start(cycle: Cycle) -> None:
    cycle.live()
    decided = cycle.decide("promote", 1)
    assert not cycle.flows.started
    screen = decided_text(decided)
    assert "m:1 was not changed." in screen and "it already has all the traffic" in screen and "rollout" not in screen


def test_promoting_a_version_during_its_own_rollout_starts_no_second_one(cycle: Cycle) -> None:
    cycle.live()
    number = cycle.staged()
    cycle.flows.started["m-v2-r"] = {}
    request = DeployRequest(model="m", version=number, actor="run r", rollout="m-v2-r")
    deploy(request, registry=cycle.registry, artifacts=cycle.store, policies=deployed_shelf())
    decided = cycle.decide("promote", number)
    assert decided.note == "its rollout is running, and has given it 10 % of the traffic so far"
    assert list(cycle.flows.started) == ["m-v2-r"]


def test_no_traffic_moves_to_a_version_whose_artifacts_are_gone(cycle: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    cycle.live()
    for number in (cycle.staged(), cycle.staged()):
        cycle.registry.routes.promote("m", number, 100, "run r")
    waiting = cycle.staged()
    gone = {2, waiting}

    # the package exports a function of the module's name
    module = sys.modules["modelcycle.govern.decide"]
    monkeypatch.setattr(module, "artifacts_exist", lambda one, artifacts: one.version not in gone)
    for decision, version in (("promote", waiting), ("rollback", 2)):
        with pytest.raises(NotAllowed, match=f"the artifacts of version {version} are gone") as refused:
            cycle.decide(decision, version)
        assert status_of(refused.value) == REFUSED
    assert "name one that was live: 1 (retired)" in refused.value.remedy
    assert not cycle.flows.started
    assert cycle.decide("rollback").version == 1, "past the one that is gone"


def test_a_store_that_does_not_answer_holds_up_no_rollback() -> None:
    class Silent(MemoryStore):
        def missing(self, artifacts: Any) -> Any:
            raise Transient("S3 did not answer")

    assert artifacts_exist(SimpleNamespace(essentials=()), Silent())  # type: ignore[arg-type]
