"""The Open Inference Protocol gives the same answers, as tensors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.prediction_api import INFER, PREDICT, ROW, Api, json_values
from tests.trained import COLOUR, HOURS, ID, MODEL, body


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


def tensors(**columns: list[Any]) -> str:
    kinds = {str: "BYTES", bool: "BOOL", int: "INT64"}
    return json.dumps({"id": "42", "inputs": [
        {"name": name, "shape": [len(data), 1], "datatype": kinds.get(type(data[0]), "FP32"), "data": data}
        for name, data in columns.items()
    ]})  # fmt: skip


def test_the_open_inference_protocol_gives_the_same_answer(api: Api) -> None:
    api.go_live()
    status, response, _ = api.call(INFER, tensors(**{HOURS: [47.5, 30.0], COLOUR: ["red", "blue"]}))
    assert status == 200 and (response["model_name"], response["model_version"], response["id"]) == (MODEL, "1", "42")
    outputs = {output["name"]: output for output in response["outputs"]}
    plain = api.call(PREDICT, body(ROW, {HOURS: 30.0, COLOUR: "blue"}))[1]
    assert outputs["prediction"]["data"] == plain["predictions"] and outputs["prediction"]["datatype"] == "BYTES"
    assert outputs["probabilities"]["shape"] == [2, 2]
    assert outputs["probabilities"]["data"] == [p for row in plain["probabilities"] for p in row.values()]
    assert json.loads(outputs["probabilities"]["parameters"]["classes"]) == ["no", "yes"]
    assert outputs["prediction_id"]["data"] == plain["prediction_ids"] and len(api.firehose.lines) == 4


def test_the_open_inference_protocol_describes_the_model(api: Api) -> None:
    api.go_live()
    assert api.call("/v2", method="GET")[1]["name"] == "modelcycle"
    assert api.call("/v2/health/live", method="GET")[1] == {"live": True}
    assert api.call("/v2/health/ready", method="GET")[0] == 200
    assert api.call(f"/v2/models/{MODEL}/ready", method="GET")[1] == {"name": MODEL, "ready": True}
    assert api.call("/v2/models/nobody/ready", method="GET")[0] == 404
    _, response, _ = api.call(f"/v2/models/{MODEL}", method="GET")
    assert response["inputs"][0] == {"name": HOURS, "datatype": "FP64", "shape": [-1, 1]}
    assert response["versions"] == ["1"] and response["outputs"][1]["shape"] == [-1, 2]


@pytest.mark.parametrize(
    ("change", "pointer", "sentence"),
    [
        ({"datatype": "FLOAT"}, "/inputs/0/datatype", "one of BOOL"),
        ({"shape": [3]}, "/inputs/0/shape", "[2] or [2, 1] is expected for 2 values"),
        ({"data": "MTIz"}, "/inputs/0/data", "for binary data send the parameter binary_data_size"),
        ({"name": 3}, "/inputs/0/name", "the column's name is expected"),
        ({"name": COLOUR, "datatype": "BYTES", "data": ["a", "b"]}, "/inputs/1/name", "duplicated"),
        ({"data": [1.0, "x"]}, "/inputs/0/data/1", "a number is expected, got 'x'"),
        ({"data": [1.0], "shape": [1]}, "/inputs", "the same number of rows"),
        ({"name": "age"}, "/inputs/0/data/0", "has no such column"),
    ],
)
def test_a_wrong_tensor_is_named(api: Api, change: dict[str, Any], pointer: str, sentence: str) -> None:
    api.go_live()
    sent = json.loads(tensors(**{HOURS: [1.5, 2.5], COLOUR: ["red", "blue"]}))
    sent["inputs"][0] |= change
    status, response, _ = api.call(INFER, json.dumps(sent))
    assert status == 400 and response["error"] == response["detail"]
    assert response["errors"][0]["pointer"] == pointer and sentence in response["errors"][0]["detail"]


@pytest.mark.parametrize("sent", ["[]", "{}", '{"inputs": []}', '{"inputs": [3]}', '{"inputs": {}}', "x", None])
def test_a_body_that_is_not_an_inference_request_is_refused(api: Api, sent: Any) -> None:
    api.go_live()
    assert api.call(INFER, sent)[0] == 400


tensor = st.fixed_dictionaries({
    "name": st.sampled_from([HOURS, COLOUR, ID]) | json_values, "shape": json_values | st.just([1]) | st.just([1, 1]),
    "datatype": st.sampled_from(["FP32", "BYTES"]) | json_values,
    "data": st.lists(json_values, max_size=2) | json_values,
})  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(inputs=st.lists(tensor, max_size=3), request_id=json_values)
def test_no_tensors_cause_an_internal_error(api: Api, inputs: Any, request_id: Any) -> None:
    if not api.registry.versions.all(MODEL):
        api.go_live()
    status, response, _ = api.call(INFER, json.dumps({"inputs": inputs, "id": request_id}))
    assert status in (200, 400) and (status == 200 or response.get("errors") or "JSON" in response["detail"])
