"""A look asks for a run on new outcomes or new code, once a day, as the pipeline file of now says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from modelcycle.messages import Outcome, Run, Trigger
from modelcycle.model.labelled import Labelled
from modelcycle.model.slices import Slices
from modelcycle.monitor.wanted_runs import want_runs
from modelcycle.registry import Registry, RetrainingDecision, StartedRun, Version
from tests.fakes import MemoryStore, MemoryTable
from tests.unit.test_ends_and_decisions import Pipelines, staged

MADE = datetime(2026, 1, 1, tzinfo=UTC)  # as `staged` says
DAY = timedelta(days=1)


@pytest.fixture
def registry() -> Registry:
    registry = Registry(MemoryTable())
    staged(registry, MemoryStore(), "a")
    return registry


def known(*days: float) -> Labelled:
    """Predictions with an outcome, by days since the version was made."""
    n = len(days)
    slices = Slices([], [], np.zeros((0, n), dtype=np.int8))
    at = np.array([(MADE + day * DAY).timestamp() for day in days], dtype=np.float64)
    return Labelled(
        at=at, version=np.ones(n, dtype=np.int32), scores=np.zeros((n, 1), dtype=np.float32), outcome=np.zeros(n),
        slices=slices, groups=slices,
    )  # fmt: skip


def asked(
    registry: Registry, retraining: str, labelled: Labelled | None = None, code: str = "", days: float = 5
) -> list[str]:
    data = Pipelines(f"name: m\ntarget: t\nretraining: {{{retraining}}}\n")
    version: Version = registry.versions.get("m", 1)
    return want_runs(version, labelled, data, registry, code, MADE + days * DAY)


def put_start(registry: Registry, execution: str, at: datetime) -> None:
    start = StartedRun(at=at, kind="TrainingCodeChanged", execution=execution)
    decision = RetrainingDecision(request_id=execution, kind=start.kind, at=start.at, decision="started", why="")
    governor = registry.retrainings.governor("m")
    starts = governor.model_copy(update={"starts": [*governor.starts, start]})
    registry.retrainings.put("m", decision, starts)


def end_run(registry: Registry, execution: str, outcome: Outcome) -> None:
    run = Run(
        model="m", run_id=f"r-{execution[-1]}", execution=execution, started_at=MADE, trigger=Trigger(kind="code"),
        pipeline=MemoryStore().put("p", b""),
    )  # fmt: skip
    assert registry.leases.claim(run, None, None, lambda execution: False).outcome == "claimed"
    registry.leases.conclude(run, outcome, "")


def test_enough_new_outcomes_ask_for_a_run_once_a_day(registry: Registry) -> None:
    rows = known(-2, -1, 1, 2, 3)
    assert asked(registry, "new_rows: 4", rows) == []  # two are older than the version
    (said,) = asked(registry, "new_rows: 3", rows)
    assert "3 since 2026-01-01 00:00 UTC (retraining.new_rows: 3)" in said
    assert asked(registry, "new_rows: 3", rows, days=5.5) == []
    assert len(asked(registry, "new_rows: 3", rows, days=6)) == 1
    assert asked(registry, "", rows) == asked(registry, "new_rows: 3", None) == []


def test_new_training_code_asks_for_a_run(registry: Registry) -> None:
    (said,) = asked(registry, "on_code: true", code="b" * 64)
    assert "an earlier release, deployed is bbbbbbbb" in said
    first = datetime.now(UTC)
    assert len(asked(registry, "on_code: true", code="b" * 64)) == 1  # it may have been refused: again, once a day
    assert asked(registry, "on_code: true", code="b" * 64) == []
    for day, outcome in ((6, None), (7, "failed"), (8, "unchanged")):
        put_start(registry, f"arn:{day}", first + DAY)
        if outcome is not None:
            end_run(registry, f"arn:{day}", outcome)
        again = asked(registry, "on_code: true", code="b" * 64, days=day)
        assert len(again) == (outcome != "unchanged"), outcome  # folded or failed: tried no code
    assert asked(registry, "on_code: true", code="b" * 64, days=9) == []  # tried, whether it changed anything or not
    assert len(asked(registry, "on_code: true", code="d" * 64, days=9)) == 1
    assert asked(registry, "on_code: true", code="unknown") == asked(registry, "", code="c" * 64) == []


def test_a_pipeline_file_that_is_gone_or_broken_asks_for_nothing(registry: Registry) -> None:
    version = registry.versions.get("m", 1)
    for text in (None, "name: [", "name: m\n"):
        assert want_runs(version, known(1), Pipelines(text), registry, "x", MADE) == []
