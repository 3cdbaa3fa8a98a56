"""The lifecycle on the local cloud: real handlers in their own processes, real state machines, IAM enforced."""

from __future__ import annotations

import json

import pytest

from infra.local.cloud import LocalCloud
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.signed_request import predict

INSTANCE = {
    "=weight (g)": 30.5,
    "größe": 9,
    'the "kind"': "Mirabelle",
    "picked.on": "2025-07-01",
    "washed/peeled": None,
}


@pytest.fixture(scope="module")
def plums(cloud: LocalCloud) -> ObservedModel:
    """A model that went live by one upload with boto3."""
    model = ObservedModel(cloud, "plums")
    model.put_pipeline()
    model.upload("first.csv")
    model.wait_for_runs()
    return model


def test_an_upload_starts_a_run_that_ends_in_a_live_model(plums: ObservedModel) -> None:
    assert [record.state for record in plums.runs()] == ["deployed"], plums.runs()
    assert plums.wait_until_live() == 1
    assert plums.registry.standings.get("plums", 1).state == "live"


def test_an_event_that_comes_twice_trains_nothing_and_ends_as_duplicate(plums: ObservedModel) -> None:
    states = plums.client("stepfunctions")
    event = states.describe_execution(executionArn=plums.runs()[-1].run.execution)["input"]
    again = states.start_execution(
        stateMachineArn=plums.cloud.outputs["LifecycleArn"], name="again-plums", input=event
    )["executionArn"]
    wait_for(lambda: states.describe_execution(executionArn=again)["status"] != "RUNNING", 30)
    assert states.describe_execution(executionArn=again)["status"] == "SUCCEEDED"
    events = states.get_execution_history(executionArn=again, maxResults=100)["events"]
    entered = [e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e]
    assert entered == ["Claim", "Claimed", "Duplicate"]
    assert len(plums.runs()) == 1


def test_a_prediction_is_answered_and_captured(plums: ObservedModel) -> None:
    plums.wait_until_live()
    answer = predict(plums.cloud, "plums", [INSTANCE, INSTANCE])
    assert answer["model"] == "plums"
    assert set(answer["predictions"]) <= {"sour", "sweet"}
    assert len(set(answer["prediction_ids"])) == 2
    bucket, s3 = plums.cloud.outputs["DataBucket"], plums.client("s3")
    assert wait_for(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="captures/model=plums/").get("Contents"), 20)


def test_the_scheduled_state_machine_monitors_every_live_model(plums: ObservedModel) -> None:
    plums.wait_until_live()
    states = plums.client("stepfunctions")
    execution = states.start_execution(
        stateMachineArn=plums.cloud.outputs["MonitoringArn"], name="monitoring", input="{}"
    )["executionArn"]
    wait_for(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING", 60)
    assert states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED"
    result = plums.registry.table.get("MONITOR#plums", "MONITOR")
    assert result is not None
    assert result.body["state"] == "no data"
    assert result.body["version"] == 1


def test_a_degraded_model_is_trained_again(plums: ObservedModel) -> None:
    plums.wait_until_live()
    plums.client("events").put_events(
        Entries=[
            {
                "EventBusName": plums.cloud.outputs["EventBus"],
                "Source": "a test",
                "DetailType": "ModelDegraded",
                "Detail": json.dumps({"model": "plums", "reason": "a test says so"}),
            }
        ]
    )
    newest = plums.wait_for_runs(2)[0]
    assert newest.run.trigger.kind == "degraded"
    assert newest.state == "unchanged", newest


def test_ten_files_at_once_end_in_one_model_that_has_read_them_all(cloud: LocalCloud) -> None:
    model = ObservedModel(cloud, "ten-plums")
    model.put_pipeline()
    for seed in range(10):
        model.upload(f"part-{seed}.csv", count=120, seed=seed)

    def collected_rows() -> int:
        """Rows from which the live version was made."""
        version = model.registry.versions.get("ten-plums", model.wait_until_live(seconds=120))
        key = version.lineage.uri.split("/", 3)[3]
        lineage = json.load(model.client("s3").get_object(Bucket=cloud.outputs["ArtifactBucket"], Key=key)["Body"])
        rows: int = lineage["rows"]["collected"]
        return rows

    # a first run that read some of them starts another through the bus: between the two, none is in progress
    wait_for(lambda: collected_rows() == 1200, 180, lambda: f"{collected_rows()} rows were read; {model.runs()}")
    model.wait_for_runs()
    assert collected_rows() == 1200
    assert len(model.registry.versions.all("ten-plums")) <= 2


def test_an_unreadable_file_fails_its_run_with_one_sentence_and_the_live_model_stays(cloud: LocalCloud) -> None:
    model = ObservedModel(cloud, "bad-plums")
    model.put_pipeline()
    model.upload("good.csv")
    model.wait_for_runs()
    live = model.wait_until_live()
    model.client("s3").put_object(
        Bucket=cloud.outputs["DataBucket"], Key="raw/bad-plums/photo.csv", Body=bytes(range(256)) * 40
    )
    newest = model.wait_for_runs(2)[0]
    assert newest.state == "failed"
    assert "photo.csv" in newest.reason
    assert "Traceback" not in newest.reason
    assert model.wait_until_live() == live


def test_a_model_whose_artifact_is_lost_is_made_again_by_the_next_run(cloud: LocalCloud) -> None:
    """With the functions' own permissions to check artifacts; the champion whose artifact is lost stops nothing."""
    model = ObservedModel(cloud, "lost-plums")
    model.put_pipeline()
    model.upload("plums.csv")
    model.wait_for_runs()
    lost = model.registry.versions.get("lost-plums", model.wait_until_live()).onnx
    bucket, _, key = lost.uri.removeprefix("s3://").partition("/")
    cloud.admin.client("s3").delete_object(Bucket=bucket, Key=key)
    model.upload("plums.csv")
    newest = model.wait_for_runs(2)[0]
    assert (newest.state, newest.version) == ("deployed", 2), newest
    wait_for(lambda: model.wait_until_live() == 2, 20)
    again = model.registry.versions.get("lost-plums", 2).onnx
    assert again.uri != lost.uri and again.sha256 == lost.sha256
    model.upload("plums.csv")
    assert model.wait_for_runs(3)[0].state == "unchanged"
