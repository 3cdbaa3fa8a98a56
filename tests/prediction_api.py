"""The predict function behind API Gateway, with a registry in memory and a Firehose that remembers."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st

from modelcycle.predict import Capture, Live
from modelcycle.registry import Registry
from tests.fakes import MemoryStore, MemoryTable
from tests.trained import COLOUR, HOURS, ID, MODEL, cycle, train

ROW = {HOURS: 47.5, COLOUR: "red"}
PREDICT = f"/models/{MODEL}/predict"
INFER = f"/v2/models/{MODEL}/infer"


class Firehose:
    """What it was given; `refuses` makes records fail, `raises` the call."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.refuses = self.raises = False

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803
        if self.raises:
            raise TimeoutError
        assert len(Records) <= 500 and all(len(record["Data"]) <= 1000 * 1024 for record in Records)
        assert sum(len(record["Data"]) for record in Records) <= 4 * 2**20
        if self.refuses:
            return {"FailedPutCount": len(Records), "RequestResponses": [{"ErrorCode": "x"} for _ in Records]}
        for record in Records:
            assert record["Data"].endswith(b"\n")
            self.lines += [json.loads(line) for line in record["Data"].splitlines()]
        return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"} for _ in Records]}


class Api:
    """The function behind API Gateway, its registry in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        place = Path(__file__).parents[1] / "functions" / "predict" / "app.py"
        spec = importlib.util.spec_from_file_location("predict_app", place)
        assert spec and spec.loader
        self.app = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.app)
        self.store, self.registry, self.firehose, self.now = MemoryStore(), Registry(MemoryTable()), Firehose(), 0.0
        self.live = Live(self.registry, self.registry, self.store, clock=lambda: self.now)
        self.log = io.StringIO()
        self.app.logger.registered_handler.setStream(self.log)
        monkeypatch.setattr(self.app, "live", lambda: self.live)
        monkeypatch.setattr(self.app, "capture", lambda: Capture(self.firehose, "captures"))

    def call(self, path: str, sent: Any = None, method: str = "POST", **event: Any) -> tuple[int, Any, dict[str, Any]]:
        event = {
            "httpMethod": method, "path": path, "resource": path, "body": sent, "isBase64Encoded": False,
            "headers": {"Content-Type": "application/json"}, "multiValueHeaders": {}, "queryStringParameters": None,
            "multiValueQueryStringParameters": None, "pathParameters": None, "stageVariables": None,
            "requestContext": {"requestId": "request-1", "stage": "prod", "httpMethod": method, "path": path},
        } | event  # fmt: skip
        context = SimpleNamespace(
            function_name="predict", memory_limit_in_mb=1769, invoked_function_arn="arn", aws_request_id="1"
        )
        found = self.app.handler(event, context)
        headers = {name: values[0] for name, values in found["multiValueHeaders"].items()}
        return found["statusCode"], json.loads(found["body"]), headers

    def go_live(self, seed: int = 0, task: Any = "binary", weight: int = 100) -> int:
        here = cycle(train(task, seed=seed), self.store, self.registry, f"r{seed}{task}")
        unit = self.registry.unit_of_work(MODEL)
        self.registry.runs.put_model(unit)
        unit.commit()
        return here.go_live(weight, content=f"{seed}{task}").version


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
