"""The predict function behind API Gateway, with an in-memory registry and a Firehose that keeps what it receives."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st

from modelcycle.key_service import KeyService
from modelcycle.predict import CaptureStream, LiveModels, PersonalValues, Recorder
from modelcycle.predict.recorder import report_given_up
from modelcycle.registry import Registry
from tests.fakes import UNSIGNED, MemoryKeys, MemoryStore, MemoryTable
from tests.trained import COLOUR, HOURS, ID, MODEL, cycle, train

FUNCTIONS = Path(__file__).parents[1] / "functions" / "predict"
ROW = {HOURS: 47.5, COLOUR: "red"}
PREDICT = f"/models/{MODEL}/predict"
INFER = f"/v2/models/{MODEL}/infer"


class Firehose:
    """Keeps the lines it receives; with `rejects` every record fails, with `raises` the call itself."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.rejects = self.raises = False

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803
        if self.raises:
            raise TimeoutError
        assert len(Records) <= 500 and all(len(record["Data"]) <= 1000 * 1024 for record in Records)
        assert sum(len(record["Data"]) for record in Records) <= 4 * 2**20
        if self.rejects:
            return {"FailedPutCount": len(Records), "RequestResponses": [{"ErrorCode": "x"} for _ in Records]}
        for record in Records:
            assert record["Data"].endswith(b"\n")
            self.lines += [json.loads(line) for line in record["Data"].splitlines()]
        return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"} for _ in Records]}


def handler_module(name: str) -> Any:
    """Return a file of functions/predict as a module of its own, whose state no other test has."""
    spec = importlib.util.spec_from_file_location(f"predict_{name}", FUNCTIONS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Api:
    """The function behind API Gateway, with an in-memory registry and a clock that tests set (`now`)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, keys: KeyService = UNSIGNED) -> None:
        self.app = handler_module("app")
        self.store, self.registry, self.firehose, self.now = MemoryStore(), Registry(MemoryTable()), Firehose(), 0.0
        self.live_models = LiveModels(self.registry, self.registry, self.store, keys, clock=lambda: self.now)
        self.log = io.StringIO()
        self.app.logger.registered_handler.setStream(self.log)
        monkeypatch.setattr(self.app, "live_models", lambda: self.live_models)
        self.recorder = Recorder(
            CaptureStream(lambda: (self.firehose, "captures"), report_given_up), PersonalValues(MemoryKeys)
        )
        monkeypatch.setattr(self.app, "recorder", self.recorder)

    def call(self, path: str, body: Any = None, method: str = "POST", **event: Any) -> tuple[int, Any, dict[str, Any]]:
        """Return status, parsed body and headers of the response, when what follows an answer has been done too."""
        event = {
            "httpMethod": method, "path": path, "resource": path, "body": body, "isBase64Encoded": False,
            "headers": {"Content-Type": "application/json"}, "multiValueHeaders": {}, "queryStringParameters": None,
            "multiValueQueryStringParameters": None, "pathParameters": None, "stageVariables": None,
            "requestContext": {"requestId": "request-1", "stage": "prod", "httpMethod": method, "path": path},
        } | event  # fmt: skip
        response = self.handle(event)
        headers = {name: values[0] for name, values in response["multiValueHeaders"].items()}
        return response["statusCode"], json.loads(response["body"]), headers

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the function's response to an event of API Gateway."""
        context = SimpleNamespace(
            function_name="predict", memory_limit_in_mb=1769, invoked_function_arn="arn", aws_request_id="1"
        )
        response: dict[str, Any] = self.app.handler(event, context)
        assert self.recorder.after_answer.finish(seconds=30)
        return response

    def go_live(self, seed: int = 0, task: Any = "binary", weight: int = 100, **pipeline: Any) -> int:
        """Train a model, give it `weight` percent of the traffic, and return its version."""
        trained = cycle(train(task, seed=seed), self.store, self.registry, f"r{seed}{task}", **pipeline)
        unit = self.registry.unit_of_work(MODEL)
        self.registry.runs.put_model(unit)
        unit.commit()
        return trained.go_live(weight, content=f"{seed}{task}").version


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([HOURS, COLOUR]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["instances", "inputs", "name", "shape", "datatype", "data", "id", HOURS, COLOUR, ID]),
            inner,
        )
    ),
    max_leaves=12,
)
