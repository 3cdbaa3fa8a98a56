"""Rollouts on the local cloud that go on, or go back, by what the version has answered."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from modelcycle.registry import DynamoTable, Registry
from tests.contract.rows import rows
from tests.e2e.observed_model import PIPELINE, UNHURRIED, ObservedModel, wait_for
from tests.e2e.signed_request import predict

MODEL = "judged-plums"
ROLLOUT = "rollout: {steps: [50, 100], wait_minutes: 0, evidence: {minimum_rows: 30}}\n"
TARGET = "is it, sour?"


@pytest.fixture(scope="module")
def plums(cloud: LocalCloud) -> ObservedModel:
    """A live version, and two staged copies of it."""
    model = ObservedModel(cloud, MODEL)
    body = PIPELINE.format(model=MODEL).replace("trials: 3", "trials: 3, refit: judged") + ROLLOUT + UNHURRIED
    model.client("s3").put_object(Bucket=cloud.outputs["DataBucket"], Key=f"pipelines/{MODEL}.yaml", Body=body.encode())
    model.upload("first.csv")
    (run,) = model.wait_for_runs()
    assert run.state == "deployed", run.reason
    model.wait_until_live()
    registry = Registry(DynamoTable(cloud.admin.client("dynamodb"), cloud.outputs["RegistryTable"]))
    for content in ("second", "third"):
        number = registry.versions.register(registry.versions.get(MODEL, 1), content)[0].version
        registry.standings.move(MODEL, number, "staged", "run r")
    return model


def roll_out(model: ObservedModel, version: int) -> None:
    """Start the rollout of a version, as `approve` does, and wait for its first step."""
    message = {"model": MODEL, "version": version, "step": 0, "actor": "ann", "why": "", "moves": moves(model)}
    model.client("stepfunctions").start_execution(
        stateMachineArn=model.cloud.outputs["RolloutArn"], name=f"{MODEL}-v{version}", input=json.dumps(message)
    )
    wait_for(lambda: model.weights().get(version) == 50, 60)


def moves(model: ObservedModel) -> int:
    return model.registry.routes.get(MODEL).moves


def instances(count: int, seed: int) -> list[dict[str, Any]]:
    table = csv.DictReader(io.StringIO(rows(count, seed)))
    return [{name: _value(name, text) for name, text in row.items() if name != TARGET} for row in table]


def _value(name: str, text: str) -> Any:
    return (float(text) if name in ("=weight (g)", "größe") else text) if text else None


def test_an_equal_version_gets_all_traffic_once_it_has_answered(plums: ObservedModel) -> None:
    roll_out(plums, 2)
    held = wait_for(lambda: plums.registry.judgements.of_version(MODEL, 2), 60)
    assert held[-1].judged.verdict == "hold" and "of at least 30 answers" in held[-1].judged.reason
    for seed in range(4):
        predict(plums.cloud, MODEL, instances(40, 100 + seed))
    wait_for(lambda: plums.weights() == {2: 100}, 120, lambda: str(plums.registry.judgements.of_version(MODEL, 2)))
    (judgement,) = plums.registry.judgements.of_version(MODEL, 2)
    rows_seen = {finding.kind: finding.rows for finding in judgement.judged.findings}
    assert judgement.judged.verdict == "proceed" and sum(rows_seen["errors"]) == 160


def test_a_version_that_fails_is_taken_back_by_itself_with_its_reason(plums: ObservedModel) -> None:
    champion = plums.wait_until_live()
    roll_out(plums, 3)
    at = plums.registry.routes.moves(MODEL, 1)[0].at
    lines = []
    for number in range(200):
        answered = {
            "prediction_id": f"id-{number}", "at": (at + timedelta(milliseconds=number)).isoformat(), "model": MODEL,
            "version": champion, "ms": 1.0, "of": 1, "instance": {"größe": number}, "prediction": "sour",
            "probabilities": {"sour": 0.9, "sweet": 0.1},
        }  # fmt: skip
        lines.append(answered | ({"assigned": 3, "failure": "NotLoaded"} if number % 2 else {}))
    key = f"captures/model={MODEL}/{datetime.now(UTC):%Y/%m/%d/%H}/test"
    body = "".join(json.dumps(line) + "\n" for line in lines).encode()
    plums.client("s3").put_object(Bucket=plums.cloud.outputs["DataBucket"], Key=key, Body=body)
    wait_for(
        lambda: plums.weights() == {champion: 100}, 120, lambda: str(plums.registry.judgements.of_version(MODEL, 3))
    )
    standing = plums.registry.standings.get(MODEL, 3)
    assert (standing.state, standing.by) == ("rolled_back", "rollout")
    assert not standing.final, "that it was not loaded says nothing about the model"
    assert "100.0% of its requests failed (NotLoaded)" in standing.why
    (judgement,) = plums.registry.judgements.of_version(MODEL, 3)
    assert judgement.judged.verdict == "roll_back" and judgement.judged.reason == standing.why
    states = plums.client("stepfunctions")
    arn = plums.cloud.outputs["RolloutArn"].replace(":stateMachine:", ":execution:") + f":{MODEL}-v3"
    wait_for(lambda: states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED", 30)
