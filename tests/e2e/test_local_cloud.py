"""What the local cloud promises, checked from outside."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from infra.local.clients import ClientFactory
from infra.local.cloud import LocalCloud
from infra.local.emulator.container_bridge import bridge_address
from infra.local.faults import DeployFailed
from tests.e2e.conftest import CloudSite
from tests.e2e.sample_cloud import ask, emulator_of
from tests.e2e.signed_request import signed_headers


@pytest.fixture(scope="module")
def up(sample: CloudSite) -> LocalCloud:
    os.environ["A_SECRET_OF_THE_USER"] = "must reach no function"
    try:
        return sample.up()
    finally:
        del os.environ["A_SECRET_OF_THE_USER"]


def http_status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


# Requests


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://example.com"},
        {"Origin": "null"},
        {"Host": "example.com"},
        {"Host": "127.0.0.1.example.com:80"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
def test_a_browser_is_refused(up: LocalCloud, headers: dict[str, str]) -> None:
    assert http_status(f"{up.endpoint}/_ministack/health", **headers) == 403


def test_another_host_with_the_same_port_is_refused(up: LocalCloud, sample: CloudSite) -> None:
    assert http_status(f"{up.endpoint}/_ministack/health", Host=f"example.com:{sample.port}") == 403


def test_a_program_is_answered(up: LocalCloud) -> None:
    assert http_status(f"{up.endpoint}/_ministack/health") == 200


def test_the_cloud_listens_on_loopback_only(up: LocalCloud, sample: CloudSite) -> None:
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("only Linux lists its sockets in /proc")
    port = f"{sample.port:04X}"
    rows = [row.split() for row in listening.read_text().splitlines()[1:]]
    addresses = {row[1].split(":")[0] for row in rows if row[3] == "0A" and row[1].split(":")[1] == port}
    bridge = bridge_address()  # Docker's, if there is one: its containers alone reach the socket there
    assert {"0100007F"} <= addresses <= {"0100007F", bridge and socket.inet_aton(bridge)[::-1].hex().upper()}
    assert f":{port} " not in Path("/proc/net/tcp6").read_text()


# Functions


def test_a_function_gets_nothing_of_the_users_environment(up: LocalCloud) -> None:
    variables = ask(up, ask="environment")
    assert "A_SECRET_OF_THE_USER" not in variables
    assert {"AUTH", "STATE_DIR", "S3_DATA_DIR"}.isdisjoint(variables)
    assert variables["AWS_ENDPOINT_URL"] == up.endpoint


def test_a_function_imports_its_layers_and_the_runtime(up: LocalCloud) -> None:
    assert ask(up)["body"] == "hello"
    assert ask(up, ask="import", module="yaml") == "yaml"
    assert ask(up, ask="import", module="boto3") == "boto3"


@pytest.mark.parametrize("module", ["pydantic", "ministack", "pip", "pytest"])
def test_an_import_that_no_layer_contains_fails_as_on_aws(up: LocalCloud, module: str) -> None:
    assert ask(up, ask="import", module=module)["errorType"] == "ModuleNotFoundError"


def test_an_error_is_reported_with_its_own_class(up: LocalCloud) -> None:
    assert ask(up, ask="raise")["errorType"] == "Unwell"


def test_a_state_machine_catches_an_error_by_its_own_class(up: LocalCloud) -> None:
    flows = up.operator.client("stepfunctions")
    run = flows.start_execution(stateMachineArn=up.outputs["Greeting"], input='{"ask": "raise"}')["executionArn"]
    deadline = time.monotonic() + 10
    while (execution := flows.describe_execution(executionArn=run))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (execution["status"], execution["error"]) == ("FAILED", "Unwell")


def test_an_action_without_permission_is_denied_by_name(up: LocalCloud) -> None:
    up.operator.client("s3").put_object(Bucket=up.outputs["DataBucket"], Key="k", Body=b"rows")
    assert ask(up, ask="get", key="k") == "rows"
    denied = ask(up, ask="put")
    assert denied["errorType"] == "AccessDenied"
    assert "s3:PutObject" in denied["errorMessage"]


# Identities


def test_the_operator_is_not_root(up: LocalCloud, sample: CloudSite) -> None:
    assert up.operator.client("sts").get_caller_identity()["Arn"].endswith(":user/operator")
    with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
        up.operator.client("iam").create_user(UserName="another")
    with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
        up.operator.client("dynamodb").put_item(TableName=up.outputs["Table"], Item={"pk": {"S": "x"}})
    key = sample.home / "operator.json"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_api_answers_signed_requests_only(up: LocalCloud) -> None:
    url = f"{up.outputs['ApiUrl']}/hello"
    assert url.startswith(up.endpoint)
    assert http_status(url) == 403
    assert http_status(url, **signed_headers(up, "GET", url)) == 200


@pytest.mark.parametrize("key", ["test", "000000000000", "AKIAIOSFODNN7EXAMPLE", "root"])
def test_no_key_that_others_could_know_is_root(up: LocalCloud, sample: CloudSite, key: str) -> None:
    access_key = json.loads((sample.home / "root.json").read_text())["access_key"] if key == "root" else key
    stranger = ClientFactory(up.endpoint, access_key, "test")
    refused = r"InvalidAccessKeyId|UnrecognizedClient|InvalidClientTokenId|SignatureDoesNotMatch|InvalidSignature"
    for service, action, arguments in (
        ("s3", "list_objects_v2", {"Bucket": up.outputs["DataBucket"]}),
        ("dynamodb", "scan", {"TableName": up.outputs["Table"]}),
        ("iam", "list_users", {}),
        ("lambda", "invoke", {"FunctionName": up.outputs["Hello"]}),
        ("sts", "get_caller_identity", {}),
        ("stepfunctions", "list_state_machines", {}),
    ):
        with pytest.raises(ClientError, match=refused):
            getattr(stranger.client(service), action)(**arguments)
    url = stranger.client("s3").generate_presigned_url(
        "get_object", Params={"Bucket": up.outputs["DataBucket"], "Key": "k"}
    )
    assert http_status(url) == 403
    assert http_status(f"{up.endpoint}/{up.outputs['DataBucket']}") == 403


def test_only_the_owner_can_read_the_root_key_and_no_function_gets_it(up: LocalCloud, sample: CloudSite) -> None:
    key = sample.home / "root.json"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = json.loads(key.read_text())["secret_key"]
    assert secret not in json.dumps(ask(up, ask="environment"))
    pid = str(emulator_of(sample).pid)
    listed = subprocess.run(["ps", "-p", pid, "-o", "command="], capture_output=True, text=True, check=True)
    assert secret not in listed.stdout
    assert secret not in (sample.home / "cloud.log").read_text()


# Properties


def test_properties_that_cloudformation_drops_are_set(up: LocalCloud) -> None:
    admin = up.admin
    table, bucket = up.outputs["Table"], up.outputs["Artifacts"]
    dynamodb, s3 = admin.client("dynamodb"), admin.client("s3")
    ttl = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert (ttl["TimeToLiveStatus"], ttl["AttributeName"]) == ("ENABLED", "expires")
    backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert dynamodb.describe_table(TableName=table)["Table"]["SSEDescription"]["Status"] == "ENABLED"
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule["ID"] for rule in rules] == ["old", "parts", "captures"]
    assert rules[2]["Expiration"] == {"Days": 90}
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encryption[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "stage", "Value": "dev"}]
    boundary = admin.client("iam").get_role(RoleName=role_of_the_flow(up))["Role"]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"] == "arn:aws:iam::aws:policy/PowerUserAccess"


def role_of_the_flow(up: LocalCloud) -> str:
    machine = up.admin.client("stepfunctions").describe_state_machine(stateMachineArn=up.outputs["Greeting"])
    return str(machine["roleArn"].rpartition("/")[2])


def test_resources_that_the_emulator_refuses_are_left_out_and_named(up: LocalCloud) -> None:
    left_out = " ".join(up.left_out)
    assert "Ratio (AWS::CloudWatch::Alarm)" in left_out
    assert "Any (AWS::CloudWatch::CompositeAlarm)" in left_out
    assert "Outputs.Ratio" in left_out


def test_a_dropped_property_that_is_not_set_is_named(up: LocalCloud) -> None:
    assert {
        f"{name}: the emulator drops it"
        for name in (
            "Daily.ScheduleExpressionTimezone", "HelloFunction.DeadLetterConfig",
            "HelloFunction.ReservedConcurrentExecutions",
        )
    } <= set(up.left_out)  # fmt: skip


# Another deployment


def test_a_deployment_without_changes_takes_less_than_a_second(up: LocalCloud, sample: CloudSite) -> None:
    lines: list[str] = []
    started = time.monotonic()
    again = sample.up(lines)
    assert time.monotonic() - started < 1.0
    assert (again.outputs, lines) == (up.outputs, [])


def test_a_changed_handler_answers_within_three_seconds(up: LocalCloud, sample: CloudSite) -> None:
    code = sample.template.parent / "functions" / "hello" / "app.py"
    text = code.read_text()
    try:
        code.write_text(text.replace("greeting()", '"changed"'))
        started = time.monotonic()
        assert ask(sample.up())["body"] == "changed"
        assert time.monotonic() - started < 3.0
    finally:
        code.write_text(text)
        sample.up()


def test_the_alias_serves_a_changed_layer(up: LocalCloud, sample: CloudSite) -> None:
    layer = sample.template.parent / "layers" / "pure" / "pure" / "__init__.py"
    text = layer.read_text()
    try:
        layer.write_text(text.replace("hello", "good morning"))
        assert ask(sample.up())["body"] == "good morning"
    finally:
        layer.write_text(text)
        sample.up()


def test_a_resource_that_cannot_be_created_is_named_and_the_old_stack_stays(up: LocalCloud, sample: CloudSite) -> None:
    text = sample.template.read_text()
    try:
        sample.template.write_text(text.replace("Outputs:\n", "  Wrong: {Type: AWS::No::Such}\nOutputs:\n", 1))
        with pytest.raises(DeployFailed, match="AWS::No::Such"):
            sample.up()
    finally:
        sample.template.write_text(text)
    assert ask(sample.up())["body"] == "hello"


def test_clients_ignore_the_endpoint_and_profile_of_real_work(up: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of the real account")
    assert up.operator.client("sts").get_caller_identity()["Arn"].endswith(":user/operator")


def test_a_changed_nested_stack_keeps_its_outputs(sample: CloudSite) -> None:
    """Fails without `patches.keep_attributes_of_nested_resources`."""
    before = sample.up().outputs
    nested = sample.template.parent / "infra" / "storage.yaml"
    nested.write_text(nested.read_text() + "Metadata: {Note: another text}\n")
    assert sample.up().outputs == before
