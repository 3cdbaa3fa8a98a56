"""The chain of a model's audit trail: no gap, no double number, whatever is raced, killed or delivered twice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelcycle.faults import Raced, Throttled
from modelcycle.registry import Entry, Record, Registry, Write, audit, keys
from modelcycle.registry.chain import BEFORE_THE_FIRST, adopted, digest, entry_hash
from tests.fakes import MemoryTable
from tests.permission_tables import documented

WRITERS = 50


@pytest.fixture
def registry() -> Registry:
    return Registry(MemoryTable())


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit.time, "sleep", lambda seconds: None)


def entry(why: str = "") -> Entry:
    return Entry(subject="run r", decision="passed", by="policy", why=why)


def chain(registry: Registry, model: str = "m") -> list[dict[str, Any]]:
    """Return the entries by number, each checked against the one before, and the last one against the head."""
    records = registry.table.query(*keys.audit_entries(model))
    bodies = sorted((record.body for record in records), key=lambda body: body["number"])
    previous = BEFORE_THE_FIRST
    for number, body in enumerate(bodies, 1):
        assert (body["number"], body["previous"], body["hash"]) == (number, previous, entry_hash(body))
        previous = body["hash"]
    assert registry.audit.head(model).model_dump() == {"number": len(bodies), "hash": previous}
    return bodies


def test_fifty_writers_at_once_leave_no_gap_and_no_double_number(registry: Registry) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda number: registry.audit.add("m", f"RUN#{number}#govern", entry()), range(WRITERS)))
    assert len(chain(registry)) == WRITERS


def test_fifty_deliveries_of_one_decision_are_one_entry(registry: Registry) -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda number: registry.audit.add("m", "RUN#r#govern", entry(str(number))), range(WRITERS)))
    assert len(chain(registry)) == 1


def test_models_have_chains_of_their_own(registry: Registry) -> None:
    for model in ("a", "b", "a"):
        registry.audit.add(model, f"RUN#{time.monotonic_ns()}#govern", entry())
    assert (len(chain(registry, "a")), len(chain(registry, "b"))) == (2, 1)


class BusyTable(MemoryTable):
    """Others write a decision between each read of the chain's end and the write that follows."""

    others = 0

    def write(self, *writes: Write) -> None:
        head = self.records.get(keys.audit_head("m"))
        if self.others and head is not None:
            self.others -= 1
            self.records[keys.audit_head("m")] = Record(*keys.audit_head("m"), head.body, head.revision + 1)
        super().write(*writes)


def test_a_change_is_not_outdated_by_another_decision_about_the_model() -> None:
    table = BusyTable()
    registry = Registry(table)
    registry.audit.add("m", "RUN#a#govern", entry())
    table.others = 7
    unit = registry.unit_of_work("m")
    unit.put(Write(*keys.state("m", 1), {"state": "staged"}))
    unit.audit("STATE#00000001#1", entry())
    unit.commit()
    assert table.others == 0 and len(chain(registry)) == 2


def test_a_change_whose_record_others_have_changed_is_outdated_and_leaves_nothing(registry: Registry) -> None:
    registry.table.write(Write(*keys.state("m", 1), {"state": "live"}))
    registry.audit.add("m", "RUN#a#govern", entry())
    unit = registry.unit_of_work("m")
    unit.put(Write(*keys.state("m", 1), {"state": "staged"}))
    unit.audit("STATE#00000001#1", entry())
    with pytest.raises(Raced):
        unit.commit()
    assert len(chain(registry)) == 1


def test_a_chain_that_never_stands_still_is_told_and_not_taken_for_a_repeated_decision() -> None:
    table = BusyTable()
    registry = Registry(table)
    registry.audit.add("m", "RUN#a#govern", entry())
    table.others = 10**6
    with pytest.raises(Throttled, match="many decisions about the model"):
        registry.audit.add("m", "RUN#b#govern", entry())
    assert not registry.audit.has("m", "RUN#b#govern")


class KilledTable(MemoryTable):
    """The process dies before or after its write reaches the table."""

    dies: str = ""

    def write(self, *writes: Write) -> None:
        if self.dies != "before":
            super().write(*writes)
        if self.dies:
            raise KeyboardInterrupt


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_decision_whose_process_is_killed_is_written_once_when_it_comes_again(moment: str) -> None:
    table = KilledTable()
    registry = Registry(table)
    registry.audit.add("m", "RUN#a#govern", entry())
    table.dies = moment
    with pytest.raises(KeyboardInterrupt):
        registry.audit.add("m", "RUN#b#govern", entry())
    table.dies = ""
    registry.audit.add("m", "RUN#b#govern", entry())
    assert len(chain(registry)) == 2


def test_an_entry_holds_the_hashes_of_the_governed_records_written_with_it(registry: Registry) -> None:
    state, route, lease = {"state": "live"}, {"weights": {1: 100}}, {"run_id": "r"}
    unit = registry.unit_of_work("m")
    unit.put(Write(*keys.state("m", 1), state), Write(*keys.route("m"), route), Write(*keys.lease("m"), lease))
    unit.announce("VersionPromoted", version=1)
    unit.audit("STATE#00000001#1", entry())
    unit.commit()
    (body,) = chain(registry)
    assert body["records"] == {
        "STATE#m|STATE#00000001": digest(state), "ROUTE#m|ROUTE": digest({"weights": {"1": 100}}),
    }  # fmt: skip


def test_two_decisions_of_one_change_are_two_entries_in_a_row(registry: Registry) -> None:
    unit = registry.unit_of_work("m")
    unit.put(Write(*keys.state("m", 1), {}))
    unit.audit("RUN#a#ended", entry())
    unit.audit("RUN#b#started", entry())
    unit.commit()
    first, second = chain(registry)
    assert (first["name"], second["name"], first["records"]) == ("RUN#a#ended", "RUN#b#started", {})
    assert list(second["records"]) == ["STATE#m|STATE#00000001"]


def test_the_first_chained_entry_commits_to_all_entries_from_before_the_chain(registry: Registry) -> None:
    older = {f"AUDIT#RUN#{run}#govern": entry(run).model_dump(mode="json", exclude=audit.CHAINED) for run in "ba"}
    registry.table.write(*(Write("AUDIT#m", name, body) for name, body in older.items()))
    registry.audit.add("m", "RUN#c#govern", entry())
    registry.audit.add("m", "RUN#d#govern", entry())
    first, second = (
        record.body for record in registry.table.query(*keys.audit_entries("m")) if "number" in record.body
    )
    assert first["older"] == digest(sorted([name, digest(body)] for name, body in older.items()))
    assert (first["number"], second["number"], "older" in second) == (1, 2, False)
    assert len(registry.audit.all("m")) == 4


def test_entries_of_an_earlier_release_that_ran_again_are_taken_in_once(registry: Registry) -> None:
    unnumbered(registry, "a", "2026-01-01T00:00:00Z")
    registry.audit.add("m", "RUN#b#govern", entry())
    assert registry.audit.adopt("m") == 0
    for run, at in (("c", "2099-01-01T00:00:00Z"), ("d", "2099-01-01T00:00:00.5Z")):
        unnumbered(registry, run, at)
    assert (registry.audit.adopt("m"), registry.audit.adopt("m")) == (2, 0)
    unnumbered(registry, "e", "2099-01-02T00:00:00Z")
    assert registry.audit.adopt("m", datetime.now(UTC) + timedelta(days=4)) == 0, "no deployment takes so long"
    assert (registry.audit.adopt("m"), registry.audit.head("m").number) == (1, 3)
    taken = adopted(record.body for record in registry.table.query(*keys.audit_entries("m")))
    assert taken.keys() == {f"AUDIT#RUN#{run}#govern" for run in "cde"}


@pytest.mark.parametrize("at", ["2099-01-01T00:00:00Z", "2026-01-01T00:00:00Z"])
def test_of_a_model_that_is_younger_than_the_chain_nothing_is_taken_in(registry: Registry, at: str) -> None:
    registry.audit.add("m", "RUN#b#govern", entry())
    unnumbered(registry, "c", at)
    assert (registry.audit.adopt("m"), registry.audit.head("m").number) == (0, 1)


@pytest.mark.parametrize("at", ["2025-01-01T00:00:00Z", "never", None])
def test_an_entry_that_was_added_among_the_older_ones_is_never_taken_in(registry: Registry, at: str | None) -> None:
    unnumbered(registry, "a", "2026-01-01T00:00:00Z")
    registry.audit.add("m", "RUN#b#govern", entry())
    unnumbered(registry, "c", at)
    unnumbered(registry, "d", "2099-01-01T00:00:00Z")
    assert (registry.audit.adopt("m"), registry.audit.head("m").number) == (0, 1)


def unnumbered(registry: Registry, run: str, at: str | None) -> None:
    """Write an entry as releases before the chain did."""
    body = entry(run).model_dump(mode="json", exclude=audit.CHAINED) | {"at": at}
    registry.table.write(Write("AUDIT#m", f"AUDIT#RUN#{run}#govern", body))


@pytest.mark.parametrize("why", ['a "quote"\nand a line', "ünï 🦉", "\x00", "\ud800", "x" * 100_000, ""])
def test_any_text_is_chained(registry: Registry, why: str) -> None:
    registry.audit.add(
        "m", "RUN#a#govern", Entry(subject="", decision="", by="", why=why, evidence={"n": float("inf")})
    )
    assert len(chain(registry)) == 1


def functions_that_write_the_trail() -> list[str]:
    return [name for name, allowed in documented("Records").items() if "AUDIT" in allowed.writes]


@pytest.mark.parametrize("function", functions_that_write_the_trail())
def test_who_writes_the_trail_may_read_its_end_and_the_entries_from_before_the_chain(function: str) -> None:
    allowed = documented("Records")[function]
    assert "AUDIT" in allowed.reads and "AUDIT" in allowed.lists
