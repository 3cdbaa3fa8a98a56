"""A training set is sent to a container, by the real state machines, in a process with the role of the step."""

from __future__ import annotations

import json

import pytest

from infra.local.cloud import LocalCloud
from tests.e2e.observed_model import ObservedModel
from tests.e2e.signed_request import predict
from tests.e2e.test_refit import series

PIPELINE = "name: {name}\ntarget: load\ntraining: {{trials: 2, refit: all, where: {where}}}\n"


def trained(cloud: LocalCloud, where: str) -> ObservedModel:
    """Return a model after its first run."""
    name = f"load-in-{where}"
    model = ObservedModel(cloud, name)
    s3, bucket = model.client("s3"), cloud.outputs["DataBucket"]
    s3.put_object(Bucket=bucket, Key=f"pipelines/{name}.yaml", Body=PIPELINE.format(name=name, where=where).encode())
    s3.put_object(Bucket=bucket, Key=f"raw/{name}/first.csv", Body=series().encode())
    model.wait_for_runs()
    model.wait_until_live()
    return model


@pytest.fixture(scope="module")
def there(cloud: LocalCloud) -> ObservedModel:
    return trained(cloud, "container")


def test_a_model_made_in_containers_goes_live_and_scores_as_one_made_in_functions(
    cloud: LocalCloud, there: ObservedModel
) -> None:
    here = trained(cloud, "function")
    rows = [{"measured at": "2025-01-09T03:00:00", "hour / day": 3, "wind": wind / 10} for wind in range(-20, 20)]
    answers = [predict(cloud, model.name, rows)["predictions"] for model in (there, here)]
    assert answers[0] == answers[1]
    versions = [model.registry.versions.get(model.name, 1) for model in (there, here)]
    assert versions[0].metrics == versions[1].metrics
    assert versions[0].onnx.bytes == versions[1].onnx.bytes


def test_each_step_was_done_by_a_task_with_the_role_of_its_function(cloud: LocalCloud, there: ObservedModel) -> None:
    states, iam = cloud.admin.client("stepfunctions"), cloud.admin.client("iam")
    machine = next(
        listed["stateMachineArn"]
        for listed in states.list_state_machines()["stateMachines"]
        if listed["name"].endswith("-in-container")
    )
    steps = {}
    for execution in states.list_executions(stateMachineArn=machine)["executions"]:
        given = json.loads(states.describe_execution(executionArn=execution["executionArn"])["input"])
        assert execution["status"] == "SUCCEEDED", given
        steps[given["work"]["step"]] = given["role"]
    assert sorted(steps) == ["refit", "run_trial", "select_model"]
    for step, role in steps.items():
        policies = iam.list_role_policies(RoleName=role.rpartition("/")[2])["PolicyNames"]
        assert policies == [step]


def test_what_a_container_prints_is_in_its_log(cloud: LocalCloud, there: ObservedModel) -> None:
    logs = cloud.admin.client("logs")
    group = next(
        group["logGroupName"]
        for group in logs.describe_log_groups(logGroupNamePrefix="/modelcycle/")["logGroups"]
        if group["logGroupName"].endswith("/container")
    )
    printed = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    assert any('"step": "refit", "fault": ""' in line for line in printed)
    assert any(json.loads(line).get("correlation_id") for line in printed if line.startswith('{"level"'))
