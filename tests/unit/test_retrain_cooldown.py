"""A degraded model is retrained once in its cooldown, however many other runs were started since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from modelcycle.messages import RetrainRequest, Run, Trigger
from modelcycle.registry import Registry, RunRecord, Write
from modelcycle.retrain import retrain
from tests.fakes import MemoryStore, MemoryTable
from tests.unit.test_ends_and_decisions import Flows, Pipelines

DEGRADED = RetrainRequest(model="m", kind="ModelDegraded", event_id="e-1")


@pytest.fixture
def registry() -> Registry:
    return Registry(MemoryTable())


def ran(registry: Registry, ago: timedelta, kind: str, execution: str = "") -> None:
    """Record a run, with an id as `claim` makes it."""
    at = datetime.now(UTC) - ago
    run_id = f"{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}-{kind[:4]}"
    run = Run(
        model="m", run_id=run_id, execution=execution or f"arn:{run_id}", started_at=at, trigger=Trigger(kind=kind),
        pipeline=MemoryStore().put("p", b""),
    )  # fmt: skip
    body = RunRecord(run=run, state="unchanged").model_dump(mode="json")
    registry.table.write(Write("RUN#m", f"RUN#{run_id}", body))


def asked(registry: Registry, hours: float = 24) -> str:
    pipelines = Pipelines(f"name: m\ntarget: t\nretraining: {{cooldown_hours: {hours}}}\n")
    return retrain(DEGRADED, lifecycle="arn", data=pipelines, runs=registry.runs, flows=Flows()).done


def test_a_cooldown_outlasts_any_number_of_uploads(registry: Registry) -> None:
    ran(registry, timedelta(hours=23), "degraded")
    for minute in range(120):
        ran(registry, timedelta(minutes=minute), "upload")
    assert asked(registry).startswith("cooling down")


@pytest.mark.parametrize(("ago", "hours", "done"), [
    (timedelta(hours=23, minutes=59), 24, "cooling down"), (timedelta(hours=24, minutes=1), 24, "started"),
    (timedelta(days=400), 1e300, "cooling down"), (timedelta(seconds=1), 0, "started"),
])  # fmt: skip
def test_a_cooldown_ends_when_the_pipeline_file_says(
    registry: Registry, ago: timedelta, hours: float, done: str
) -> None:
    ran(registry, ago, "degraded")
    assert asked(registry, hours).startswith(done)


@pytest.mark.parametrize(("execution", "done"), [
    ("arn:lifecycle:retrain-e-1", "was started before"), ("arn:lifecycle:retrain-e-11", "cooling down"),
    ("arn:lifecycle:other-retrain-e-1", "cooling down"),
])  # fmt: skip
def test_an_event_that_comes_again_after_its_run_has_begun_is_told_from_another(
    registry: Registry, execution: str, done: str
) -> None:
    ran(registry, timedelta(minutes=1), "degraded", execution)
    assert asked(registry).startswith(done)
