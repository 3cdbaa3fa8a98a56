"""A stop and a start, in good order or by a kill: what was under way is ended, and what was told reaches the bus."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from infra.local import emulator
from modelcycle.registry import DynamoTable, Registry
from modelcycle.registry.events import event
from tests.e2e.conftest import ROOT
from tests.e2e.mortal import WITHIN, Mortal, reached
from tests.e2e.watch import Watch, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of functions in /proc")
RESTARTS: dict[str, Callable[[Mortal], Any]] = {"down": Mortal.stop_and_start, "kill": Mortal.kill_and_start}
SLOW_ROLLOUT = "rollout: {steps: [10, 100], wait_minutes: 60}\n"


@pytest.fixture(scope="module")
def told(mortal: Mortal) -> Watch:
    """A model that is live; nothing of it is under way."""
    watch = mortal.watch("told-plums")
    watch.pipeline()
    watch.upload("plums.csv")
    watch.settled(seconds=WITHIN)
    watch.live(seconds=60)
    return watch


@pytest.mark.parametrize("how", RESTARTS)
def test_an_upload_that_a_run_did_not_see_starts_another_after_a_restart(mortal: Mortal, told: Watch, how: str) -> None:
    mortal.save()
    RESTARTS[how](mortal)
    watch = mortal.watch(f"late-{how}-plums")
    watch.pipeline()
    watch.upload("first.csv")
    reached(watch, "EngineerFeatures")
    watch.upload("second.csv", seed=2)
    newest, first = watch.settled(runs=2, seconds=WITHIN)
    assert (first.state, newest.run.trigger.kind) == ("deployed", "arrivals")


@pytest.mark.parametrize("how", RESTARTS)
def test_a_degradation_that_was_not_relayed_before_a_stop_is_relayed_after_it(
    mortal: Mortal, told: Watch, how: str
) -> None:
    watch = mortal.watch(f"worse-{how}-plums")
    watch.pipeline()
    watch.upload("plums.csv")
    watch.settled(seconds=WITHIN)
    hold_back_the_relay(mortal, held=True)
    table = DynamoTable(mortal.cloud.admin.client("dynamodb"), mortal.cloud.outputs["RegistryTable"])
    table.write(event("ModelDegraded", watch.model, reason="a test says so"))
    mortal.save()
    RESTARTS[how](mortal)
    hold_back_the_relay(mortal, held=False)
    watch = mortal.watch(watch.model)
    assert watch.settled(runs=2, seconds=WITHIN)[0].run.trigger.kind == "degraded"


@pytest.mark.parametrize("how", RESTARTS)
def test_a_run_that_a_stop_cuts_off_is_failed_on_every_screen(mortal: Mortal, told: Watch, how: str) -> None:
    watch = mortal.watch(f"halved-{how}-plums")
    watch.pipeline()
    watch.upload("plums.csv")
    reached(watch, "Train")
    mortal.save()
    stopped = RESTARTS[how](mortal)
    watch = mortal.watch(watch.model)
    (record,) = watch.runs()
    assert record.state == "failed"
    assert "the local cloud was stopped in the middle of the run" in record.reason
    if how == "down":
        assert [name.partition(":")[0] for name in stopped.cut_off] == ["modelcycle-lifecycle"]
    runs, models = screen(mortal, "runs", watch.model), screen(mortal, "models")
    shown = screen(mortal, "show", watch.model, "--run", record.run.run_id)
    followed = screen(mortal, "runs", watch.model, "--follow", record.run.run_id)
    line = next(line for line in models.splitlines() if watch.model in line)
    assert "failed" in line and "running" not in line
    for told_of_it in (runs, shown, followed):
        assert "stopped in the middle of the run" in told_of_it
        assert "goes on" not in told_of_it
    watch.upload("plums.csv")
    assert watch.settled(runs=2, seconds=WITHIN)[0].state == "deployed"


def test_a_run_whose_execution_is_gone_is_ended_at_the_next_start(mortal: Mortal, told: Watch) -> None:
    """As a cloud of an earlier version left it, which saved the registry and not the execution."""
    watch = mortal.watch("gone-plums")
    admin = mortal.cloud.admin
    registry = Registry(DynamoTable(admin.client("dynamodb"), mortal.cloud.outputs["RegistryTable"]))
    run = told.runs()[0].run.model_copy(
        update={"model": watch.model, "execution": told.runs()[0].run.execution + "-gone"}
    )
    registry.runs.claim(run, None, None, lambda execution: True)
    mortal.save()
    mortal.stop_and_start()
    (record,) = mortal.watch(watch.model).runs()
    assert record.state == "failed"


@pytest.mark.parametrize("how", RESTARTS)
def test_a_run_that_had_not_begun_begins_after_a_restart(mortal: Mortal, told: Watch, how: str) -> None:
    watch = mortal.watch(f"early-{how}-plums")
    watch.pipeline()
    watch.upload("plums.csv")
    until(watch.executions, 10)
    mortal.save()
    RESTARTS[how](mortal)
    watch = mortal.watch(watch.model)
    assert watch.settled(seconds=WITHIN)[0].state == "deployed"


def test_a_canary_that_a_stop_cuts_off_is_withdrawn(mortal: Mortal, told: Watch) -> None:
    watch = mortal.watch("slow-plums")
    watch.pipeline(SLOW_ROLLOUT)
    watch.upload("plums.csv")
    watch.settled(seconds=WITHIN)
    watch.live(seconds=60)
    watch.upload("more.csv", count=900, seed=2)
    watch.settled(runs=2, seconds=WITHIN)
    until(lambda: weights(watch) == {1: 90, 2: 10}, 60, lambda: str(weights(watch)))
    stopped = mortal.stop_and_start()
    assert [name.partition(":")[0] for name in stopped.cut_off] == ["modelcycle-rollout"]
    watch = mortal.watch(watch.model)
    assert weights(watch) == {1: 100}

    again = {"model": watch.model, "version": 2, "step": 0, "actor": "a test"}
    watch.client("stepfunctions").start_execution(
        stateMachineArn=mortal.cloud.outputs["RolloutArn"], name="again-slow-plums", input=json.dumps(again)
    )
    until(lambda: weights(watch) == {1: 90, 2: 10}, 60, lambda: str(weights(watch)))
    mortal.save()
    mortal.kill()
    # killed once more in the middle of the repair
    running = emulator.start(mortal.place.home, mortal.place.port)
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: emulator.find(mortal.place.home) is None, 10)
    mortal.cloud = mortal.place.up()
    watch = mortal.watch(watch.model)
    assert weights(watch) == {1: 100}


def weights(watch: Watch) -> dict[int, int]:
    return watch.registry.routes.get(watch.model).weights


def hold_back_the_relay(mortal: Mortal, *, held: bool) -> None:
    """Let the relay see no record of the table's stream, or let it see them again."""
    functions = mortal.cloud.admin.client("lambda")
    (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=not held)


def screen(mortal: Mortal, *words: str) -> str:
    """What a command prints, on both outputs."""
    told = subprocess.run(
        [sys.executable, "-m", "cli.main", *words], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"MODELCYCLE_HOME": str(mortal.place.home)},
    )  # fmt: skip
    return told.stdout + told.stderr
