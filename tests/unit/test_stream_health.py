"""What `status` says of the stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cli.health.health import Health
from cli.health.streams import add_streams
from cli.place import Credentials, Place
from modelcycle.registry import Registry, Shard
from tests.fakes import MemoryTable


@pytest.mark.parametrize(("age", "problems"), [(timedelta(minutes=5), 1), (timedelta(days=2), 0)])
def test_a_record_that_was_kept_back_is_a_problem_for_a_day(
    monkeypatch: pytest.MonkeyPatch, age: timedelta, problems: int
) -> None:
    registry = Registry(MemoryTable())
    shard = Shard(landed={"m": 7}, newest={"m": datetime.now(UTC)}, kept_back={"is not JSON": 2},
                  kept_back_at=datetime.now(UTC) - age)  # fmt: skip
    registry.streams.claim_range("records", "queue", shard, 0)
    monkeypatch.setattr(Place, "registry", registry)
    monkeypatch.setattr("cli.health.streams._waiting_messages", lambda place, queue: ("nothing waits", False))
    health = Health("local", True)
    add_streams(Place("local", None, {"RecordQueue": "http://x/records"}, Credentials("", "")), health)  # type: ignore[arg-type]
    told = "2 records of the queue kept back: 2 is not JSON"
    assert len(health.problems) == problems
    assert told in (health.problems[0][0] if problems else dict(health.facts)["queue kept"])
