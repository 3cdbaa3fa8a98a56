"""Schemathesis calls every path of the OpenAPI document with generated requests: no server error, no other surprise.

More examples by hand:  MODELCYCLE_EXAMPLES=2000 pytest tests/unit/test_schemathesis.py
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.api_gateway import served
from tests.contract.functions import functions
from tests.fakes import MemoryKeys, MemoryStore
from tests.prediction_api import Api
from tests.trained import MODEL

ROOT = Path(__file__).parents[2]
EXAMPLES = os.environ.get("MODELCYCLE_EXAMPLES", "3")  # of each operation
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance"
)


class AcceptedFeedback:
    """Both functions behind one API: outcomes go to the one that takes them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, api: Api) -> None:
        self.api, self.registry, self.data = api, api.registry, MemoryStore("data")
        self.artifacts, self.keys = api.store, MemoryKeys()
        self.function = functions()["AcceptFeedback"]
        monkeypatch.setattr(self.function.module(), "aws", lambda: self)

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        parts = event["path"].split("/")
        if parts[1:2] != ["models"] or parts[3:] != ["feedback"]:
            return self.api.handle(event)
        response: dict[str, Any] = self.function(event | {"pathParameters": {"name": parts[2]}})
        return response


@pytest.fixture(scope="module")
def schemathesis() -> str:
    made = subprocess.run(["make", "build/clients/stamp"], cwd=ROOT, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"schemathesis of requirements-clients.txt cannot be installed: {made.stderr[-500:]}")
    return str(ROOT / "build" / "clients" / "bin" / "schemathesis")


@pytest.mark.parametrize(
    ("task", "phases"), [("binary", "examples,coverage,fuzzing,stateful"), ("regression", "examples,fuzzing")]
)
def test_no_generated_request_is_answered_unexpectedly(
    monkeypatch: pytest.MonkeyPatch, schemathesis: str, task: str, phases: str, tmp_path: Path
) -> None:
    api = Api(monkeypatch)
    api.go_live(task=task)
    api.go_live(seed=1, task=task, weight=50)
    feedback = AcceptedFeedback(monkeypatch, api)
    with served(feedback) as url:
        done = subprocess.run(
            [schemathesis, "run", f"{url}/models/{MODEL}/openapi.json", "--url", url, "--no-color", "-n", EXAMPLES,
             "--checks", CHECKS, "--phases", phases, "--seed", "16"],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated and int(generated[1]) > 20 and "Tested: 11" in done.stdout  # the document itself is not counted
    assert any(key.startswith(f"feedback/{MODEL}/api/") for key in feedback.data.objects)
    print(f"{generated[1]} requests, {len(api.firehose.lines)} answered rows")
