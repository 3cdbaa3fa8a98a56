"""`sam local invoke` for every function, and a prediction through `sam local start-api`, where there is Docker."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from infra.local.ports import free_port
from tests.contract.functions import functions
from tests.sam.conftest import MODEL, ROOT, SAM, TIMEOUT, Lived

NAMES = sorted(functions(), key=lambda name: (name == "Retrain", name))
START_SECONDS = 60.0


@pytest.mark.parametrize("name", NAMES)
def test_sam_local_invoke(name: str, built: dict[str, str], lived: Lived) -> None:
    event = lived.files / "events" / f"{functions()[name].name}.json"
    ended = subprocess.run(
        [str(SAM), "local", "invoke", name, "--event", str(event), "--env-vars", str(lived.files / "env.json")],
        cwd=ROOT, env=built, capture_output=True, text=True, check=False, timeout=TIMEOUT,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-2000:]
    answer = json.loads(ended.stdout.strip().splitlines()[-1])
    assert "errorType" not in answer, answer
    assert answer.get("statusCode", 200) < 500, answer
    if name == "Register":
        assert answer["version"] == 1


def test_without_an_endpoint_it_does_not_talk_to_aws(built: dict[str, str], lived: Lived) -> None:
    ended = subprocess.run(
        [
            str(SAM), "local", "invoke", "Govern", "--event", str(lived.files / "events" / "govern.json"),
            "--skip-pull-image", "--config-env", "none", "--region", "us-east-1",
            "--parameter-overrides", "Place=local Environment=dev BuildSha=sam-local",
        ],
        cwd=ROOT, env=built, capture_output=True, text=True, check=False, timeout=TIMEOUT,
    )  # fmt: skip
    assert "it would talk to AWS" in ended.stdout


def test_start_api_predicts_as_the_local_cloud_does(built: dict[str, str], lived: Lived) -> None:
    event = json.loads((lived.files / "events" / "predict.json").read_text())
    body = base64.b64decode(event["body"]) if event["isBase64Encoded"] else event["body"].encode()
    with started_api(lived, built) as port:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/models/{MODEL}/predict", body,
            {"content-type": "application/json"}, method="POST",
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            answer = json.load(response)
    assert answer["predictions"] == json.loads(lived.predicted)["predictions"]


@contextlib.contextmanager
def started_api(lived: Lived, variables: dict[str, str]) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [str(SAM), "local", "start-api", "--port", str(port), "--env-vars", str(lived.files / "env.json")],
        cwd=ROOT, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
            except urllib.error.HTTPError:  # it answers
                break
            except OSError:
                time.sleep(0.2)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
