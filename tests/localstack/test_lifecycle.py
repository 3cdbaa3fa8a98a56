"""The lifecycle on a real LocalStack, and what it shares with the local cloud; the last two tests change and end it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from infra.local.cloud import LocalCloud
from infra.local.deployment.stack import stack_resources
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.signed_request import predict
from tests.localstack.conftest import STACK, Deployed
from tests.localstack.recorded_lifecycle import UPLOAD, items, left_by, live_rows
from tests.localstack.registry_content import Content, differences

PROBE = """

_handler = handler


def handler(event, context):
    if event == {"probe": 1}:
        from modelcycle import probe

        return {"layer": probe.VALUE}
    return _handler(event, context)
"""
# the function is asked, and knows no such path; without the route the API itself answers
SERVER = 'Server: {Type: Api, Properties: {RestApiId: !Ref Api, Method: get, Path: "/v2"}}\n'
ROUTE = (SERVER, SERVER + " " * 8 + SERVER.replace("Server", "AlsoServer").replace("/v2", "/also-v2"))
OPERATOR = "arn:aws:iam::000000000000:user/operator"
NOBODY = "unknown"
DECIDED_BY = (
    ("AUDIT#plums | AUDIT#MOVE#00000003", "/0/body/by"),
    ("EVENT#plums", "/2/body/detail/by"),
    ("ROUTE#plums | MOVE#00000003", "/0/body/by"),
    ("STATE#plums | STATE#00000001", "/0/body/by"),
    ("STATE#plums | STATE#00000002", "/0/body/by"),
)
"""Where the registry says who rolled back: LocalStack's API does not tell a function who calls."""


def test_the_registry_says_the_same_as_in_the_local_cloud(
    plums: ObservedModel, content_of_local_cloud: Content
) -> None:
    """Item by item, and every artifact and report that an item refers to, byte by byte where nothing is measured.

    Fails also when LocalStack begins to say who calls: `adapt.ALWAYS` then says what is no longer true.
    """
    found = differences(content_of_local_cloud, left_by(plums))
    assert found == {(key, path, OPERATOR, NOBODY) for key, path in DECIDED_BY}


def test_two_uploads_of_one_key_train_twice(plums: ObservedModel) -> None:
    uploads = [record for record in reversed(plums.runs()) if record.run.trigger.detail.endswith(UPLOAD)]
    assert [(record.state, record.version) for record in uploads] == [("deployed", 1), ("deployed", 2)]
    assert uploads[0].run.pipeline.sha256 == uploads[1].run.pipeline.sha256
    assert plums.registry.versions.get("plums", 1).onnx.sha256 != plums.registry.versions.get("plums", 2).onnx.sha256


def test_a_write_is_told_from_another_by_its_version_id(plums: ObservedModel) -> None:
    """Fails when LocalStack sends a `sequencer` that grows: the table in docs/localstack.md is then out of date."""
    claims = [item["sk"].split("#")[2:] for item in items(plums) if item["sk"].startswith("UPLOAD#")]
    assert len(claims) == 3
    assert len({sequencer for sequencer, _ in claims}) == 1
    assert len({version for _, version in claims}) == 3


def test_captures_lie_apart_by_model(plums: ObservedModel) -> None:
    listed = plums.client("s3").list_objects_v2(Bucket=plums.cloud.outputs["DataBucket"], Prefix="captures")["Contents"]
    assert all(item["Key"].startswith("captures/model=plums/2") and "!{" not in item["Key"] for item in listed)


def test_unsigned_requests_are_answered_as_up_says(plums: ObservedModel) -> None:
    """Fails when LocalStack checks signatures: `adapt.ALWAYS` then says what is no longer true."""
    url = f"{plums.cloud.outputs['ApiUrl']}/models/plums/predict"
    body = json.dumps({"instances": live_rows(seed=7)[:1]}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"}, method="POST")
    with urllib.request.urlopen(request) as response:
        assert response.status == 200


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


def test_a_changed_handler_layer_and_api_take_effect_and_the_models_stay(
    deployed: Deployed, plums: ObservedModel
) -> None:
    before, versions = plums.weights(), plums.registry.versions.all("plums")
    handler = deployed.project / "functions/monitor/app.py"
    handler.write_text(handler.read_text() + PROBE)
    assert _asked_for(plums.cloud, "/also-v2") is None
    replace(deployed.template, *ROUTE)
    replace(deployed.project / "infra/alarms.yaml", "Threshold: 1\n", "Threshold: 7\n")
    probe = deployed.project / "layers/modelcycle/modelcycle/probe.py"
    screens = []
    for value in ("first", "second"):  # the second time the layer alone has changed
        probe.write_text(f'VALUE = "{value}"\n')
        lines: list[str] = []
        cloud = deployed.up(lines)
        screens.append("\n".join(lines))
        assert _probe(cloud) == {"layer": value}
        assert _asked_for(cloud, "/also-v2") == "urn:modelcycle:fault:Unknown"  # the function's own answer
    assert plums.weights() == before and plums.registry.versions.all("plums") == versions
    assert predict(cloud, "plums", live_rows(seed=8)[:1])["model"] == "plums"
    assert ["Api: its changes were made" in screen for screen in screens] == [True, False]
    # the alarm is named, because LocalStack leaves it as it was
    assert ["AlarmsRunsFailed.Threshold has changed" in screen for screen in screens] == [True, False]
    alarm = stack_resources(STACK, cloud.admin)["AlarmsRunsFailed"]["id"]
    found = cloud.admin.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    assert [item["Threshold"] for item in found] == [1], "LocalStack updates alarms now: see updates.NEVER_UPDATED"


def replace(file: Path, old: str, new: str) -> None:
    """Replace a text in a file once."""
    text = file.read_text()
    assert old in text, old
    file.write_text(text.replace(old, new, 1))


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


def _asked_for(cloud: LocalCloud, path: str) -> str | None:
    """Return the type of the problem with which a path is answered; None if the API itself answers."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{cloud.outputs['ApiUrl']}{path}")
    kind: str | None = json.load(refused.value).get("type")
    return kind


def _probe(cloud: LocalCloud) -> Any:
    function = cloud.outputs["MonitorFunction"]
    answer = cloud.admin.client("lambda").invoke(FunctionName=function, Payload=b'{"probe": 1}')
    return json.loads(answer["Payload"].read())
