"""The lifecycle on a real LocalStack, and what it shares with the local cloud; the last two tests change and end it."""

from __future__ import annotations

import ast
import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.main import main
from infra.local.cloud import LocalCloud
from infra.local.deployment.stack import stack_resources
from infra.local.localstack import environment, updates
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.signed_request import predict
from tests.erased_model import decoded
from tests.localstack.conftest import STACK, Deployed
from tests.localstack.recorded_lifecycle import KIND, OF_PERSON, PERSON, UPLOAD, items, left_by, live_rows
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
MADE_ANEW = {
    "AWS::Lambda::LayerVersion",
    "AWS::ApiGateway::Deployment",
}  # SAM or `updates` gives each content a new one
DECIDED_BY = (
    ("APPROVAL#plums | VERSION#00000003", "/0/body/given/0/by"),
    ("AUDIT#plums | AUDIT#MOVE#00000003", "/0/body/by"),
    ("AUDIT#plums | AUDIT#MOVE#00000004", "/0/body/by"),
    ("AUDIT#plums | AUDIT#STATE#00000003#3", "/0/body/by"),
    ("EVENT#plums", "/2/body/detail/by"),
    ("EVENT#plums", "/23/body/detail/by"),
    ("EVENT#plums", "/5/body/detail/by"),
    ("ROUTE#plums | MOVE#00000003", "/0/body/by"),
    ("ROUTE#plums | MOVE#00000004", "/0/body/by"),
    ("STATE#plums | STATE#00000001", "/0/body/by"),
    ("STATE#plums | STATE#00000002", "/0/body/by"),
    ("STATE#plums | STATE#00000003", "/0/body/by"),
)
"""Where the registry says who rolled back and approved: LocalStack's API does not tell a function who calls."""


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
    assert len(claims) == 4
    assert len({sequencer for sequencer, _ in claims}) == 1
    assert len({version for _, version in claims}) == 4


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


def test_the_rules_of_schedules_are_those_of_the_template(plums: ObservedModel) -> None:
    events = plums.client("events")
    rules = [rule for rule in events.list_rules()["Rules"] if rule.get("ScheduleExpression")]
    assert sorted(rule["ScheduleExpression"] for rule in rules) == [
        "cron(30 0 * * ? *)", "rate(1 day)", "rate(1 day)", "rate(1 hour)",
    ]  # fmt: skip
    inputs = [target_of(plums, rule["Name"]).get("Input") for rule in rules]
    # what a function would refuse does not come: each is started by its own message
    assert sorted(filter(None, inputs)) == [
        '{"models": "all"}', '{"schema": 1, "kind": "seal"}', '{"schema": 1, "models": "all"}',
    ]  # fmt: skip


def test_scheduled_rules_start_the_monitoring_and_the_seal(plums: ObservedModel) -> None:
    events, s3, states = plums.client("events"), plums.client("s3"), plums.client("stepfunctions")
    machine, seals = plums.cloud.outputs["MonitoringArn"], plums.cloud.outputs["SealBucket"]
    due = {"rate(1 hour)": "rate(1 minute)", "cron(30 0 * * ? *)": "cron(* * * * ? *)"}
    # a changed rate takes no effect there, so the same targets get rules that are due within the test
    for number, rule in enumerate(r for r in events.list_rules()["Rules"] if r.get("ScheduleExpression") in due):
        events.put_rule(Name=f"soon-{number}", ScheduleExpression=due[rule["ScheduleExpression"]])
        events.put_targets(Rule=f"soon-{number}", Targets=[target_of(plums, rule["Name"])])
    found = wait_for(lambda: states.list_executions(stateMachineArn=machine)["executions"], 100)
    wait_for(lambda: s3.list_objects_v2(Bucket=seals).get("Contents"), 100)
    for number in range(len(due)):
        events.remove_targets(Rule=f"soon-{number}", Ids=["schedule"])
        events.delete_rule(Name=f"soon-{number}")
    arn = found[0]["executionArn"]
    wait_for(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING", 60)
    assert states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"


def target_of(model: ObservedModel, rule: str) -> dict[str, Any]:
    """Return the only target of a rule."""
    (target,) = model.client("events").list_targets_by_rule(Rule=rule)["Targets"]
    found: dict[str, Any] = target
    return found


def test_the_seal_is_signed_and_locked_and_everything_verified(
    deployed: Deployed, plums: ObservedModel, capsys: pytest.CaptureFixture[str]
) -> None:
    event = json.dumps({"schema": 1, "kind": "seal"})
    invoked = plums.client("lambda").invoke(FunctionName=plums.cloud.outputs["SealFunction"], Payload=event)
    assert "FunctionError" not in invoked, invoked["Payload"].read()
    s3, bucket = plums.cloud.admin.client("s3"), plums.cloud.outputs["SealBucket"]
    (seal,) = s3.list_object_versions(Bucket=bucket)["Versions"]  # the same day is sealed once
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key=seal["Key"], VersionId=seal["VersionId"])
    capsys.readouterr()
    deployed.command("localstack", "verify", "plums", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] and told["verified"]["seals"] == 1 and told["verified"]["signed"]


def test_a_version_with_another_signature_is_not_served(plums: ObservedModel) -> None:
    """Predict asks KMS before it loads a version: LocalStack's keys sign and verify as those of AWS."""
    newest = live_version(plums)
    signed, before = (plums.registry.versions.get("plums", number).bundle for number in (newest, 1))
    assert signed and before
    s3, bucket = plums.client("s3"), plums.cloud.outputs["ArtifactBucket"]
    key, other = (one.uri.removeprefix(f"s3://{bucket}/") for one in (signed, before))
    own, others = (s3.get_object(Bucket=bucket, Key=one)["Body"].read() for one in (key, other))
    s3.put_object(Bucket=bucket, Key=key, Body=others)
    restart(plums, "Predict", "distrusts")
    assert predict(plums.cloud, "plums", live_rows(seed=9)[:1])["version"] == 1, "the version before answers"
    s3.put_object(Bucket=bucket, Key=key, Body=own)
    restart(plums, "Predict", "trusts again")
    assert predict(plums.cloud, "plums", live_rows(seed=9)[:1])["version"] == newest


def live_version(model: ObservedModel) -> int:
    """Return the version that has all the traffic."""
    version = model.registry.routes.get(model.name).champion
    assert version
    return version


def restart(model: ObservedModel, logical_id: str, why: str) -> None:
    """Give a function a new process, as a change of its settings does."""
    function = stack_resources(STACK, model.cloud.admin)[logical_id]["id"]
    client = model.cloud.admin.client("lambda")
    client.update_function_configuration(FunctionName=function, Description=why)
    client.get_waiter("function_updated_v2").wait(FunctionName=function)


def test_an_object_is_deleted_on_the_condition_that_it_is_still_the_same(plums: ObservedModel) -> None:
    s3, other = plums.client("s3"), '"00000000000000000000000000000000"'
    one = {"Bucket": plums.cloud.outputs["DataBucket"], "Key": "elsewhere/note.txt"}
    etag = s3.put_object(**one, Body=b"first")["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.delete_object(**one, IfMatch=other)
    assert s3.get_object(**one)["Body"].read() == b"first"
    assert s3.delete_object(**one, IfMatch=etag)["DeleteMarker"]
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.delete_object(**one, IfMatch=etag)


def test_a_person_is_erased(deployed: Deployed, plums: ObservedModel, capsys: pytest.CaptureFixture[str]) -> None:
    """What LocalStack answers to deletions of versions and to conditional writes is enough for it."""
    assert where_known(plums)
    capsys.readouterr()
    deployed.command(
        "localstack", "erase", "plums", "--subject", f"{KIND}={PERSON}", "--why", "asked", "--yes", "--json"
    )
    receipt = json.loads(capsys.readouterr().out)
    newest = live_version(plums)
    assert (receipt["rows"], receipt["held"], receipt["versions_that_learned"]) == (OF_PERSON, {}, [newest])
    assert where_known(plums) == []
    deployed.command("localstack", "verify", "plums")
    restart(plums, "Predict", "loads what was rewritten")
    assert predict(plums.cloud, "plums", live_rows(seed=9)[:1])["version"] == newest


def where_known(model: ObservedModel) -> list[str]:
    """Return the names of the objects of which any version, unpacked, names the person."""
    s3, found = model.cloud.admin.client("s3"), set()
    needles = (PERSON.encode(), json.dumps(PERSON).strip('"').encode())
    for bucket in (model.cloud.outputs["DataBucket"], model.cloud.outputs["ArtifactBucket"]):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for one in page.get("Versions", []):
                body = s3.get_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])["Body"].read()
                if any(needle in part for needle in needles for part in (body, *decoded(body))):
                    found.add(one["Key"])
    return sorted(found)


def test_the_types_that_localstack_never_updates_are_known(plums: ObservedModel) -> None:
    """Of the stack: a type whose provider has no `update`. A change of such a resource is named by `up`."""
    types = {resource["type"] for resource in stack_resources(STACK, plums.cloud.admin).values()} - MADE_ANEW
    never = {name for name, has_update in providers().items() if not has_update}
    assert never & types == updates.NEVER_UPDATED & types


def providers() -> dict[str, bool]:
    """Return the types of resources that LocalStack has, and whether each can be updated; read in its source."""
    found = {}
    for file in (environment.FOLDER / "lib").glob(
        "python3*/site-packages/localstack/services/*/resource_providers/*.py"
    ):
        text = file.read_text()
        name = re.search(r'^    TYPE = "([^"]+)"', text, re.MULTILINE)
        if name is None:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name == "update":
                last = node.body[-1]
                found[name[1]] = not (isinstance(last, ast.Raise) and "NotImplementedError" in ast.dump(last))
    return found


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
