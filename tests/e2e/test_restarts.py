"""A stop and a start, in good order or by a kill: what was under way is ended, and what was told reaches the bus."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import NamedTuple

import pytest

from infra.local import cloud as local
from infra.local import emulator
from modelcycle.registry import DynamoTable, Registry
from modelcycle.registry.events import event
from tests.e2e.conftest import ROOT
from tests.e2e.mortal import WITHIN, Mortal, reached
from tests.e2e.watch import Watch, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of functions in /proc")
SLOW_ROLLOUT = "rollout: {steps: [10, 100], wait_minutes: 60}\n"


@pytest.fixture(scope="module")
def told(mortal: Mortal) -> Watch:
    """A model that is live and trained again at each degradation; nothing of it is under way."""
    watch = mortal.watch("told-plums")
    watch.pipeline("retraining: {cooldown_hours: 0}\n")
    watch.upload("plums.csv")
    watch.settled(seconds=WITHIN)
    watch.live(seconds=60)
    return watch


class Scene(NamedTuple):
    """One restart, and what was under way at that moment: each model, by what had come of it."""

    stopped: local.Stopped | None
    halved: Watch  # its run had come as far as Train
    early: Watch  # its run had not begun
    degraded: Watch  # its degradation was on record, and not relayed
    runs: int  # of the degraded one


@pytest.fixture(scope="module", params=["down", "kill"])
def scene(request: pytest.FixtureRequest, mortal: Mortal, told: Watch) -> Scene:
    how, runs = request.param, len(mortal.watch(told.model).runs())
    hold_back_the_relay(mortal, held=True)
    table = DynamoTable(mortal.cloud.admin.client("dynamodb"), mortal.cloud.outputs["RegistryTable"])
    table.write(event("ModelDegraded", told.model, reason="a test says so"))
    halved, early = mortal.watch(f"halved-{how}-plums"), mortal.watch(f"early-{how}-plums")
    for watch in (halved, early):
        watch.pipeline()
    halved.upload("plums.csv")
    reached(halved, "Train")
    early.upload("plums.csv")
    until(early.executions, 10)
    mortal.save()
    stopped = mortal.stop_and_start() if how == "down" else mortal.kill_and_start()
    hold_back_the_relay(mortal, held=False)
    return Scene(stopped, *(mortal.watch(one.model) for one in (halved, early, told)), runs)


def test_a_run_that_a_stop_cuts_off_is_failed_on_every_screen(mortal: Mortal, scene: Scene) -> None:
    model = scene.halved.model
    (record,) = scene.halved.runs()
    assert record.state == "failed"
    assert "the local cloud was stopped during the run" in record.reason
    if scene.stopped:
        assert {name.partition(":")[0] for name in scene.stopped.cut_off} == {"modelcycle-lifecycle"}
    screens = [
        screen(mortal, "runs", model),
        screen(mortal, "show", model, "--run", record.run.run_id),
        screen(mortal, "runs", model, "--follow", record.run.run_id),
    ]
    for told_of_it in screens:
        assert "stopped during the run" in told_of_it
        assert "goes on" not in told_of_it
    line = next(line for line in screen(mortal, "models").splitlines() if model in line)
    assert "failed" in line


def test_a_run_that_had_not_begun_begins_after_a_restart(scene: Scene) -> None:
    assert scene.early.settled(seconds=WITHIN)[0].state == "deployed"


def test_a_degradation_that_was_not_relayed_before_a_stop_is_relayed_after_it(scene: Scene) -> None:
    newest = scene.degraded.settled(runs=scene.runs + 1, seconds=WITHIN)[0]
    assert newest.run.trigger.kind == "degraded"


def test_an_upload_that_a_run_did_not_see_starts_another_after_a_restart(scene: Scene) -> None:
    watch = scene.halved
    watch.upload("plums.csv")
    until(lambda: len(watch.runs()) == 2, 30)
    reached(watch, "EngineerFeatures")
    watch.upload("late.csv", seed=2)
    newest, first, _ = watch.settled(runs=3, seconds=WITHIN)
    assert (first.state, newest.run.trigger.kind) == ("deployed", "arrivals")


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
