"""Binary tensors behind the JSON of a request and of an answer."""

from __future__ import annotations

import gzip
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelcycle.predict.open_inference_binary import DTYPES, BinaryData, encoded
from tests.prediction_api import INFER, PREDICT, ROW, Api
from tests.raw_requests import Reply, send
from tests.trained import COLOUR, HOURS, body

HEADER = "inference_header_content_length"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    api = Api(monkeypatch)
    api.go_live()
    return api


def tensor(name: str, datatype: str, rows: int, data: bytes) -> tuple[dict[str, Any], bytes]:
    described = {"name": name, "shape": [rows], "datatype": datatype, "parameters": {"binary_data_size": len(data)}}
    return described, data


def texts(*values: str) -> bytes:
    return b"".join(struct.pack("<I", len(value.encode())) + value.encode() for value in values)


def request(*tensors: tuple[dict[str, Any], bytes], **more: Any) -> tuple[bytes, dict[str, str]]:
    head = json.dumps({"inputs": [described for described, _ in tensors], **more}).encode()
    return head + b"".join(data for _, data in tensors), {HEADER: str(len(head))}


def infer(api: Api, *tensors: tuple[dict[str, Any], bytes], **more: Any) -> Reply:
    sent, headers = request(*tensors, **more)
    return send(api, INFER, sent, accept="*/*", **headers)


GOOD = (
    tensor(HOURS, "FP32", 2, np.array([47.5, np.nan], "<f4").tobytes()),
    tensor(COLOUR, "BYTES", 2, texts("red", "ünï")),
)


def test_binary_inputs_get_the_same_answer_and_nan_is_missing(api: Api) -> None:
    plain = send(api, PREDICT, body(ROW, {HOURS: None, COLOUR: "ünï"}).encode()).json()
    outputs = {output["name"]: output for output in infer(api, *GOOD).json()["outputs"]}
    assert outputs["prediction_id"]["data"] == plain["prediction_ids"]
    assert outputs["probabilities"]["data"] == [share for row in plain["probabilities"] for share in row.values()]


def test_binary_outputs_hold_the_same_numbers(api: Api) -> None:
    plain = infer(api, *GOOD).json()
    reply = infer(api, *GOOD, id="7", parameters={"binary_data_output": True})
    length = int(reply.headers["inference-header-content-length"])
    head, rest = json.loads(reply.content[:length]), BinaryData(reply.content[length:])
    assert reply.headers["content-type"] == "application/octet-stream" and head["id"] == "7"
    for output, expected in zip(head["outputs"], plain["outputs"], strict=True):
        rows, size = int(np.prod(output["shape"])), output["parameters"].pop("binary_data_size")
        taken = rest.take(output["datatype"], rows, size)
        if output["datatype"] == "FP32":
            assert np.array_equal(np.float32(taken), np.float32(expected.pop("data")))
        else:
            assert taken == expected.pop("data")
        assert output == {"parameters": {}} | expected
    rest.check_all_taken()


def test_one_output_may_be_binary_and_another_not(api: Api) -> None:
    asked = [{"name": "version"}, {"name": "probabilities", "parameters": {"binary_data": True}}]
    reply = infer(api, *GOOD, outputs=asked)
    length = int(reply.headers["inference-header-content-length"])
    version, probabilities = json.loads(reply.content[:length])["outputs"]
    assert version["data"] == [1, 1] and "data" not in probabilities and len(reply.content) == length + 16


def test_a_client_that_names_no_media_type_gets_json(api: Api) -> None:
    sent, headers = request(*GOOD, parameters={"binary_data_output": True})
    reply = send(api, INFER, sent, **headers)
    assert reply.headers["content-type"] == "application/json" and reply.json()["outputs"][0]["data"]


def test_a_compressed_binary_request(api: Api) -> None:
    sent, headers = request(*GOOD)
    reply = send(api, INFER, gzip.compress(sent), content_encoding="gzip", **headers)
    assert reply.status == 200 and len(reply.json()["outputs"][0]["data"]) == 2


def changed(position: int, pointer: str, value: Any) -> list[tuple[dict[str, Any], bytes]]:
    tensors = [(json.loads(json.dumps(described)), data) for described, data in GOOD]
    tensors[position][0].setdefault("parameters", {})
    if pointer == "size":
        tensors[position][0]["parameters"]["binary_data_size"] = value
    elif pointer == "bytes":
        tensors[position] = (tensors[position][0], value)
        tensors[position][0]["parameters"]["binary_data_size"] = len(value)
    else:
        tensors[position][0][pointer] = value
    return tensors


@pytest.mark.parametrize(
    ("tensors", "pointer", "sentence"),
    [
        (changed(0, "size", 4), "/inputs/0/shape", "[1] or [1, 1] is expected for 1 values"),
        (changed(0, "size", 3), "/inputs/0/parameters/binary_data_size", "a multiple of 4"),
        (changed(0, "size", True), "/inputs/0/parameters/binary_data_size", "a number of bytes"),
        (changed(0, "size", -1), "/inputs/0/parameters/binary_data_size", "a number of bytes"),
        (changed(0, "data", [1.5, 2.5]), "/inputs/0/data", "not both"),
        (changed(0, "shape", [3]), "/inputs/0/shape", "[2] or [2, 1] is expected"),
        (changed(0, "shape", [1, 2]), "/inputs/0/shape", "each column is a tensor of its own"),
        (changed(0, "datatype", "BOOL"), "/inputs/0", "0 or 1"),
        (changed(1, "size", 10**9), "/inputs/1/parameters/binary_data_size", "are left"),
        (changed(1, "bytes", texts("red")), "/inputs/1/shape", "[1] or [1, 1]"),
        (changed(1, "bytes", texts("a", "b", "c")), "/inputs/1/shape", "more texts than the 2"),
        (changed(1, "bytes", struct.pack("<I", 2**31) + b"x"), "/inputs/1", "are cut"),
        (changed(1, "bytes", b"\x01"), "/inputs/1", "are cut"),
        (changed(1, "bytes", struct.pack("<I", 1) + b"\xff" + texts("a")), "/inputs/1", "not UTF-8"),
        ([*GOOD[:1], (GOOD[1][0], GOOD[1][1] + b"more")], "/inputs", "4 bytes behind the JSON belong to no tensor"),
    ],
)
def test_wrong_binary_data_are_named(api: Api, tensors: Any, pointer: str, sentence: str) -> None:
    reply = infer(api, *tensors)
    error = reply.json()["errors"][0]
    assert reply.status == 400 and error["pointer"] == pointer and sentence in error["detail"]
    assert reply.json()["error"]


@pytest.mark.parametrize("length", ["-1", "x", "", "99999", "1e2", "٣"])
def test_a_wrong_header_length_is_told(api: Api, length: str) -> None:
    reply = send(api, INFER, request(*GOOD)[0], **{HEADER: length})
    assert reply.status == 400 and "Inference-Header-Content-Length" in reply.json()["detail"]


def test_binary_data_without_the_header_are_told(api: Api) -> None:
    sent, _ = request(*GOOD)
    reply = send(api, INFER, sent, content_type="application/octet-stream")
    assert reply.status == 415 and "Inference-Header-Content-Length" in reply.json()["detail"]
    head = json.dumps({"inputs": [GOOD[0][0]]}).encode()
    assert "Inference-Header-Content-Length" in send(api, INFER, head).json()["detail"]


@given(st.sampled_from([*DTYPES, "BOOL", "BYTES"]), st.data())
def test_values_are_restored(datatype: str, data: st.DataObject) -> None:
    if datatype == "BOOL":
        expected: list[Any] = data.draw(st.lists(st.booleans()))
        content = bytes(expected)
    elif datatype == "BYTES":
        expected = data.draw(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
        content = encoded(expected, datatype)
    else:
        raw = data.draw(st.binary(max_size=64))
        size = np.dtype(DTYPES[datatype]).itemsize
        content = raw[: len(raw) // size * size]
        expected = [None if value != value else value for value in np.frombuffer(content, DTYPES[datatype]).tolist()]
    assert BinaryData(content).take(datatype, len(expected), len(content)) == expected


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chunk=st.binary(max_size=40), datatype=st.sampled_from([*DTYPES, "BOOL", "BYTES"]), rows=st.integers(0, 4),
    size=st.integers(0, 50), name=st.sampled_from([HOURS, COLOUR]),
)  # fmt: skip
def test_no_binary_data_cause_an_internal_error(
    api: Api, chunk: bytes, datatype: str, rows: int, size: int, name: str
) -> None:
    described, _ = tensor(name, datatype, rows, b"")
    described["parameters"]["binary_data_size"] = size
    reply = infer(api, (described, chunk), GOOD[1])
    assert reply.status in (200, 400) and (reply.status == 200 or reply.json()["error"])
