"""What the registry is asked for in one piece, on DynamoDB (moto): all of it, in order, from where it is wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from modelcycle.registry import Registry, RunRecord, Standing, Write
from tests.integration.test_registry import registry, run, version

__all__ = ["registry"]  # the fixture
AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_runs_since_a_moment_are_all_there(registry: Registry) -> None:
    for hour in range(80):
        at = AT + timedelta(hours=hour)
        begun = run(f"{at:%Y%m%dT%H%M%S}000-abcd").model_copy(update={"started_at": at})
        body = RunRecord(run=begun).model_dump(mode="json")
        registry.table.write(Write("MODEL#m", f"RUN#{begun.run_id}", body))
    registry.table.write(Write("MODEL#m", "STATE#00000001", {}), Write("MODEL#m", "LEASE", {}))
    found = registry.runs.since("m", AT + timedelta(hours=10))
    assert [record.run.started_at for record in found] == [AT + timedelta(hours=hour) for hour in range(79, 9, -1)]
    assert len(registry.runs.latest("m")) == 80
    assert registry.runs.since("m", AT + timedelta(days=30)) == []


def test_every_version_has_its_standing(registry: Registry) -> None:
    for number in range(1, 71):
        standing = Standing(state="retired", at=AT, by="test", why=str(number))
        registry.table.write(
            Write("MODEL#m", f"STATE#{number:08d}", standing.model_dump(mode="json")),
            Write(
                "MODEL#m", f"VERSION#{number:08d}",
                version().model_copy(update={"version": number}).model_dump(mode="json"),
            ),
        )  # fmt: skip
    assert [one.version for one in registry.versions.all("m")] == list(range(70, 0, -1))
    standings = registry.versions.standings("m")
    assert {number: standing.why for number, standing in standings.items()} == {n: str(n) for n in range(1, 71)}


def test_a_result_is_replaced_by_whoever_saw_it_last(registry: Registry) -> None:
    runs = registry.runs
    old, new, other = {"n": 1}, {"n": 2}, {"n": 3}
    assert runs.keep_result("m", "collect", "f", old) == old
    assert runs.keep_result("m", "collect", "f", new) == old
    assert runs.keep_result("m", "collect", "f", new, instead_of=old) == new
    assert runs.keep_result("m", "collect", "f", other, instead_of=old) == new
    assert runs.result("m", "collect", "f") == new
