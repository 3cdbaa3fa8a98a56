"""What `predict` writes about an answer: what finds it from the run of its version, and from the client's id."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from modelcycle.predict import recorder
from modelcycle.predict.http_api import model_in


@pytest.mark.parametrize(
    ("loaded", "run_id"), [({3: SimpleNamespace(run_id="20261129T1-a")}, "20261129T1-a"), ({}, "")]
)
def test_an_answer_names_the_run_that_made_its_version(
    loaded: dict[int, Any], run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(recorder, "logger", Logger(service=f"test-predict-log-{run_id}", stream=written))
    answer: Any = SimpleNamespace(model="plums", version=3, ids=["a", "b"], loaded=loaded)
    recorder._log(answer, {"function_request_id": "f", "correlation_id": "c", "client_request_id": "order-7"})
    line = json.loads(written.getvalue())
    assert {name: line[name] for name in ("message", "model", "version", "rows", "run_id", "correlation_id")} == {
        "message": "answered", "model": "plums", "version": 3, "rows": 2, "run_id": run_id, "correlation_id": "c",
    }  # fmt: skip


@pytest.mark.parametrize("path", [None, {}, {"name": None}, {"name": "a b"}, {"name": "x" * 500}, {"name": "Ä"}])
def test_what_can_be_no_models_name_is_not_logged(path: Any) -> None:
    assert model_in({"pathParameters": path}) == ""
