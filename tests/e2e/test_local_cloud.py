"""What the embedded cloud promises, each promise by what a stranger would see."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from infra.local import cloud as local
from infra.local import emulator
from infra.local.clients import Session
from infra.local.faults import CloudCrashed, DeployFailed, PortTaken, RunsElsewhere
from tests.e2e.conftest import ROOT, Place, free_port


@pytest.fixture(scope="module")
def up(sample: Place) -> local.Cloud:
    os.environ["A_SECRET_OF_THE_USER"] = "never to be seen by a function"
    try:
        return sample.up()
    finally:
        del os.environ["A_SECRET_OF_THE_USER"]


def ask(cloud: local.Cloud, **question: Any) -> Any:
    """Invoke the sample function as the operator; its fault comes back as it reported it."""
    answer = (
        cloud.session()
        .client("lambda")
        .invoke(FunctionName=f"{cloud.outputs['Hello']}:live", Payload=json.dumps(question))
    )
    return json.loads(answer["Payload"].read())


def http_status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# The guard


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
def test_a_browser_is_refused(up: local.Cloud, headers: dict[str, str]) -> None:
    assert http_status(f"{up.endpoint}/_ministack/health", **headers) == 403


def test_a_foreign_host_with_our_port_is_refused(up: local.Cloud, sample: Place) -> None:
    assert http_status(f"{up.endpoint}/_ministack/health", Host=f"example.com:{sample.port}") == 403


def test_a_program_is_answered(up: local.Cloud) -> None:
    assert http_status(f"{up.endpoint}/_ministack/health") == 200


def test_only_loopback_listens(up: local.Cloud, sample: Place) -> None:
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("only Linux lists its sockets there")
    port = f"{sample.port:04X}"
    rows = [row.split() for row in listening.read_text().splitlines()[1:]]
    addresses = {row[1].split(":")[0] for row in rows if row[3] == "0A" and row[1].split(":")[1] == port}
    assert addresses == {"0100007F"}
    six = Path("/proc/net/tcp6").read_text()
    assert f":{port} " not in six


# What a function is


def test_a_function_sees_nothing_of_the_users_environment(up: local.Cloud) -> None:
    seen = ask(up, ask="environment")
    assert "A_SECRET_OF_THE_USER" not in seen
    assert {"AUTH", "STATE_DIR", "S3_DATA_DIR"}.isdisjoint(seen)
    assert seen["AWS_ENDPOINT_URL"] == up.endpoint


def test_a_function_imports_its_layers_and_the_runtime(up: local.Cloud) -> None:
    assert ask(up)["body"] == "hello"
    assert ask(up, ask="import", module="yaml") == "yaml"
    assert ask(up, ask="import", module="boto3") == "boto3"


@pytest.mark.parametrize("module", ["pydantic", "ministack", "pip", "pytest"])
def test_an_import_that_no_layer_holds_fails_as_on_aws(up: local.Cloud, module: str) -> None:
    assert ask(up, ask="import", module=module)["errorType"] == "ModuleNotFoundError"


def test_an_error_is_reported_by_its_own_class(up: local.Cloud) -> None:
    assert ask(up, ask="raise")["errorType"] == "Unwell"


def test_a_flow_catches_an_error_by_its_own_class(up: local.Cloud) -> None:
    flows = up.session().client("stepfunctions")
    run = flows.start_execution(stateMachineArn=up.outputs["Greeting"], input='{"ask": "raise"}')["executionArn"]
    deadline = time.monotonic() + 10
    while (found := flows.describe_execution(executionArn=run))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (found["status"], found["error"]) == ("FAILED", "Unwell")


def test_a_permission_that_the_role_lacks_is_denied_by_name(up: local.Cloud) -> None:
    up.session().client("s3").put_object(Bucket=up.outputs["DataBucket"], Key="k", Body=b"rows")
    assert ask(up, ask="get", key="k") == "rows"
    denied = ask(up, ask="put")
    assert denied["errorType"] == "AccessDenied"
    assert "s3:PutObject" in denied["errorMessage"]


# The person


def test_the_operator_is_no_root(up: local.Cloud, sample: Place) -> None:
    assert up.session().client("sts").get_caller_identity()["Arn"].endswith(":user/operator")
    with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
        up.session().client("iam").create_user(UserName="another")
    with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
        up.session().client("dynamodb").put_item(TableName=up.outputs["Table"], Item={"pk": {"S": "x"}})
    key = sample.home / "operator.json"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_api_answers_a_signed_request_only(up: local.Cloud) -> None:
    url = f"{up.outputs['ApiUrl']}/hello"
    assert url.startswith(up.endpoint)
    assert http_status(url) == 403
    request = AWSRequest("GET", url)
    SigV4Auth(Credentials(*up.session().credentials()), "execute-api", "us-east-1").add_auth(request)
    assert http_status(url, **dict(request.headers)) == 200


@pytest.mark.parametrize("key", ["test", "000000000000", "AKIAIOSFODNN7EXAMPLE", "root"])
def test_no_key_that_a_stranger_could_know_is_root(up: local.Cloud, sample: Place, key: str) -> None:
    access_key = json.loads((sample.home / "root.json").read_text())["access_key"] if key == "root" else key
    stranger = Session(up.endpoint, access_key, "test")
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


def test_the_root_key_is_the_owners_alone_and_no_function_is_given_it(up: local.Cloud, sample: Place) -> None:
    key = sample.home / "root.json"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = json.loads(key.read_text())["secret_key"]
    assert secret not in json.dumps(ask(up, ask="environment"))
    running = emulator.find(sample.home.resolve())
    assert running
    told = subprocess.run(["ps", "-p", str(running.pid), "-o", "command="], capture_output=True, text=True, check=True)
    assert secret not in told.stdout
    assert secret not in (sample.home / "cloud.log").read_text()


# Settled


def test_what_cloudformation_drops_is_set_and_reads_back(up: local.Cloud) -> None:
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
    assert s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "stage", "Value": "dev"}]
    function = up.outputs["Hello"]
    functions = admin.client("lambda")
    assert functions.get_function_configuration(FunctionName=function)["DeadLetterConfig"]["TargetArn"]
    assert functions.get_function_concurrency(FunctionName=function)["ReservedConcurrentExecutions"] == 5
    names = [one["Name"] for one in admin.client("scheduler").list_schedules()["Schedules"]]
    zone = admin.client("scheduler").get_schedule(Name=names[0])["ScheduleExpressionTimezone"]
    assert zone == "Europe/Zurich"


def test_what_the_emulator_refuses_is_left_out_and_named(up: local.Cloud) -> None:
    named = " ".join(up.left_out)
    assert "Ratio (AWS::CloudWatch::Alarm)" in named
    assert "Any (AWS::CloudWatch::CompositeAlarm)" in named
    assert "Outputs.Ratio" in named


# Again, changed, broken, killed


def test_nothing_changed_is_done_at_once(up: local.Cloud, sample: Place) -> None:
    lines: list[str] = []
    started = time.monotonic()
    again = sample.up(lines)
    assert time.monotonic() - started < 1.0
    assert (again.outputs, lines) == (up.outputs, [])


def test_a_changed_handler_answers_within_three_seconds(up: local.Cloud, sample: Place) -> None:
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


def test_a_changed_layer_is_what_the_alias_serves(up: local.Cloud, sample: Place) -> None:
    layer = sample.template.parent / "layers" / "pure" / "pure" / "__init__.py"
    text = layer.read_text()
    try:
        layer.write_text(text.replace("hello", "good morning"))
        assert ask(sample.up())["body"] == "good morning"
    finally:
        layer.write_text(text)
        sample.up()


def test_a_resource_that_cannot_be_made_is_named_and_the_old_stack_stays(up: local.Cloud, sample: Place) -> None:
    text = sample.template.read_text()
    try:
        sample.template.write_text(text.replace("Outputs:\n", "  Wrong: {Type: AWS::No::Such}\nOutputs:\n", 1))
        with pytest.raises(DeployFailed, match="AWS::No::Such"):
            sample.up()
    finally:
        sample.template.write_text(text)
    assert ask(sample.up())["body"] == "hello"


def test_a_kill_loses_nothing(up: local.Cloud, sample: Place) -> None:
    up.session().client("s3").put_object(Bucket=up.outputs["DataBucket"], Key="raw/m/rows.csv", Body=b"a\n1\n")
    up.admin.client("dynamodb").put_item(TableName=up.outputs["Table"], Item={"pk": {"S": "MODEL#m"}})
    time.sleep(3)  # the state is saved every two seconds
    running = emulator.find(sample.home.resolve())
    assert running
    os.kill(running.pid, signal.SIGKILL)
    while emulator.find(sample.home.resolve()):
        time.sleep(0.05)
    assert "ended without being stopped" in local.status(home=sample.home).problems[0]
    lines: list[str] = []
    again = sample.up(lines)
    assert again.outputs == up.outputs
    assert not any("packaging" in line for line in lines)
    stored = again.session().client("s3").get_object(Bucket=again.outputs["DataBucket"], Key="raw/m/rows.csv")
    assert stored["Body"].read() == b"a\n1\n"
    item = again.session().client("dynamodb").get_item(TableName=again.outputs["Table"], Key={"pk": {"S": "MODEL#m"}})
    assert item["Item"]
    assert ask(again)["body"] == "hello"


@pytest.fixture
def full_disk(sample: Place) -> Iterator[Path]:
    """Something lies where the next set of state is to be written; removing it makes room."""
    obstacle = sample.home / "services.next"
    yield obstacle
    obstacle.unlink(missing_ok=True)


def test_a_stop_that_would_lose_something_is_refused_and_says_what(
    up: local.Cloud, sample: Place, full_disk: Path
) -> None:
    cloud = sample.up()
    cloud.admin.client("dynamodb").put_item(TableName=cloud.outputs["Table"], Item={"pk": {"S": "before"}})
    running = emulator.find(sample.home.resolve())
    assert running
    emulator.save(running)
    full_disk.touch()
    cloud.admin.client("dynamodb").put_item(TableName=cloud.outputs["Table"], Item={"pk": {"S": "after"}})
    told = command(sample, "down")
    assert told.returncode == 1
    assert "was not stopped" in told.stderr and "the registry of models" in told.stderr
    assert "kept" not in told.stdout + told.stderr
    assert "the registry of models" in local.status(home=sample.home).problems[0]
    assert emulator.find(sample.home.resolve())
    full_disk.unlink()
    assert command(sample, "down").returncode == 0
    assert item(sample.up(), "after")


def test_a_forced_stop_says_what_is_lost(up: local.Cloud, sample: Place, full_disk: Path) -> None:
    cloud = sample.up()
    running = emulator.find(sample.home.resolve())
    assert running
    emulator.save(running)
    full_disk.touch()
    cloud.admin.client("dynamodb").put_item(TableName=cloud.outputs["Table"], Item={"pk": {"S": "lost"}})
    told = command(sample, "down", "--force")
    assert told.returncode == 1
    assert "lost is what came since" in told.stdout and "the registry of models" in told.stdout
    full_disk.unlink()
    again = sample.up()
    assert not item(again, "lost")
    assert item(again, "after")


def command(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"MODELCYCLE_HOME": str(place.home)},
    )  # fmt: skip


def item(cloud: local.Cloud, key: str) -> Any:
    answer = cloud.admin.client("dynamodb").get_item(TableName=cloud.outputs["Table"], Key={"pk": {"S": key}})
    return answer.get("Item")


def test_status_tells_what_runs(up: local.Cloud, sample: Place) -> None:
    sample.up()
    now = local.status(home=sample.home)
    assert (now.running, now.port, now.functions, now.problems) == (True, sample.port, 1, ())
    assert now.disk_used > 0


def test_another_port_is_refused_while_it_runs(up: local.Cloud, sample: Place) -> None:
    with pytest.raises(RunsElsewhere, match=str(sample.port)):
        local.up(port=free_port(), home=sample.home, template=sample.template)


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortTaken, match="another program"):
            local.up(port=other.getsockname()[1], home=tmp_path)


def test_a_stale_process_file_is_no_obstacle(up: local.Cloud, sample: Place) -> None:
    local.down(home=sample.home)
    stranger = subprocess.Popen(["sleep", "30"])
    try:
        (sample.home / "cloud.pid").write_text(json.dumps({"pid": stranger.pid, "port": sample.port}))
        assert not local.down(home=sample.home)
        assert ask(sample.up())["body"] == "hello"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_cloud_whose_folder_is_removed_ends_by_itself(tmp_path: Path) -> None:
    home = tmp_path / "home"
    running = emulator.start(home, free_port())
    shutil.rmtree(home)
    deadline = time.monotonic() + 10
    while answers(running.port):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("seconds", [0.3, 0.6])
def test_a_cloud_killed_while_it_deploys_comes_up_again(sample: Place, tmp_path: Path, seconds: float) -> None:
    place = Place(tmp_path / "home", free_port(), sample.template)
    shutil.copytree(sample.home / "layers", place.home / "layers", symlinks=True)
    running = emulator.start(place.home, place.port)
    killer = threading.Timer(seconds, os.kill, (running.pid, signal.SIGKILL))
    killer.start()
    try:
        with contextlib.suppress(CloudCrashed):
            place.up()
        killer.join()
        assert ask(place.up())["body"] == "hello"
    finally:
        local.down(home=place.home)


def test_clients_ignore_the_endpoint_and_profile_of_real_work(up: local.Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of the real account")
    assert up.session().client("sts").get_caller_identity()["Arn"].endswith(":user/operator")


def test_a_nested_stack_that_changed_still_gives_out_what_it_gave(sample: Place) -> None:
    """Fails without `mends.keep_attributes_of_nested_resources`; passes without it once the emulator is mended."""
    before = sample.up().outputs
    nested = sample.template.parent / "infra" / "storage.yaml"
    nested.write_text(nested.read_text() + "Metadata: {Note: another text}\n")
    assert sample.up().outputs == before
