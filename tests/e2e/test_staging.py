"""Staging in the local cloud: the candidate answers under the runtime, and nobody but Stage may call it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from modelcycle.store import S3Store
from tests.contract.rows import rows
from tests.e2e.observed_model import ObservedModel
from tests.e2e.test_permissions import functions, role_of


@pytest.fixture(scope="module")
def plums(cloud: LocalCloud) -> ObservedModel:
    model = ObservedModel(cloud, "loaded-plums")
    model.put_pipeline("staging: {concurrency: [1, 2], soak_seconds: 1}\n")
    model.upload("plums.csv")
    model.wait_for_runs(seconds=240)
    model.wait_until_live()
    return model


def report_of(plums: ObservedModel, version: int) -> dict[str, Any]:
    store = S3Store(plums.client("s3"), plums.cloud.outputs["ArtifactBucket"])
    keys = [listed.key for listed in store.list(f"{plums.name}/staging/{version:08d}/")]
    report: dict[str, Any] = json.loads(store.latest(next(key for key in keys if key.endswith("/report.json")))[0])
    return report


def test_the_load_test_reaches_the_function_and_its_answers_are_those_of_the_batch(plums: ObservedModel) -> None:
    load = report_of(plums, 1)["load"]
    assert [level["concurrency"] for level in load["levels"]] == [1, 2]
    assert all(level["answered"] > 5 and not level["errors"] for level in load["levels"])
    assert load["compared"] > 20 and load["differences"] == 0
    assert 0 < load["own_p99_ms"] < load["levels"][0]["round_trip_ms"]["p99"]
    assert load["soak"]["answered"] > 10 and not (load["growth"] or {}).get("is_leak")
    assert 30 < load["memory_mb"] < 1769 and load["source"] in ("function", "log")
    assert load["cold_starts"] and load["cold_start_ms"] > 0


def test_the_local_clouds_log_has_no_report_of_a_call(plums: ObservedModel) -> None:
    """When this fails, MiniStack has learned it: docs/limits.md and the decision say that the function tells itself."""
    assert report_of(plums, 1)["load"]["source"] == "function"


def test_the_function_captures_nothing(plums: ObservedModel) -> None:
    bucket = plums.cloud.outputs["DataBucket"]
    found = plums.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"captures/model={plums.name}/")
    assert not found.get("Contents")


def test_only_stage_may_call_the_candidate(cloud: LocalCloud, plums: ObservedModel) -> None:
    iam = cloud.admin.client("iam")
    candidate = functions(cloud)["Candidate"]["FunctionArn"]
    allowed = []
    for name in functions(cloud):
        role = iam.get_role(RoleName=role_of(cloud, name))["Role"]["Arn"]
        answer = iam.simulate_principal_policy(
            PolicySourceArn=role, ActionNames=["lambda:InvokeFunction"], ResourceArns=[f"{candidate}:live"]
        )
        if answer["EvaluationResults"][0]["EvalDecision"] == "allowed":
            allowed.append(name)
    assert allowed == ["Stage"]


def test_captured_requests_are_replayed_against_the_champion(plums: ObservedModel) -> None:
    registry, s3 = plums.registry, plums.cloud.admin.client("s3")
    version = registry.versions.get(plums.name, 1)
    store = S3Store(s3, plums.cloud.outputs["ArtifactBucket"])
    fields = json.loads(store.read(version.signature))["fields"]
    instance = {field["name"]: field["example"] for field in fields}
    lines = [
        json.dumps({"prediction_id": f"p{n}", "model": plums.name, "version": 1, "instance": instance | {"gone": n}})
        for n in range(30)
    ]
    key = f"captures/model={plums.name}/{datetime.now(UTC):%Y/%m/%d/%H}/x"
    s3.put_object(Bucket=plums.cloud.outputs["DataBucket"], Key=key, Body="\n".join(lines).encode())
    before = len(plums.runs())
    body = rows(1200, 9).encode()
    plums.client("s3").put_object(Bucket=plums.cloud.outputs["DataBucket"], Key=f"raw/{plums.name}/more.csv", Body=body)
    plums.wait_for_runs(before + 1, seconds=240)
    if len(registry.versions.all(plums.name)) < 2:
        pytest.fail(f"no second version: {plums.runs()[0]}")
    replay = report_of(plums, 2)["replay"]
    assert replay["champion"] == 1 and replay["rows"] == 30 and replay["old_format"] == 30
    assert replay["columns"] == {"gone: not read by version 2": 30}
