"""Versions in the path, requested outputs, and datatypes against what the columns hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelcycle.model.fields import Field
from modelcycle.predict.open_inference_tensors import KNOWN_DATATYPES, TensorError, check_datatype, column_of
from tests.prediction_api import INFER, PREDICT, ROW, Api
from tests.trained import COLOUR, HOURS, MODEL, body

V2 = f"/v2/models/{MODEL}"
FIELDS = {
    "number": Field(name="x", type="number"),
    "boolean": Field(name="x", type="boolean", true=["yes", "1"], false=["no", "0"]),
    "date": Field(name="x", type="datetime", format="%Y-%m-%d"),
    "day": Field(name="x", type="datetime", format="%Y%m%d"),
    "text": Field(name="x", type="text"),
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


def request(hours: Any = 47.5, datatype: str = "FP64", **more: Any) -> str:
    return json.dumps({"inputs": [
        {"name": HOURS, "shape": [1], "datatype": datatype, "data": [hours]},
        {"name": COLOUR, "shape": [1], "datatype": "BYTES", "data": ["red"]},
    ], **more})  # fmt: skip


def test_a_version_in_the_path_answers_alone(api: Api) -> None:
    api.go_live(seed=0)
    api.go_live(seed=1)  # version 2 takes all traffic, version 1 is the previous one
    for version in ("1", "2"):
        status, response, _ = api.call(f"{V2}/versions/{version}/infer", request())
        assert status == 200 and response["model_version"] == version
        assert api.call(f"{V2}/versions/{version}/ready", method="GET")[1] == {
            "name": MODEL, "version": version, "ready": True,
        }  # fmt: skip
        assert api.call(f"{V2}/versions/{version}", method="GET")[1]["versions"] == [version]
    assert api.call(V2, method="GET")[1]["versions"] == ["1", "2"]
    first = api.call(f"{V2}/versions/1/infer", request())[1]["outputs"][1]["data"]
    assert first != api.call(f"{V2}/versions/2/infer", request())[1]["outputs"][1]["data"]
    assert [line["version"] for line in api.firehose.lines] == [1, 2, 1, 2]


def test_each_version_of_a_canary_can_be_asked(api: Api) -> None:
    api.go_live(seed=0)
    api.go_live(seed=1, weight=10)
    assert {api.call(f"{V2}/versions/{v}/infer", request())[1]["model_version"] for v in (1, 2)} == {"1", "2"}


@pytest.mark.parametrize("version", ["9", "0", "01", "-1", "latest", "1.0", "1 ", "%31"])
@pytest.mark.parametrize("rest", ["", "/ready", "/infer"])
def test_another_version_is_404_with_a_sentence(api: Api, version: str, rest: str) -> None:
    api.go_live()
    method = "POST" if rest == "/infer" else "GET"
    status, response, _ = api.call(f"{V2}/versions/{version}{rest}", request() if rest == "/infer" else None, method)
    assert status == 404 and "no such version" in response["error"] and "those that do: 1" in response["remedy"]


def test_only_the_outputs_that_a_request_names_are_returned_in_its_order(api: Api) -> None:
    api.go_live()
    status, response, _ = api.call(INFER, request(outputs=[{"name": "version"}, {"name": "prediction"}]))
    assert status == 200 and [output["name"] for output in response["outputs"]] == ["version", "prediction"]
    assert response["outputs"][0] == {"name": "version", "datatype": "INT64", "shape": [1], "data": [1]}
    described = {output["name"] for output in api.call(V2, method="GET")[1]["outputs"]}
    assert described == {"prediction", "probabilities", "prediction_id", "version"}
    assert len(api.call(INFER, request(outputs=[]))[1]["outputs"]) == 3


@pytest.mark.parametrize(
    ("more", "pointer", "sentence"),
    [
        ({"outputs": [{"name": "prediction"}, {"name": "score"}]}, "/outputs/1/name", "no such output; it has pred"),
        ({"outputs": [{"name": "prediction"}] * 2}, "/outputs/1/name", "duplicated"),
        ({"outputs": {}}, "/outputs", "a list of outputs"),
        ({"outputs": ["prediction"]}, "/outputs/0", "an output's name"),
        ({"outputs": [{"name": "prediction", "parameters": 5}]}, "/outputs/0/parameters", "an object is expected"),
        ({"outputs": [{"name": "prediction", "parameters": {"binary_data": 1}}]}, "/outputs/0/parameters/binary_data",
         "true or false"),
        ({"outputs": [{"name": "prediction", "parameters": 2}]}, "/outputs/0/parameters", "an object is expected"),
        ({"outputs": [{"name": "prediction", "parameters": {"classification": 2}}]},
         "/outputs/0/parameters/classification", "not supported"),
        ({"id": 7}, "/id", "a text is expected"),
        ({"parameters": []}, "/parameters", "an object is expected"),
        ({"parameters": {"binary_data_output": "yes"}}, "/parameters/binary_data_output", "true or false"),
        ({"parameters": {"sequence_id": 5}}, "/parameters/sequence_id", "no state"),
    ],
)  # fmt: skip
def test_what_a_request_asks_wrongly_is_named(api: Api, more: dict[str, Any], pointer: str, sentence: str) -> None:
    api.go_live()
    status, response, _ = api.call(INFER, request(**more))
    assert status == 400 and response["errors"][0]["pointer"] == pointer
    assert sentence in response["errors"][0]["detail"] and not api.firehose.lines


def test_parameters_that_change_nothing_are_accepted(api: Api) -> None:
    api.go_live()
    status, _, _ = api.call(INFER, request(parameters={"priority": 1, "timeout": 5, "own": "x"}, id=None, outputs=None))
    assert status == 200


HOLDS: dict[str, set[str]] = {
    "number": set(KNOWN_DATATYPES) - {"BOOL"},
    "boolean": {"BOOL", "BYTES"} | {name for name in KNOWN_DATATYPES if "INT" in name},
    "date": {"BYTES"},
    "day": {"BYTES", "FP64", "INT32", "INT64", "UINT32", "UINT64"},
    "text": {"BYTES"},
}


@pytest.mark.parametrize("datatype", KNOWN_DATATYPES)
@pytest.mark.parametrize("kind", FIELDS)
def test_a_datatype_must_be_able_to_hold_the_column(kind: str, datatype: str) -> None:
    if datatype in HOLDS[kind]:
        check_datatype(datatype, FIELDS[kind])
        return
    with pytest.raises(TensorError, match=f"which {datatype} cannot: send "):
        check_datatype(datatype, FIELDS[kind])


@pytest.mark.parametrize(
    ("datatype", "value", "sentence"),
    [
        ("UINT8", 256, "an integer from 0 to 255 (UINT8) is expected, got 256"),
        ("INT8", -129, "an integer from -128 to 127 (INT8)"),
        ("INT64", 2**63, "(INT64)"),
        ("INT64", 1.5, "(INT64)"),
        ("INT64", True, "(INT64)"),
        ("FP32", "1.5", "a number is expected, got '1.5'"),
        ("FP64", False, "a number is expected, got False"),
        ("BOOL", 1, "true or false is expected"),
        ("BYTES", 1, "a text (BYTES) is expected"),
        ("FP32", [1, 2], "a number is expected"),
    ],
)
def test_data_must_be_of_their_datatype(datatype: str, value: Any, sentence: str) -> None:
    with pytest.raises(TensorError) as caught:
        column_of({"name": "x", "shape": [1], "datatype": datatype, "data": [value]}, None, lambda *_: [])
    assert caught.value.pointer == "/data/0" and sentence in caught.value.detail


@pytest.mark.parametrize("shape", [None, [], [2], [1, 2], [1, 1, 1], [True], ["1"], [1.0], 1, [-1], [1, True]])
def test_the_shape_must_be_that_of_one_column(shape: Any) -> None:
    with pytest.raises(TensorError) as caught:
        column_of({"name": "x", "shape": shape, "datatype": "FP32", "data": [1]}, None, lambda *_: [])
    assert caught.value.pointer == "/shape"


@pytest.mark.parametrize(
    ("hours", "datatype"), [(47.5, "FP32"), ("47.5", "BYTES"), (" 47.5 ", "BYTES"), (47, "INT64"), (47, "UINT8")]
)
def test_a_number_may_come_in_any_datatype_that_holds_it(api: Api, hours: Any, datatype: str) -> None:
    api.go_live()
    expected = api.call(PREDICT, body(ROW | {HOURS: float(hours)}))[1]["probabilities"][0]
    status, response, _ = api.call(INFER, request(hours, datatype))
    assert status == 200 and response["outputs"][1]["data"] == list(expected.values())


@pytest.mark.parametrize(("hours", "datatype"), [(None, "FP64"), ("", "BYTES"), ("?", "BYTES"), (None, "BYTES")])
def test_a_missing_value_is_null_or_a_text_that_means_it(api: Api, hours: Any, datatype: str) -> None:
    api.go_live()
    expected = api.call(PREDICT, body(ROW | {HOURS: None}))[1]["probabilities"][0]
    assert api.call(INFER, request(hours, datatype))[1]["outputs"][1]["data"] == list(expected.values())


def test_a_text_that_is_no_number_is_named(api: Api) -> None:
    api.go_live()
    status, response, _ = api.call(INFER, request("forty", "BYTES"))
    assert status == 400 and response["errors"] == [
        {"pointer": "/inputs/0/data/0", "detail": "a number is expected, got 'forty'"}
    ]


def test_too_many_rows_are_413(api: Api) -> None:
    api.go_live()
    columns = [{"name": HOURS, "shape": [10_000], "datatype": "FP64", "data": [1.0] * 10_000}]
    status, response, _ = api.call(INFER, json.dumps({"inputs": columns}))
    assert status == 413 and "10,000 rows" in response["error"]


BAD: list[tuple[str, str, int, str]] = [
    ("NaN", request().replace("47.5", "NaN"), 400, "NaN is not a JSON number"),
    ("infinity", request().replace("47.5", "-Infinity"), 400, "-Infinity is not a JSON number"),
    ("a number above all floats", request().replace("47.5", "1e999"), 400, "too large"),
    ("a number above float32", request(1e39), 400, "the number is too large"),
    ("an integer of 5,000 digits", request().replace("47.5", "9" * 5000), 400, "too large"),
    ("deep nesting", '{"inputs": ' + "[" * 100_000, 400, "nested too deeply"),
    ("deep data", request().replace("47.5", "[" * 50 + "1" + "]" * 50), 400, "a number is expected"),
    ("6 MB", request(x="y" * (6 * 2**20)), 413, "bytes"),
    ("half a surrogate", request().replace("red", "\\ud800"), 400, "surrogate"),
    ("a key twice", '{"inputs": [], "inputs": []}', 400, "duplicate key"),
    ("an unknown column", request().replace("hours / week", "age"), 400, "has no such column"),
]  # fmt: skip


@pytest.mark.parametrize("path", [INFER, f"{V2}/versions/1/infer"])
@pytest.mark.parametrize(("name", "sent", "status", "sentence"), BAD, ids=[bad[0] for bad in BAD])
def test_bad_requests_get_a_problem_document(
    api: Api, path: str, name: str, sent: str, status: int, sentence: str
) -> None:
    api.go_live()
    got, problem, headers = api.call(path, sent)
    assert got == problem["status"] == status and headers["Content-Type"] == "application/problem+json"
    assert sentence in problem["detail"] and problem["error"] == problem["detail"] and len(problem["detail"]) < 300
    assert not api.firehose.lines
