"""A stop or a kill, and the next start: interrupted executions are ended, and recorded events reach the bus."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import NamedTuple

import pytest

from infra.local.emulator import process
from infra.local.emulator.process import StopResult
from infra.local.emulator.status import running_emulator
from modelcycle.registry import DynamoTable, Registry
from modelcycle.registry.events import event_write
from tests.e2e.conftest import ROOT
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.restartable_cloud import RUN_SECONDS, RestartableCloud
from tests.e2e.signed_request import predict

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of functions in /proc")
SLOW_ROLLOUT = "rollout: {steps: [10, 100], wait_minutes: 60}\n"


@pytest.fixture(scope="module")
def live(restartable: RestartableCloud) -> ObservedModel:
    """A live model without cooldown between retrainings; none of its executions is in progress."""
    model = restartable.model("live-plums")
    model.put_pipeline("retraining: {cooldown_hours: 0}\n")
    model.upload("plums.csv")
    model.wait_for_runs(seconds=RUN_SECONDS)
    model.wait_until_live(seconds=60)
    return model


def test_what_was_answered_just_before_a_stop_is_captured(restartable: RestartableCloud, live: ObservedModel) -> None:
    row = {"=weight (g)": 30, "größe": 9, 'the "kind"': "Mirabelle", "picked.on": "2025-07-01", "washed/peeled": None}
    cloud = restartable.cloud
    answered = {prediction_id for _ in range(7) for prediction_id in predict(cloud, live.name, [row])["prediction_ids"]}
    restartable.stop_and_start()
    s3, bucket = restartable.cloud.admin.client("s3"), restartable.cloud.outputs["DataBucket"]

    def captured() -> set[str]:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"captures/model={live.name}/").get("Contents", [])
        bodies = [s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed]
        return {json.loads(line)["prediction_id"] for body in bodies for line in body.splitlines()}

    assert wait_for(lambda: answered <= captured(), 20)


class Restart(NamedTuple):
    """One restart, and the models with something in progress before it.

    Parameters
    ----------
    stopped : what `down` returned; None after a kill
    interrupted : its run had entered Train
    early : its run had not begun
    degraded : its degradation was recorded, and not relayed yet
    runs : number of runs of `degraded` before the restart
    """

    stopped: StopResult | None
    interrupted: ObservedModel
    early: ObservedModel
    degraded: ObservedModel
    runs: int


@pytest.fixture(scope="module", params=["kill", pytest.param("down", marks=pytest.mark.delivery)])
def restart(request: pytest.FixtureRequest, restartable: RestartableCloud, live: ObservedModel) -> Restart:
    way, runs = request.param, len(restartable.model(live.name).runs())
    enable_relay(restartable, enabled=False)
    table = DynamoTable(restartable.cloud.admin.client("dynamodb"), restartable.cloud.outputs["RegistryTable"])
    table.write(event_write("ModelDegraded", live.name, reason="a test says so"))
    interrupted = restartable.model(f"interrupted-{way}-plums")
    early = restartable.model(f"early-{way}-plums")
    for model in (interrupted, early):
        model.put_pipeline()
    interrupted.upload("plums.csv")
    interrupted.wait_for_state("Train", RUN_SECONDS)
    hold_claims(restartable, held=True)  # or `early` may begin before the cloud has stopped
    early.upload("plums.csv")
    wait_for(early.executions, 10)
    restartable.save()
    stopped = restartable.stop_and_start() if way == "down" else restartable.kill_and_start()
    hold_claims(restartable, held=False)
    enable_relay(restartable, enabled=True)
    return Restart(stopped, *(restartable.model(model.name) for model in (interrupted, early, live)), runs)


def test_a_run_that_a_stop_interrupts_has_failed_on_every_screen(
    restartable: RestartableCloud, restart: Restart
) -> None:
    name = restart.interrupted.name
    (record,) = restart.interrupted.runs()
    assert record.state == "failed"
    assert "the local cloud was stopped during the run" in record.reason
    if restart.stopped:
        assert {text.partition(":")[0] for text in restart.stopped.interrupted} == {"modelcycle-lifecycle"}
    screens = [
        screen(restartable, "runs", name),
        screen(restartable, "show", name, "--run", record.run.run_id),
        screen(restartable, "runs", name, "--follow", record.run.run_id),
    ]
    for text in screens:
        assert "stopped during the run" in text
        assert "continues" not in text
    line = next(line for line in screen(restartable, "models").splitlines() if name in line)
    assert "failed" in line


def test_a_run_that_had_not_begun_begins_after_a_restart(restart: Restart) -> None:
    record = restart.early.wait_for_runs(seconds=RUN_SECONDS)[0]
    assert record.state == "deployed", record.reason


def test_a_degradation_that_was_not_relayed_before_a_stop_is_relayed_after_it(restart: Restart) -> None:
    newest = restart.degraded.wait_for_runs(restart.runs + 1, seconds=RUN_SECONDS)[0]
    assert newest.run.trigger.kind == "degraded"


def test_an_upload_during_a_run_starts_another_run_after_a_restart(restart: Restart) -> None:
    model = restart.interrupted
    model.upload("plums.csv")
    wait_for(lambda: len(model.runs()) == 2, 30)
    model.wait_for_state("EngineerFeatures", RUN_SECONDS)
    model.upload("late.csv", seed=2)
    newest, first, _ = model.wait_for_runs(3, seconds=RUN_SECONDS)
    assert (first.state, newest.run.trigger.kind) == ("deployed", "arrivals")


def test_a_run_whose_execution_no_longer_exists_is_ended_at_the_next_start(
    restartable: RestartableCloud, live: ObservedModel
) -> None:
    """As a cloud of an earlier version left it, which saved the registry without the execution."""
    model = restartable.model("lost-execution-plums")
    admin = restartable.cloud.admin
    registry = Registry(DynamoTable(admin.client("dynamodb"), restartable.cloud.outputs["RegistryTable"]))
    run = live.runs()[0].run
    lost = run.model_copy(update={"model": model.name, "execution": f"{run.execution}-lost"})
    registry.leases.claim(lost, None, None, lambda execution: True)
    restartable.save()
    restartable.stop_and_start()
    (record,) = restartable.model(model.name).runs()
    assert record.state == "failed"


@pytest.mark.delivery  # a minute and a half
def test_a_rollout_that_a_stop_interrupts_is_withdrawn(restartable: RestartableCloud, live: ObservedModel) -> None:
    model = restartable.model("slow-plums")
    model.put_pipeline(SLOW_ROLLOUT)
    model.upload("plums.csv")
    model.wait_for_runs(seconds=RUN_SECONDS)
    model.wait_until_live(seconds=60)
    model.upload("more.csv", count=900, seed=2)
    model.wait_for_runs(2, seconds=RUN_SECONDS)
    wait_for(lambda: model.weights() == {1: 90, 2: 10}, 60, lambda: str(model.weights()))
    stopped = restartable.stop_and_start()
    assert [text.partition(":")[0] for text in stopped.interrupted] == ["modelcycle-rollout"]
    model = restartable.model(model.name)
    assert model.weights() == {1: 100}

    again = {"model": model.name, "version": 2, "step": 0, "actor": "a test"}
    model.client("stepfunctions").start_execution(
        stateMachineArn=restartable.cloud.outputs["RolloutArn"], name="again-slow-plums", input=json.dumps(again)
    )
    wait_for(lambda: model.weights() == {1: 90, 2: 10}, 60, lambda: str(model.weights()))
    restartable.save()
    restartable.kill()
    # a second kill, while the start repairs what the first one interrupted
    emulator = process.start(restartable.site.home, restartable.site.port)
    os.kill(emulator.pid, signal.SIGKILL)
    wait_for(lambda: running_emulator(restartable.site.home) is None, 10)
    restartable.start()
    assert restartable.model(model.name).weights() == {1: 100}


def enable_relay(restartable: RestartableCloud, *, enabled: bool) -> None:
    """Let the relay read the table's stream, or not."""
    functions = restartable.cloud.admin.client("lambda")
    (mapping,) = (
        mapping for mapping in functions.list_event_source_mappings()["EventSourceMappings"]
        if ":dynamodb:" in mapping["EventSourceArn"]
    )  # fmt: skip
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)


def hold_claims(restartable: RestartableCloud, *, held: bool) -> None:
    """Have the cloud refuse every call of Claim, so that no run begins, or not."""
    functions = restartable.cloud.admin.client("lambda")
    names = (function["FunctionName"] for function in functions.list_functions()["Functions"])
    claim = next(name for name in names if "-Claim-" in name)
    if held:
        functions.put_function_concurrency(FunctionName=claim, ReservedConcurrentExecutions=0)
    else:
        functions.delete_function_concurrency(FunctionName=claim)


def screen(restartable: RestartableCloud, *words: str) -> str:
    """Return what a command prints on standard output and standard error."""
    result = subprocess.run(
        [sys.executable, "-m", "cli.main", *words], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"MODELCYCLE_HOME": str(restartable.site.home)},
    )  # fmt: skip
    return result.stdout + result.stderr
