"""Traffic that people move on the local cloud: each command in its own process, through the signed API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from modelcycle.registry import DynamoTable, Registry
from modelcycle.registry.table import Write
from modelcycle.store import S3Store
from tests.e2e.conftest import CloudSite
from tests.e2e.observed_model import ObservedModel, wait_for

MODEL = "moved-plums"
COMMAND = [str(Path(sys.executable).with_name("modelcycle"))]


@pytest.fixture(scope="module")
def plums(cloud: LocalCloud) -> ObservedModel:
    """Five versions of one model, of which the first is live, the next three are staged, and the last awaits approval.

    All but the first are copies of it.
    """
    model = ObservedModel(cloud, MODEL)
    unproven = "evidence: {minimum_rows: 20, patience_hours: 0}"  # it goes on without waiting for answers
    model.put_pipeline(f"rollout: {{steps: [20, 100], wait_minutes: 0, {unproven}}}\n")
    model.upload("first.csv")
    model.wait_for_runs()
    model.wait_until_live()
    for content in ("second", "third", "fourth", "waiting"):
        copy_version(model, content)
    writable_registry(model).standings.move(MODEL, 5, "awaiting_approval", "run r")
    return model


def writable_registry(model: ObservedModel) -> Registry:
    """Return the registry as root; the operator may only read it."""
    return Registry(DynamoTable(model.cloud.admin.client("dynamodb"), model.cloud.outputs["RegistryTable"]))


def copy_version(model: ObservedModel, content: str, **changes: Any) -> int:
    """Register and stage a version that serves the same as the first; return its number."""
    registry = writable_registry(model)
    draft = registry.versions.get(MODEL, 1).model_copy(update=changes)
    number = registry.versions.register(draft, content)[0].version
    registry.standings.move(MODEL, number, "staged", "run r")
    return number


@pytest.fixture
def start(project: CloudSite) -> Any:
    """Starts a command in its own process."""

    def start(*words: str) -> subprocess.Popen[str]:
        place = {"MODELCYCLE_HOME": str(project.home), "MODELCYCLE_PORT": str(project.port)}
        return subprocess.Popen(
            [*COMMAND, *words, "--json"], env=os.environ | place, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return start


def wait(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any]]:
    """Return the exit status and the JSON of a command."""
    out, err = process.communicate(timeout=60)
    assert out, err
    return process.returncode, json.loads(out)


def test_people_move_traffic_and_every_move_is_recorded_once(plums: ObservedModel, start: Any) -> None:
    for version in (2, 3, 4):
        status, _ = wait(start("promote", f"{MODEL}:{version}", "--why", "better"))
        assert status == 0
        wait_for(lambda: plums.weights() == {version: 100}, 30)  # noqa: B023
    assert [move.why for move in plums.registry.routes.moves(MODEL, 2)] == [
        "rollout, step 2 of 2: better", "rollout, step 1 of 2: better",
    ]  # fmt: skip

    status, answer = wait(start("promote", f"{MODEL}:5"))
    assert (status, answer["error"]) == (3, "NotAllowed") and f"modelcycle approve {MODEL}:5" in answer["remedy"]
    status, answer = wait(start("rollback", f"{MODEL}:5"))
    assert status == 3 and "was never live" in answer["detail"]

    answers = [wait(process) for process in [start("rollback", MODEL, "--why", "wrong") for _ in range(4)]]
    assert {(status, answer["version"]) for status, answer in answers} == {(0, 3)}
    assert sorted(bool(answer["note"]) for _, answer in answers) == [False, True, True, True]
    assert plums.weights() == {3: 100}

    assert wait(start("rollback", MODEL))[1]["version"] == 2
    decisions = [entry.decision for entry in plums.registry.audit.all(MODEL)]
    assert (decisions.count("promote"), decisions.count("rollback")) == (3, 2)


def test_a_version_that_nobody_approves_in_time_is_refused(plums: ObservedModel) -> None:
    standings = writable_registry(plums).standings
    standing, record = standings.read(MODEL, 5)
    waiting = standing.model_copy(update={"at": standing.at - timedelta(days=400)})
    standings.table.write(Write(*record.key, waiting.model_dump(mode="json"), record.revision))
    assert plums.invoke("Expire", models="all")["versions"] == [f"{MODEL}:5"]
    assert plums.registry.standings.get(MODEL, 5).state == "refused"


def test_a_rollout_that_is_aborted_is_withdrawn_and_its_version_may_be_staged_again(
    plums: ObservedModel, start: Any
) -> None:
    body = b'name: moved-plums\ntarget: "is it, sour?"\nrollout: {steps: [20, 100], wait_minutes: 60}\n'
    bucket = plums.cloud.outputs["ArtifactBucket"]
    slow = S3Store(plums.cloud.admin.client("s3"), bucket).put(f"{MODEL}/runs/slow/claim/pipeline.yaml", body)
    before = plums.weights()
    number = copy_version(plums, "slow", pipeline=slow)
    # the input from before it contained `moves`
    arn = plums.cloud.admin.client("stepfunctions").start_execution(
        stateMachineArn=plums.cloud.outputs["RolloutArn"], name=f"{MODEL}-v{number}-slow",
        input=json.dumps({"model": MODEL, "version": number, "step": 0, "actor": "run r"}),
    )["executionArn"]  # fmt: skip
    wait_for(lambda: plums.weights().get(number) == 20, 30)
    status, told = wait(start("promote", f"{MODEL}:{number}"))
    assert status == 0 and told["note"] and plums.weights().get(number) == 20, "its rollout goes on by itself"
    plums.client("stepfunctions").stop_execution(executionArn=arn)
    wait_for(lambda: plums.weights() == before, 30)
    standing = plums.registry.standings.get(MODEL, number)
    assert (standing.state, standing.by, standing.final) == ("rolled_back", "rollout", False)
    assert writable_registry(plums).standings.move(MODEL, number, "staged", "run s").state == "staged"
