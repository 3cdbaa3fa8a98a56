"""Decisions of people: those that a version's state does not allow, and which verdicts are final."""

from __future__ import annotations

import json

import pytest

from cli import signing
from cli.console import REFUSED, status_of
from modelcycle.deploy import withdraw
from modelcycle.faults import NotAllowed
from modelcycle.messages import RolloutEnded
from modelcycle.problems import problem
from modelcycle.registry import Standing
from tests.unit.traffic_cycle import Cycle


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("registered", "run again"), ("awaiting_approval", "`modelcycle approve m:2`"),
        ("refused", "run again"), ("rejected", "run again"),
    ],
)  # fmt: skip
def test_a_version_that_may_not_go_live_is_not_promoted_and_nothing_is_recorded(
    cycle: Cycle, state: str, remedy: str
) -> None:
    cycle.live()
    version, before = cycle.staged(state), len(cycle.table.written)
    for decision in ("promote", "rollback"):
        with pytest.raises(NotAllowed) as refused:
            cycle.decide(decision, version)
        assert state.replace("_", " ") in refused.value.what
        assert decision == "rollback" or remedy in refused.value.remedy
    assert len(cycle.table.written) == before and not cycle.flows.started
    status, body = problem(refused.value)
    fault = signing._fault(status, json.loads(body), "https://api")
    assert status_of(fault) == REFUSED and fault.remedy == refused.value.remedy


def test_a_version_that_was_approved_and_retired_since_cannot_be_approved(cycle: Cycle) -> None:
    version = cycle.staged("awaiting_approval")
    cycle.decide("approve", version)
    cycle.registry.routes.promote("m", version, 100, "ann")
    cycle.decide("approve", version)  # repeated: nothing more to do
    cycle.live()
    with pytest.raises(NotAllowed, match="retired: there is nothing to approve") as refused:
        cycle.decide("approve", version)
    assert "modelcycle promote m:1" in refused.value.remedy
    assert len(cycle.flows.started) == len(cycle.audited("approve")) == 1 and cycle.weights == {2: 100}


def test_a_second_approval_does_not_end_the_shadow_that_the_first_one_started(cycle: Cycle) -> None:
    cycle.live()
    version = cycle.staged("awaiting_approval")
    cycle.decide("approve", version)
    (rollout,) = cycle.flows.started
    cycle.registry.routes.shadow("m", version, "ann", rollout=rollout, step=0, expected_moves=1)
    decided = cycle.decide("approve", version)
    assert decided.note.endswith("it answers as a shadow, and has no traffic yet")
    assert list(cycle.flows.started) == [rollout] and len(cycle.audited("approve")) == 1
    cycle.flows.started.clear()  # it died: the same decision starts another one
    assert not cycle.decide("approve", version).note and cycle.flows.started


def test_a_version_that_does_not_wait_cannot_be_approved(cycle: Cycle) -> None:
    for state in ("staged", "registered", "refused", "rejected"):
        version = cycle.staged(state)
        with pytest.raises(NotAllowed, match="there is nothing to approve"):
            cycle.decide("approve", version)


def test_a_retired_version_that_a_run_makes_again_waits_for_approval_and_can_still_be_rolled_back_to(
    cycle: Cycle,
) -> None:
    cycle.live(2)
    cycle.registry.standings.move("m", 1, "awaiting_approval", "run r2")
    with pytest.raises(NotAllowed, match="awaiting approval and may not go live"):
        cycle.decide("promote", 1)
    assert cycle.decide("rollback").version == 1
    assert cycle.state(1) == "live"


def test_a_rollback_to_a_version_that_was_never_live_names_those_that_were(cycle: Cycle) -> None:
    cycle.live(3)
    with pytest.raises(NotAllowed, match="version 4 is staged and was never live") as refused:
        cycle.decide("rollback", cycle.staged())
    assert "1 (retired), 2 (retired), as in `modelcycle rollback m:2`" in refused.value.remedy
    assert cycle.weights == {3: 100}


def test_a_rollback_without_an_earlier_version_says_what_to_do_instead(cycle: Cycle) -> None:
    cycle.live()
    with pytest.raises(NotAllowed) as refused:
        cycle.decide("rollback", cycle.staged("awaiting_approval"))
    assert "`modelcycle approve m:2`" in refused.value.remedy


def test_a_rollback_does_not_finish_a_rollout(cycle: Cycle) -> None:
    cycle.live()
    cycle.step(cycle.staged(), 0, moves=1)
    with pytest.raises(NotAllowed, match="version 2 is being rolled out and has 10 %"):
        cycle.decide("rollback", 2)
    assert cycle.decide("rollback").version == 1


def test_a_version_with_all_traffic_needs_no_rollout(cycle: Cycle) -> None:
    cycle.live()
    assert cycle.decide("promote", 1).route == {1: 100}
    assert not cycle.flows.started and not cycle.audited("promote", "rollback")
    assert cycle.decide("rollback", 1).note == "it already has all the traffic"


def test_a_version_whose_rollout_died_may_be_staged_again_and_one_that_a_person_rolled_back_may_not(
    cycle: Cycle,
) -> None:
    cycle.live()
    cycle.step(cycle.staged(), 0, moves=1)
    assert withdraw(RolloutEnded(model="m", version=2, rollout="x"), registry=cycle.registry).put_back
    assert not cycle.registry.standings.get("m", 2).final
    assert "`modelcycle promote m:2` starts it again" in cycle.registry.routes.moves("m", 1)[0].why
    assert cycle.registry.standings.move("m", 2, "staged", "run r2").state == "staged"
    cycle.step(2, 0, moves=3, rollout="y")
    cycle.decide("rollback")
    assert cycle.registry.standings.get("m", 2).final
    with pytest.raises(NotAllowed, match="rolled back and may not be staged"):
        cycle.registry.standings.move("m", 2, "staged", "run r3")
    cycle.registry.standings.check("m", 2, "live")  # a person may promote it


@pytest.mark.parametrize(
    ("state", "by", "final"),
    [
        ("refused", "run r", False), ("rejected", "ann", True), ("rolled_back", "ann", True),
        ("rolled_back", "rollout", False), ("live", "run r", False),
    ],
)  # fmt: skip
def test_a_record_without_final_is_read_by_who_wrote_it(state: str, by: str, final: bool) -> None:
    old = {"state": state, "at": "2026-01-01T00:00:00Z", "by": by, "why": ""}
    assert Standing.model_validate(old).final is final
