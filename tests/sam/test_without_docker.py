"""Every function of the template, called by itself under AWS's runtime interface emulator."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.local.faults import EventUnusable, FunctionUnknown
from infra.local.invocation.invoke import FunctionHost
from infra.local.invocation.rie import invoke, under_rie
from infra.local.invocation.sam_files import OWNER, other_owner
from tests.contract.functions import functions
from tests.sam.conftest import MODEL, ROOT, Lived

# `retrain` starts a run, so it comes last
NAMES = sorted(functions(), key=lambda name: (name == "Retrain", name))
# in the life of this model and its stack; their events are examples
NOT_CALLED = {
    "AcceptFeedback", "CheckDecide", "CheckPredict", "Expire", "Judge", "Land", "Pull", "Retrain", "Reveal", "Seal",
    "Sweep", "Withdraw",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_function_answers_its_event(name: str, host: FunctionHost) -> None:
    function = host.find(name)
    event = host.event(function)
    assert event.was_given == (name not in NOT_CALLED), event.origin
    with host.started(function) as call:
        first, second = call(event.value), call(event.value)
    assert not first.error, first.answer
    assert essence(second.answer) == essence(first.answer), "a second delivery gives another answer"
    assert first.answer.get("statusCode", 200) < 500, first.answer


def test_the_answers_are_those_of_the_run(lived: Lived, host: FunctionHost) -> None:
    def answer(name: str) -> Any:
        with host.started(host.find(name)) as call:
            return call(event_of(lived, name)).answer

    assert answer("register")["version"] == 1
    assert answer("validate")["verdict"] == "passed"
    body = json.loads(answer("predict")["body"])
    assert body["predictions"] == json.loads(lived.predicted)["predictions"]


def test_the_command_says_what_it_changes_and_prints_the_answer(lived: Lived) -> None:
    ended = command(lived, "conclude", "--calls", "2", "--event", str(lived.files / "events" / "conclude.json"))
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["outcome"] == "deployed"
    assert "In earnest: the call records the end" in ended.stderr
    assert "cold: " in ended.stderr and "warm: " in ended.stderr


def test_the_command_tells_an_error_in_lines_of_what_where_and_remedy(lived: Lived, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"run": 7}')
    ended = command(lived, "govern", "--event", str(event))
    assert ended.returncode == 1 and not ended.stdout
    assert "BadMessage: " in ended.stderr
    ended = command(lived, "nothing")
    assert ended.returncode == 2
    assert "There is no function 'nothing'" in ended.stderr and "plan_trials" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_name_may_be_written_in_each_way(host: FunctionHost) -> None:
    assert {host.find(name).name for name in ("PlanTrials", "plan_trials", "plan-trials", "PLANTRIALS")} == {
        "PlanTrials"
    }
    with pytest.raises(FunctionUnknown):
        host.find("plan")


def test_a_file_that_is_no_event_is_named(host: FunctionHost, tmp_path: Path) -> None:
    for content in (None, "{", b"\xff\xfe"):
        path = tmp_path / "event.json"
        if isinstance(content, str):
            path.write_text(content)
        elif content is not None:
            path.write_bytes(content)
        with pytest.raises(EventUnusable, match=r"event\.json"):
            host.event(host.find("govern"), path)


# what a function says that was started against the wrong place


def failed(host: FunctionHost, name: str, **variables: str | None) -> str:
    """Return the error message of a function that is started with other variables; None removes one."""
    function = host.find(name)
    folder = ROOT / "functions" / name
    environment = host.environment(function, folder, host.home / "tmp")
    for variable, value in variables.items():
        environment.pop(variable, None)
        if value is not None:
            environment[variable] = value
    runtime = [sys.executable, "-s", "-S", "-m", "awslambdaric", function.handler]
    with under_rie(runtime, folder, environment) as (port, _):
        answer = invoke(port, json.dumps(host.event(function).value), 60)
    return f"{answer['errorType']}: {answer['errorMessage']}"


@pytest.mark.parametrize("endpoint", [None, ""])
def test_without_an_endpoint_it_does_not_talk_to_aws(host: FunctionHost, endpoint: str | None) -> None:
    message = failed(host, "govern", AWS_ENDPOINT_URL=endpoint)
    assert message.startswith("Fault: ") and "it would talk to AWS" in message
    assert "build/sam/env.json" in message


def test_empty_names_are_named(host: FunctionHost) -> None:
    message = failed(host, "govern", ARTIFACT_BUCKET="", REGISTRY_TABLE="")
    assert "empty: ARTIFACT_BUCKET, REGISTRY_TABLE" in message


def test_a_cloud_that_is_down_is_named_by_its_address(host: FunctionHost) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        message = failed(host, "govern", AWS_ENDPOINT_URL=f"http://{address}")
    assert message.startswith("Transient: ") and f"did not answer at {address}" in message
    assert "modelcycle up" in message


def test_an_event_of_another_bucket_names_both(host: FunctionHost) -> None:
    message = failed(host, "govern", ARTIFACT_BUCKET="none-such")
    assert "names the bucket modelcycle-" in message and "this function has the bucket none-such" in message


@pytest.mark.parametrize("name", ["govern", "register"])
def test_keys_of_a_cloud_that_is_gone_are_named(name: str, host: FunctionHost) -> None:
    message = failed(host, name, AWS_ACCESS_KEY_ID="ASIAGONE", AWS_SECRET_ACCESS_KEY="x", AWS_SESSION_TOKEN="x")
    assert message.startswith("Fault: ") and "does not know the access keys" in message
    assert "`modelcycle up` writes build/sam/env.json anew" in message


# the files for `sam local`


def test_the_files_have_one_event_and_the_variables_of_each_function(lived: Lived, host: FunctionHost) -> None:
    variables = json.loads((lived.files / "env.json").read_text())
    assert set(variables) == set(functions())
    assert stat.S_IMODE((lived.files / "env.json").stat().st_mode) == 0o600
    for name, function in functions().items():
        event = lived.files / "events" / f"{function.name}.json"
        json.loads(event.read_text())
        assert stat.S_IMODE(event.stat().st_mode) == 0o600
        assert variables[name]["AWS_ENDPOINT_URL"] == f"http://host.docker.internal:{lived.port}"
        assert variables[name]["AWS_SESSION_TOKEN"]
    keys = {variables[name]["AWS_ACCESS_KEY_ID"] for name in variables}
    assert len(keys) == len(variables), "each function has the keys of its own role"
    listed = (lived.files / "events" / "README.md").read_text()
    effect = "decides about a run of the model, and may start it"
    assert f"| retrain.json | made from events/retrain.json: it was not called here | {effect} |" in listed


def test_the_keys_of_one_function_open_nothing_of_another(lived: Lived, host: FunctionHost) -> None:
    keys = json.loads((lived.files / "env.json").read_text())["Govern"]
    message = failed(
        host, "register", **{name: keys[name] for name in keys if name.startswith("AWS_") and "ENDPOINT" not in name}
    )
    assert "not authorized" in message or "AccessDenied" in message


def test_an_example_is_of_this_cloud(lived: Lived) -> None:
    assert event_of(lived, "retrain")["detail"]["model"] == MODEL
    assert event_of(lived, "pull")["run"] == event_of(lived, "govern")["run"]


def test_the_files_of_another_cloud_that_is_up_stay(lived: Lived, tmp_path: Path) -> None:
    """A second cloud, down in this test, takes them over only when the first is down too."""
    (tmp_path / "env.json").write_text("{}")
    (tmp_path / OWNER).write_text(json.dumps({"home": str(lived.home)}))
    assert other_owner(tmp_path, tmp_path / "second") == lived.home
    assert other_owner(tmp_path, lived.home) is None
    assert other_owner(tmp_path, ROOT / ".modelcycle") is None, "that is the project's own"
    (tmp_path / OWNER).write_text(json.dumps({"home": str(tmp_path / "ended")}))
    assert other_owner(tmp_path, lived.home) is None
    for text in ("", "[]", '{"home": 7}'):
        (tmp_path / OWNER).write_text(text)
        assert other_owner(tmp_path, lived.home) is None


def event_of(lived: Lived, name: str) -> Any:
    """The event that was written after the life of the model: `retrain` starts another run."""
    return json.loads((lived.files / "events" / f"{name}.json").read_text())


def command(lived: Lived, *words: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", "infra.local.invocation", *words], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"MODELCYCLE_HOME": str(lived.home)},
    )  # fmt: skip


def essence(answer: Any) -> Any:
    """An answer without what may differ in a second delivery."""
    if isinstance(answer, dict):
        told = (
            "cached", "seconds", "created", "body", "multiValueHeaders", "window", "report", "done", "environment",
            "days",  # that this call has sealed
        )  # fmt: skip
        return {key: essence(value) for key, value in answer.items() if key not in told}
    return answer
