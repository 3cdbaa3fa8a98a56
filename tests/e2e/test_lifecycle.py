"""The whole cycle on the local cloud: real handlers in processes of their own, the real flow, IAM enforced."""

from __future__ import annotations

import json

import pytest

from infra.local import cloud as local
from tests.e2e.watch import Watch, until


@pytest.fixture(scope="module")
def plums(cloud: local.Cloud) -> Watch:
    """A model that went live by one upload with plain boto3."""
    watch = Watch(cloud, "plums")
    watch.pipeline()
    watch.upload("first.csv")
    watch.settled()
    return watch


def test_an_upload_starts_a_run_that_ends_in_a_live_model(plums: Watch) -> None:
    assert [record.state for record in plums.runs()] == ["deployed"], plums.runs()
    assert plums.live() == 1
    assert plums.registry.standings.get("plums", 1).state == "live"


def test_the_same_event_again_trains_nothing_and_ends_as_duplicate(plums: Watch) -> None:
    states = plums.client("stepfunctions")
    first = states.describe_execution(executionArn=plums.runs()[-1].run.execution)["input"]
    again = states.start_execution(
        stateMachineArn=plums.cloud.outputs["LifecycleArn"], name="again-plums", input=first
    )["executionArn"]
    until(lambda: states.describe_execution(executionArn=again)["status"] != "RUNNING", 30)
    assert states.describe_execution(executionArn=again)["status"] == "SUCCEEDED"
    events = states.get_execution_history(executionArn=again, maxResults=100)["events"]
    entered = [e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e]
    assert entered == ["Claim", "Claimed", "Duplicate"]
    assert len(plums.runs()) == 1


def test_a_prediction_is_answered_captured_and_counted(plums: Watch) -> None:
    import urllib.request

    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    plums.live()
    instance = {
        "=weight (g)": 30.5,
        "größe": 9,
        'the "kind"': "Mirabelle",
        "picked.on": "2025-07-01",
        "washed/peeled": None,
    }
    url = f"{plums.cloud.outputs['ApiUrl']}/models/plums/predict"
    body = json.dumps({"instances": [instance, instance]}).encode()
    request = AWSRequest("POST", url, data=body, headers={"content-type": "application/json"})
    key, secret = plums.cloud.session().credentials()
    SigV4Auth(Credentials(key, secret), "execute-api", "us-east-1").add_auth(request)
    with urllib.request.urlopen(urllib.request.Request(url, body, dict(request.headers), method="POST")) as answer:
        told = json.load(answer)
    assert told["model"] == "plums"
    assert set(told["predictions"]) <= {"sour", "sweet"}
    assert len(set(told["prediction_ids"])) == 2
    s3 = plums.client("s3")
    captured = until(
        lambda: s3.list_objects_v2(Bucket=plums.cloud.outputs["DataBucket"], Prefix="captures/").get("Contents"), 20
    )
    assert captured


def test_the_schedules_flow_looks_at_every_live_model(plums: Watch) -> None:
    plums.live()
    states = plums.client("stepfunctions")
    look = states.start_execution(stateMachineArn=plums.cloud.outputs["MonitoringArn"], name="look", input="{}")
    execution = look["executionArn"]
    until(lambda: states.describe_execution(executionArn=execution)["status"] != "RUNNING", 60)
    assert states.describe_execution(executionArn=execution)["status"] == "SUCCEEDED"
    told = plums.registry.table.get("MODEL#plums", "MONITOR")
    assert told is not None
    assert told.body["state"] == "no data"
    assert told.body["version"] == 1


def test_a_degraded_model_is_trained_again(plums: Watch) -> None:
    plums.live()
    plums.client("events").put_events(
        Entries=[
            {
                "EventBusName": plums.cloud.outputs["EventBus"],
                "Source": "somebody",
                "DetailType": "ModelDegraded",
                "Detail": json.dumps({"model": "plums", "reason": "a test says so"}),
            }
        ]
    )
    newest = plums.settled(runs=2)[0]
    assert newest.run.trigger.kind == "degraded"
    assert newest.state == "unchanged", newest


def test_ten_files_at_once_end_in_one_model_that_saw_them_all(cloud: local.Cloud) -> None:
    watch = Watch(cloud, "ten-plums")
    watch.pipeline()
    for seed in range(10):
        watch.upload(f"part-{seed}.csv", count=120, seed=seed)

    def seen() -> int:
        """Rows that the live version was made from."""
        version = watch.registry.versions.get("ten-plums", watch.live(seconds=120))
        key = version.lineage.uri.split("/", 3)[3]
        lineage = json.load(watch.client("s3").get_object(Bucket=cloud.outputs["ArtifactBucket"], Key=key)["Body"])
        rows: int = lineage["rows"]["collected"]
        return rows

    # a first run that saw a few of them starts another by the bus: there is a moment in which none is under way
    until(lambda: seen() == 1200, 180, lambda: f"the live version saw {seen()} rows; {watch.runs()}")
    watch.settled()
    assert seen() == 1200
    assert len(watch.registry.versions.all("ten-plums")) <= 2


def test_a_bad_file_fails_its_run_with_one_sentence_and_leaves_the_live_model(cloud: local.Cloud) -> None:
    watch = Watch(cloud, "bad-plums")
    watch.pipeline()
    watch.upload("good.csv")
    watch.settled()
    live = watch.live()
    watch.client("s3").put_object(
        Bucket=cloud.outputs["DataBucket"], Key="raw/bad-plums/photo.csv", Body=bytes(range(256)) * 40
    )
    newest = watch.settled(runs=2)[0]
    assert newest.state == "failed"
    assert "photo.csv" in newest.reason
    assert "Traceback" not in newest.reason
    assert watch.live() == live
