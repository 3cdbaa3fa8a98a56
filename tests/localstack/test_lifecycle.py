"""The lifecycle on a real LocalStack, in this order: each test goes on with what the ones before it have made."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from cli.main import main
from infra.local.cloud import LocalCloud
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.signed_request import predict
from tests.localstack.conftest import Deployed

INSTANCE = {
    "=weight (g)": 30.5,
    "größe": 9,
    'the "kind"': "Mirabelle",
    "picked.on": "2025-07-01",
    "washed/peeled": None,
}
PROBE = """

_handler = handler


def handler(event, context):
    if event == {"probe": 1}:
        from modelcycle import probe

        return {"layer": probe.VALUE}
    return _handler(event, context)
"""


@pytest.fixture(scope="module")
def plums(cloud: LocalCloud) -> ObservedModel:
    model = ObservedModel(cloud, "plums")
    model.put_pipeline()
    model.upload("plums.csv")
    model.wait_for_runs()
    return model


def test_an_upload_starts_a_run_that_ends_in_a_live_model(plums: ObservedModel) -> None:
    assert [record.state for record in plums.runs()] == ["deployed"], plums.runs()
    assert plums.wait_until_live() == 1


def test_a_prediction_is_answered_and_captured_by_model(plums: ObservedModel) -> None:
    answer = predict(plums.cloud, "plums", [INSTANCE, INSTANCE])
    assert set(answer["predictions"]) <= {"sour", "sweet"}
    bucket, s3 = plums.cloud.outputs["DataBucket"], plums.client("s3")
    listed = wait_for(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="captures/model=plums/").get("Contents"), 30)
    assert all("!{" not in item["Key"] for item in listed)


def test_unsigned_requests_are_answered_as_up_says(plums: ObservedModel) -> None:
    """Fails when LocalStack checks signatures: `adapt.ALWAYS` then says what is no longer true."""
    url = f"{plums.cloud.outputs['ApiUrl']}/models/plums/predict"
    body = json.dumps({"instances": [INSTANCE]}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"}, method="POST")
    with urllib.request.urlopen(request) as response:
        assert response.status == 200


def test_a_second_upload_of_the_same_key_trains_again(plums: ObservedModel) -> None:
    plums.upload("plums.csv", count=700, seed=2)
    newest, first = plums.wait_for_runs(2)
    assert newest.run.trigger.detail == first.run.trigger.detail
    assert newest.run.run_id != first.run.run_id
    assert newest.state in ("deployed", "refused", "unchanged", "awaiting_approval"), newest
    assert len(plums.registry.versions.all("plums")) == 2


def test_the_scheduled_rule_starts_the_monitoring(plums: ObservedModel) -> None:
    events, machine = plums.client("events"), plums.cloud.outputs["MonitoringArn"]
    rule = next(r for r in events.list_rules()["Rules"] if r.get("ScheduleExpression"))
    assert rule["ScheduleExpression"] == "rate(1 hour)"
    targets = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    # a changed rate takes no effect there, so the same target gets a rule that is due within the test
    events.put_rule(Name="soon", ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule="soon", Targets=targets)
    states = plums.client("stepfunctions")
    found = wait_for(lambda: states.list_executions(stateMachineArn=machine)["executions"], 100)
    events.remove_targets(Rule="soon", Ids=[target["Id"] for target in targets])
    events.delete_rule(Name="soon")
    arn = found[0]["executionArn"]
    wait_for(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING", 60)
    assert states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"


@pytest.mark.usefixtures("plums")
def test_a_rollback_moves_the_traffic(
    deployed: Deployed, plums: ObservedModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LOCALSTACK_HOST", raising=False)
    monkeypatch.setenv("MODELCYCLE_HOME", str(deployed.home))
    if plums.wait_until_live() == 1:  # the second version was not better
        assert main(["promote", "plums:2", "--why", "a test", "--place", "localstack"]) == 0, capsys.readouterr().err
        wait_for(lambda: plums.weights() == {2: 100}, 60, lambda: str(plums.weights()))
    assert main(["rollback", "plums", "--why", "a test", "--place", "localstack"]) == 0, capsys.readouterr().err
    assert plums.weights() == {1: 100}


def test_a_changed_handler_and_a_changed_layer_take_effect_and_the_models_stay(
    deployed: Deployed, plums: ObservedModel
) -> None:
    before = plums.weights()
    handler = deployed.project / "functions/monitor/app.py"
    handler.write_text(handler.read_text() + PROBE)
    probe = deployed.project / "layers/modelcycle/modelcycle/probe.py"
    for value in ("first", "second"):  # the second time the layer alone has changed
        probe.write_text(f'VALUE = "{value}"\n')
        cloud = deployed.up()
        assert _probe(cloud) == {"layer": value}
    assert plums.weights() == before
    assert predict(cloud, "plums", [INSTANCE])["model"] == "plums"


@pytest.mark.usefixtures("plums")
def test_status_says_what_localstack_leaves_out_and_down_ends_it(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LOCALSTACK_HOST", raising=False)
    monkeypatch.setenv("MODELCYCLE_HOME", str(deployed.home))
    main(["status", "--place", "localstack"])
    screen = capsys.readouterr().out
    assert "LocalStack 4.14.0" in screen and "unsigned requests" in screen
    assert main(["down", "--place", "localstack", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["was_up"] is True
    assert main(["status", "--place", "localstack", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["up"] is False


def _probe(cloud: LocalCloud) -> Any:
    function = cloud.outputs["MonitorFunction"]
    answer = cloud.admin.client("lambda").invoke(FunctionName=function, Payload=b'{"probe": 1}')
    return json.loads(answer["Payload"].read())
