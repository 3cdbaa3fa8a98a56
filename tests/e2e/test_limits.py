"""The local cloud refuses what AWS would refuse, with AWS's names and texts."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.local import cloud as local
from infra.local.cloud import LocalCloud
from infra.local.faults import DeployFailed
from infra.local.ports import free_port
from infra.local.quotas import EVENT, HISTORY, MIB, REQUEST, RESPONSE, STATE_DATA
from tests.e2e.conftest import HERE, CloudSite

measured = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux only")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudSite]:
    folder = tmp_path_factory.mktemp("limits")
    shutil.copytree(HERE / "limits_sample", folder / "project")
    site = CloudSite(folder / "home", free_port(), folder / "project" / "template.yaml")
    yield site
    local.down(home=site.home)


@pytest.fixture(scope="module")
def up(site: CloudSite) -> LocalCloud:
    return site.up()


def call(cloud: LocalCloud, **event: Any) -> Any:
    """Invoke the function; return its answer, or its error as reported."""
    answer = cloud.admin.client("lambda").invoke(FunctionName=cloud.outputs["Ask"], Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())


def run(cloud: LocalCloud, **data: Any) -> dict[str, Any]:
    """Run the state machine to its end; return the execution."""
    flows = cloud.admin.client("stepfunctions")
    arn = flows.start_execution(stateMachineArn=cloud.outputs["Asking"], input=json.dumps(data))["executionArn"]
    deadline = time.monotonic() + 120
    while (execution := flows.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return dict(execution)


def ask_api(cloud: LocalCloud, body: bytes, query: str = "") -> tuple[int, str]:
    """Call the function through the API; return status and body."""
    request = urllib.request.Request(f"{cloud.outputs['ApiUrl']}/ask{query}", data=body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@measured
def test_a_function_that_takes_more_memory_than_it_declares_is_killed(up: LocalCloud, site: CloudSite) -> None:
    error = call(up, ask="memory", mib=300, seconds=2)
    assert error["errorType"] == "Runtime.ExitError"
    assert re.fullmatch(
        r"RequestId: [0-9a-f-]{36} Error: Runtime exited with error: signal: killed", error["errorMessage"]
    )
    assert "exceeded its MemorySize" in (site.home / "cloud.log").read_text()
    # the next call gets a new process
    assert call(up, ask="memory", mib=90) == 90


@measured
def test_a_function_without_a_fork_is_killed_too(up: LocalCloud, site: CloudSite) -> None:
    functions = up.admin.client("lambda")
    functions.update_function_configuration(
        FunctionName=up.outputs["Ask"], Environment={"Variables": {"PYTHONDONTWRITEBYTECODE": "1"}}
    )
    assert call(up, ask="memory", mib=300, seconds=2)["errorType"] == "Runtime.ExitError"
    assert "starts without a fork: PYTHONDONTWRITEBYTECODE differs" in (site.home / "cloud.log").read_text()
    functions.update_function_configuration(FunctionName=up.outputs["Ask"], Environment={"Variables": {}})


def test_a_function_that_ends_by_itself_is_told_as_such(up: LocalCloud) -> None:
    assert call(up, ask="exit", status=3)["errorMessage"].endswith(" Error: Runtime exited with error: exit status 3")


@measured
def test_temporary_files_beyond_the_storage_end_the_function(up: LocalCloud, site: CloudSite) -> None:
    assert call(up, ask="files", mib=540) == {
        "errorType": "OSError",
        "errorMessage": "[Errno 28] No space left on device",
    }
    folder = Path(call(up, ask="files", mib=2))
    assert folder.is_relative_to(site.home / "scratch")
    remaining = [path for path in (site.home / "scratch").rglob("*") if path.is_file()]
    assert remaining == [], "the files of an ended process are removed"


def test_a_function_ends_at_its_timeout(up: LocalCloud) -> None:
    error = call(up, ask="sleep", seconds=30)
    assert error["errorType"] == "Sandbox.Timedout"
    assert re.fullmatch(r"RequestId: [0-9a-f-]{36} Error: Task timed out after 4\.00 seconds", error["errorMessage"])


def test_an_answer_of_more_than_6_mb_is_refused(up: LocalCloud) -> None:
    assert call(up, ask="answer", characters=RESPONSE.maximum) == {  # two more with the quotes
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
    }
    assert len(call(up, ask="answer", characters=RESPONSE.maximum - 2)) == RESPONSE.maximum - 2


def test_a_call_of_more_than_6_mb_is_refused(up: LocalCloud) -> None:
    functions = up.admin.client("lambda")
    with pytest.raises(ClientError) as refused:
        functions.invoke(FunctionName=up.outputs["Ask"], Payload=b'"' + b"x" * REQUEST.maximum + b'"')
    assert refused.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    assert "Request must be smaller than 6291456 bytes for the InvokeFunction operation" in str(refused.value)


def test_an_asynchronous_call_of_more_than_1_mb_is_refused(up: LocalCloud) -> None:
    functions = up.admin.client("lambda")
    payload = json.dumps({"text": "x" * EVENT.maximum})
    with pytest.raises(ClientError, match=r"byte payload is too large for the Event invocation type") as refused:
        functions.invoke(FunctionName=up.outputs["Ask"], InvocationType="Event", Payload=payload)
    assert refused.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
    small = json.dumps({"text": "x" * (EVENT.maximum // 2)})
    answer = functions.invoke(FunctionName=up.outputs["Ask"], InvocationType="Event", Payload=small)
    assert answer["StatusCode"] == 202


def test_an_api_refuses_what_a_function_could_not_get(up: LocalCloud) -> None:
    assert ask_api(up, b"x" * (10 * MIB + 1))[0] == 413
    # each quote takes two bytes within the function's event
    assert ask_api(up, b'"' * (4 * MIB)) == (413, '{"message":"Request Too Long"}')
    assert ask_api(up, b"x" * (4 * MIB)) == (200, "xx")


def test_an_answer_through_an_api_of_more_than_6_mb_is_502(up: LocalCloud) -> None:
    status, body = ask_api(up, b"", f"?characters={RESPONSE.maximum}")
    assert (status, json.loads(body)) == (502, {"message": "Internal server error"})


def test_a_state_of_more_than_256_kib_fails_and_no_wildcard_catches_it(up: LocalCloud) -> None:
    ended = run(up, ask="answer", characters=STATE_DATA.maximum)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")
    assert "returned a result with a size exceeding the maximum number of bytes service limit." in ended["cause"]
    # the function's answer alone would fit
    both = run(up, ask="answer", characters=200_000, text="x" * 100_000)
    assert (both["status"], both["error"]) == ("FAILED", "States.DataLimitExceeded")
    assert run(up, ask="answer", characters=200_000)["status"] == "SUCCEEDED"


def test_other_errors_are_caught(up: LocalCloud) -> None:
    ended = run(up, ask="exit", status=1)
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"])["error"]["Error"] == "Runtime.ExitError"


def test_an_execution_with_a_larger_input_does_not_start(up: LocalCloud) -> None:
    with pytest.raises(ClientError, match="length less than or equal to 262144"):
        run(up, text="x" * STATE_DATA.maximum)


def test_an_execution_ends_at_25_000_events(up: LocalCloud) -> None:
    ended = run(up, loops=True)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert ended["cause"] == "The execution reached the maximum number of history events (25000)."
    flows = up.admin.client("stepfunctions")
    history = flows.get_execution_history(executionArn=ended["executionArn"], reverseOrder=True, maxResults=1)
    assert history["events"][0]["type"] == "ExecutionFailed"
    assert HISTORY.maximum - 2 <= history["events"][0]["id"] <= HISTORY.maximum


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"Timeout": 901}, "Value '901' at 'timeout'"),
        ({"MemorySize": 10_241}, "Value '10241' at 'memorySize'"),
        ({"EphemeralStorage": {"Size": 10_241}}, "Value '10241' at 'ephemeralStorage.size'"),
    ],
)
def test_settings_outside_of_the_bounds_are_refused(up: LocalCloud, setting: dict[str, Any], text: str) -> None:
    with pytest.raises(ClientError, match=text):
        up.admin.client("lambda").update_function_configuration(FunctionName=up.outputs["Ask"], **setting)


def test_a_template_with_a_timeout_of_more_than_15_minutes_is_refused(up: LocalCloud, site: CloudSite) -> None:
    with pytest.raises(DeployFailed, match="'901' at 'timeout'"):
        site.up(Seconds="901")
    assert site.up().outputs["Ask"] == up.outputs["Ask"]
