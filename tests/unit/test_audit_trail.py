"""The audit trail: a decision and its entry are written in one transaction, once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from modelcycle.faults import Raced
from modelcycle.registry import UnitOfWork, Write
from tests.unit.traffic_cycle import Cycle, Killed


def test_a_decision_is_not_written_without_its_audit_entry(cycle: Cycle) -> None:
    cycle.live()
    for pk, sk in (("ROUTE#m", "ROUTE"), ("STATE#m", "STATE#00000001")):
        unit = cycle.registry.unit_of_work("m")
        unit.put(Write(pk, sk, {}, 1))
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
        assert len(unit.decisions) == 1, [write.sk for write in unit.writes]
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
