"""Queries of the registry on DynamoDB (moto): all records, in order, from a start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from modelcycle.registry import Registry, RunRecord, Standing, Write
from tests.integration.test_registry import registry, run, version

__all__ = ["registry"]  # the fixture
AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_runs_since_a_moment_are_all_there(registry: Registry) -> None:
    for hour in range(80):
        at = AT + timedelta(hours=hour)
        started = run(f"{at:%Y%m%dT%H%M%S}000-abcd").model_copy(update={"started_at": at})
        body = RunRecord(run=started).model_dump(mode="json")
        registry.table.write(Write("RUN#m", f"RUN#{started.run_id}", body))
    registry.table.write(Write("STATE#m", "STATE#00000001", {}), Write("RUN#m", "LEASE", {}))
    records = registry.runs.since("m", AT + timedelta(hours=10))
    assert [record.run.started_at for record in records] == [AT + timedelta(hours=hour) for hour in range(79, 9, -1)]
    assert len(registry.runs.latest("m")) == 80
    assert registry.runs.since("m", AT + timedelta(days=30)) == []


def test_every_version_has_its_standing(registry: Registry) -> None:
    for number in range(1, 71):
        standing = Standing(state="retired", at=AT, by="test", why=str(number))
        registry.table.write(
            Write("STATE#m", f"STATE#{number:08d}", standing.model_dump(mode="json")),
            Write(
                "VERSION#m", f"VERSION#{number:08d}",
                version().model_copy(update={"version": number}).model_dump(mode="json"),
            ),
        )  # fmt: skip
    assert [made.version for made in registry.versions.all("m")] == list(range(70, 0, -1))
    standings = registry.standings.all("m")
    assert {number: standing.why for number, standing in standings.items()} == {n: str(n) for n in range(1, 71)}


def test_a_result_is_replaced_by_the_writer_that_read_it_last(registry: Registry) -> None:
    results = registry.results
    old, new, other = {"n": 1}, {"n": 2}, {"n": 3}
    assert results.keep("m", "collect", "f", old) == old
    assert results.keep("m", "collect", "f", new) == old
    assert results.keep("m", "collect", "f", new, replaces=old) == new
    assert results.keep("m", "collect", "f", other, replaces=old) == new
    assert results.get("m", "collect", "f") == new
