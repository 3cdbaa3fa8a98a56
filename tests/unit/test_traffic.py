"""Moves of traffic: what is allowed, which decision has priority, and what is recorded."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cli import signing
from cli.console import REFUSED, status_of
from cli.screens.versions import decided_text
from modelcycle.deploy import deploy, withdraw
from modelcycle.faults import NotAllowed, Raced, Transient
from modelcycle.govern import artifacts_exist, decide
from modelcycle.govern.decision_request import parse_decision
from modelcycle.messages import Decision, Deployed, DeployRequest, RolloutEnded
from modelcycle.problems import problem
from modelcycle.registry import Entry, Registry, Standing, UnitOfWork, Version, Write
from modelcycle.registry.moves import SAME_ROLLBACK
from tests.fakes import MemoryStore, MemoryTable

CANARY = "name: m\ntarget: t\nrollout: {steps: [10, 50, 100], wait_minutes: 3}\n"


class ContendedTable(MemoryTable):
    """A table in which `meanwhile` runs just before the next move of the route is written."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], Any] | None = None

    def write(self, *writes: Write) -> None:
        if self.meanwhile and any(write.sk == "ROUTE" for write in writes):
            others, self.meanwhile = self.meanwhile, None
            others()
        super().write(*writes)


class Killed(BaseException):
    """The process died."""


class Flows:
    """State machines that remember what was started; with `dies`, the process is killed at a start."""

    def __init__(self, dies: bool = False) -> None:
        self.started: dict[str, dict[str, Any]] = {}
        self.dies = dies

    def is_running(self, execution: str) -> bool:
        return execution.rpartition(":")[2] in self.started

    def start(self, flow: str, name: str, message: dict[str, Any]) -> bool:
        if self.dies:
            raise Killed
        return self.started.setdefault(name, message) is message


class Cycle:
    """A model with versions to stage, roll out and decide about."""

    def __init__(self) -> None:
        self.table = ContendedTable()
        self.registry = Registry(self.table)
        self.store = MemoryStore()
        self.flows = Flows()

    def staged(self, state: str = "staged") -> int:
        pipeline = self.store.put("pipeline", CANARY.encode())
        names = ("onnx", "skops", "signature", "plan", "profile", "lineage", "card", "validation", "pipeline")
        draft = Version(
            model="m", version=0, run_id="r", created_at=datetime(2026, 1, 1, tzinfo=UTC), task="binary", opset=21,
            metric="accuracy", metrics={}, interval=(0, 1), data="d", code="c", **dict.fromkeys(names, pipeline),
        )  # fmt: skip
        number = self.registry.versions.register(draft, str(len(self.table.records)))[0].version
        path = {"registered": [], "refused": ["refused"], "rejected": ["staged", "awaiting_approval", "rejected"]}
        for state_on_the_way in path.get(state, ["staged"] if state == "staged" else ["staged", state]):
            self.registry.standings.move("m", number, state_on_the_way, "run r", "too slow")
        return number

    def live(self, versions: int = 1) -> None:
        for _ in range(versions):
            self.registry.routes.promote("m", self.staged(), 100, "run r")

    def step(self, version: int, step: int, moves: int | None, rollout: str = "x") -> Deployed:
        request = DeployRequest(model="m", version=version, step=step, moves=moves, rollout=rollout, actor="run r")
        return deploy(request, registry=self.registry, artifacts=self.store)

    def decide(self, name: str, version: int | None = None, by: str = "ann", **fields: Any) -> Any:
        decision = Decision.model_validate({"model": "m", "decision": name, "version": version, "by": by} | fields)
        return decide(decision, registry=self.registry, flows=self.flows, rollout="arn:stateMachine:rollout")

    @property
    def weights(self) -> dict[int, int]:
        return self.registry.routes.get("m").weights

    def state(self, version: int) -> str:
        return self.registry.standings.get("m", version).state

    def audited(self, *decisions: str) -> list[Entry]:
        return [entry for entry in self.registry.audit.all("m") if entry.decision in decisions]


@pytest.fixture
def cycle() -> Cycle:
    return Cycle()


# decisions of people have priority over rollouts


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
    deploy(DeployRequest.from_event(message | {"rollout": "x"}), registry=cycle.registry, artifacts=cycle.store)
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
    deploy(request, registry=cycle.registry, artifacts=cycle.store)
    decided = cycle.decide("promote", number)
    assert decided.note == "its rollout is running, and has given it 10 % of the traffic so far"
    assert list(cycle.flows.started) == ["m-v2-r"]


def test_no_traffic_moves_to_a_version_whose_artifacts_are_gone(cycle: Cycle) -> None:
    cycle.live()
    for number in (cycle.staged(), cycle.staged()):
        cycle.registry.routes.promote("m", number, 100, "run r")
    waiting = cycle.staged()
    gone = {2, waiting}

    def decide_with(decision: Any, version: int | None = None) -> Any:
        return decide(
            Decision(model="m", decision=decision, version=version, by="ann"), registry=cycle.registry,
            flows=cycle.flows, rollout="arn:stateMachine:rollout", is_intact=lambda one: one.version not in gone,
        )  # fmt: skip

    for decision, version in (("promote", waiting), ("rollback", 2)):
        with pytest.raises(NotAllowed, match=f"the artifacts of version {version} are gone") as refused:
            decide_with(decision, version)
        assert status_of(refused.value) == REFUSED
    assert "name one that was live: 1 (retired)" in refused.value.remedy
    assert not cycle.flows.started
    assert decide_with("rollback").version == 1, "past the one that is gone"


def test_a_store_that_does_not_answer_holds_up_no_rollback() -> None:
    class Silent(MemoryStore):
        def missing(self, artifacts: Any) -> Any:
            raise Transient("S3 did not answer")

    assert artifacts_exist(SimpleNamespace(essentials=()), Silent())  # type: ignore[arg-type]


# decisions that a version's state does not allow


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


# rollbacks


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


# the audit trail


def test_a_decision_is_not_written_without_its_audit_entry(cycle: Cycle) -> None:
    cycle.live()
    for sk in ("ROUTE", "STATE#00000001"):
        unit = cycle.registry.unit_of_work("m")
        unit.put(Write("MODEL#m", sk, {}, 1))
        with pytest.raises(ValueError, match="a decision is written with its audit entry"):
            unit.commit()


def test_every_change_of_a_version_and_of_the_route_has_its_audit_entry_in_the_same_transaction(
    cycle: Cycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed: list[UnitOfWork] = []
    commit = UnitOfWork.commit
    monkeypatch.setattr(UnitOfWork, "commit", lambda unit: (committed.append(unit), commit(unit))[1])
    cycle.live()
    cycle.decide("approve", cycle.staged("awaiting_approval"))
    cycle.decide("reject", cycle.staged("awaiting_approval"))
    cycle.step(2, 0, moves=1)
    cycle.decide("rollback")
    for unit in committed:
        keys = [write.sk for write in unit.writes]
        assert sum(key.startswith("AUDIT#") for key in keys) == 1, keys
    in_units = [write for unit in committed for write in unit.writes]
    assert _decisions(cycle.table.written) == _decisions(in_units)
    assert [entry.decision for entry in cycle.audited("approve", "reject", "rollout", "rollback")] == [
        "rollback", "rollout", "reject", "approve", "rollout",
    ]  # fmt: skip


def test_a_decision_that_is_repeated_three_times_has_one_entry(cycle: Cycle) -> None:
    cycle.live()
    waiting, bad, good = cycle.staged("awaiting_approval"), cycle.staged("awaiting_approval"), cycle.staged()
    asked = datetime.now(UTC)
    for _ in range(3):
        cycle.decide("approve", waiting)
        cycle.decide("reject", bad)
        cycle.decide("promote", good)
    cycle.live()
    for _ in range(3):
        cycle.decide("rollback", asked_at=asked)
    for decision in ("approve", "reject", "promote", "rollback"):
        assert len(cycle.audited(decision)) == 1, decision


@pytest.mark.parametrize("decision", ["approve", "promote"])
def test_a_decision_whose_function_is_killed_before_its_rollout_starts_is_recorded_once(
    cycle: Cycle, decision: str
) -> None:
    version = cycle.staged("awaiting_approval" if decision == "approve" else "staged")
    cycle.flows.dies = True
    with pytest.raises(Killed):
        cycle.decide(decision, version)
    assert len(cycle.audited(decision)) == 1
    cycle.flows.dies = False
    cycle.decide(decision, version)
    assert len(cycle.audited(decision)) == 1 and len(cycle.flows.started) == 1


def test_a_decision_that_is_raced_leaves_no_entry(cycle: Cycle, monkeypatch: pytest.MonkeyPatch) -> None:
    version = cycle.staged("awaiting_approval")
    monkeypatch.setattr(cycle.table, "write", _raced)
    with pytest.raises(Raced):
        cycle.decide("reject", version)
    monkeypatch.undo()
    assert not cycle.audited("reject") and cycle.state(version) == "awaiting_approval"


def _raced(*writes: Write) -> None:
    raise Raced("another writer was faster", "m")


def _decisions(writes: list[Write]) -> list[Write]:
    """The writes that only a decision makes."""
    return [write for write in writes if write.sk.startswith(("ROUTE", "STATE#"))]


# which verdicts are final


def test_a_version_whose_rollout_died_may_be_staged_again_and_one_that_a_person_rolled_back_may_not(
    cycle: Cycle,
) -> None:
    cycle.live()
    cycle.step(cycle.staged(), 0, moves=1)
    assert withdraw(RolloutEnded(model="m", version=2, rollout="x"), registry=cycle.registry).put_back
    assert not cycle.registry.standings.get("m", 2).final
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
