"""Traffic that people move on the local cloud: each command in a process of its own, through the signed API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local import cloud as local
from modelcycle.registry import DynamoTable, Registry
from modelcycle.store import S3Store
from tests.e2e.conftest import Place
from tests.e2e.watch import Watch, until

MODEL = "moved-plums"
COMMAND = [str(Path(sys.executable).with_name("modelcycle"))]


@pytest.fixture(scope="module")
def plums(cloud: local.Cloud) -> Watch:
    """Four versions of one model, the fourth live; three of them are copies, registered and promoted one by one."""
    watch = Watch(cloud, MODEL)
    watch.pipeline("rollout: {steps: [20, 100], wait_minutes: 0}\n")
    watch.upload("first.csv")
    watch.settled()
    watch.live()
    for content in ("second", "third", "fourth", "waiting"):
        copied(watch, content)
    records(watch).standings.move(MODEL, 5, "awaiting_approval", "run r")
    return watch


def records(watch: Watch) -> Registry:
    """The registry as the functions write it; an operator may only read it."""
    return Registry(DynamoTable(watch.cloud.admin.client("dynamodb"), watch.cloud.outputs["RegistryTable"]))


def copied(watch: Watch, content: str, **differs: Any) -> int:
    """Another version that serves what the first one does, staged."""
    registry = records(watch)
    draft = registry.versions.get(MODEL, 1).model_copy(update=differs)
    number = registry.versions.register(draft, content)[0].version
    registry.standings.move(MODEL, number, "staged", "run r")
    return number


@pytest.fixture
def start(real_place: Place) -> Any:
    def started(*words: str) -> subprocess.Popen[str]:
        home = {"MODELCYCLE_HOME": str(real_place.home), "MODELCYCLE_PORT": str(real_place.port)}
        return subprocess.Popen(
            [*COMMAND, *words, "--json"], env=os.environ | home, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return started


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    out, err = process.communicate(timeout=60)
    assert out, err
    return process.returncode, json.loads(out)


def test_people_move_traffic_and_every_move_is_on_record_once(plums: Watch, start: Any) -> None:
    for version in (2, 3, 4):
        status, _ = ended(start("promote", f"{MODEL}:{version}", "--why", "better"))
        assert status == 0
        until(lambda: plums.registry.routes.get(MODEL).weights == {version: 100}, 30)  # noqa: B023
    assert [move.why for move in plums.registry.routes.moves(MODEL, 2)] == [
        "rollout, step 2 of 2: better", "rollout, step 1 of 2: better",
    ]  # fmt: skip

    status, told = ended(start("promote", f"{MODEL}:5"))
    assert (status, told["error"]) == (3, "NotAllowed") and f"modelcycle approve {MODEL}:5" in told["remedy"]
    status, told = ended(start("rollback", f"{MODEL}:5"))
    assert status == 3 and "was never live" in told["detail"]

    told = [ended(process) for process in [start("rollback", MODEL, "--why", "wrong") for _ in range(4)]]
    assert {(status, answer["version"]) for status, answer in told} == {(0, 3)}
    assert sorted(bool(answer["note"]) for _, answer in told) == [False, True, True, True]
    assert plums.registry.routes.get(MODEL).weights == {3: 100}

    assert ended(start("rollback", MODEL))[1]["version"] == 2
    decisions = [entry.decision for entry in plums.registry.audit.all(MODEL)]
    assert (decisions.count("promote"), decisions.count("rollback")) == (3, 2)


def test_a_rollout_that_is_aborted_is_taken_back_and_its_version_may_be_staged_again(plums: Watch) -> None:
    body = b'name: moved-plums\ntarget: "is it, sour?"\nrollout: {steps: [20, 100], wait_minutes: 60}\n'
    bucket = plums.cloud.outputs["ArtifactBucket"]
    slow = S3Store(plums.cloud.admin.client("s3"), bucket).put(f"{MODEL}/runs/slow/claim/pipeline.yaml", body)
    before, states = plums.registry.routes.get(MODEL).weights, plums.client("stepfunctions")
    number = copied(plums, "slow", pipeline=slow)
    # as a lifecycle from before `moves` starts it
    arn = plums.cloud.admin.client("stepfunctions").start_execution(
        stateMachineArn=plums.cloud.outputs["RolloutArn"], name=f"{MODEL}-v{number}-slow",
        input=json.dumps({"model": MODEL, "version": number, "step": 0, "actor": "run r"}),
    )["executionArn"]  # fmt: skip
    until(lambda: plums.registry.routes.get(MODEL).weights.get(number) == 20, 30)
    states.stop_execution(executionArn=arn)
    until(lambda: plums.registry.routes.get(MODEL).weights == before, 30)
    standing = plums.registry.standings.get(MODEL, number)
    assert (standing.state, standing.by, standing.final) == ("rolled_back", "rollout", False)
    assert records(plums).standings.move(MODEL, number, "staged", "run s").state == "staged"
