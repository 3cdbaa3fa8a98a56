"""Every bad request is refused with one clear sentence, and no inside is ever told."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelcycle.faults import Transient
from modelcycle.model.answer import MOST_ROWS
from tests.prediction_api import INFER, PREDICT, ROW, Api, json_values
from tests.trained import COLOUR, HOURS, MODEL, body


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


BAD: list[tuple[str, Any, int, str]] = [
    ("a missing field", body({HOURS: 1}), 400, "the column is missing"),
    ("an unknown field", body(ROW | {"age": 1}), 400, "has no such column"),
    ("a wrong type", body(ROW | {HOURS: "forty"}), 400, "a number is expected, got 'forty'"),
    ("an empty list", body(), 400, "a list of one or more rows is expected"),
    ("no instances", "{}", 400, "the field is missing"),
    ("another field", json.dumps({"instances": [ROW], "rows": 1}), 400, "no such field"),
    ("no object", "[]", 400, "an object is expected"),
    ("null", "null", 400, "an object is expected"),
    ("rows that are none", body(3), 400, "an object {column: value} is expected"),
    ("no list", '{"instances": {}}', 400, "a list of one or more rows is expected"),
    ("no JSON", "age=3", 400, "the body is not JSON"),
    ("half of JSON", '{"instances": [', 400, "the body is not JSON"),
    ("an empty body", "", 400, "the body is empty"),
    ("no body", None, 400, "the body is empty"),
    ("NaN", '{"instances": [{"hours / week": NaN}]}', 400, "NaN is no JSON number"),
    ("infinity", '{"instances": [{"hours / week": -Infinity}]}', 400, "-Infinity is no JSON number"),
    ("a number past all floats", '{"instances": [{"hours / week": 1e999}]}', 400, "a number is too large"),
    ("a number of 5,000 digits", '{"instances": [{"hours / week": ' + "9" * 5000 + "}]}", 400, "too large"),
    ("an integer past all floats", body({HOURS: 10**390, COLOUR: "red"}), 400, "the number is too large"),
    ("a key twice", '{"instances": [], "instances": []}', 400, "a key stands twice"),
    ("a deep nest", "[" * 100_000, 400, "nested too deeply"),
    ("half a surrogate", '{"instances": [{"hours / week": 1, "=co\\"lour.": "\\ud800"}]}', 400, "surrogate"),
    ("too many rows", body(*[{}] * (MOST_ROWS + 1)), 413, "1,001 rows, 1,000 at most"),
    ("too many bytes", body({"x": "y" * (3 * 2**20)}), 413, "bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sent", "status", "said"), BAD, ids=[bad[0] for bad in BAD])
def test_bad_requests_get_one_clear_sentence(api: Api, name: str, sent: Any, status: int, said: str) -> None:
    api.go_live()
    got, told, headers = api.call(PREDICT, sent)
    assert got == told["status"] == status and headers["Content-Type"] == "application/problem+json"
    assert said in told["detail"] and "Traceback" not in json.dumps(told) and len(told["detail"]) < 300
    assert {"type", "title", "status", "detail"} <= set(told) and not api.firehose.lines


def test_a_wrong_field_is_named_by_pointer(api: Api) -> None:
    api.go_live()
    _, told, _ = api.call(PREDICT, body(ROW, ROW | {HOURS: [1]}))
    assert told["errors"] == [{"pointer": "/instances/1/hours ~1 week", "detail": "a number is expected, got [1]"}]


def test_a_body_in_base64(api: Api) -> None:
    api.go_live()
    assert api.call(PREDICT, base64.b64encode(body(ROW).encode()).decode(), isBase64Encoded=True)[0] == 200
    status, told, _ = api.call(PREDICT, base64.b64encode(b"\xff\xfe").decode(), isBase64Encoded=True)
    assert status == 400 and "UTF-8" in told["detail"]
    assert api.call(PREDICT, "%%%", isBase64Encoded=True)[0] == 400


def test_an_unknown_model_is_404_and_one_without_a_live_version_409(api: Api) -> None:
    for path in ("/models/nobody/predict", "/models/a%20b'; --/predict", "/models//predict", "/elsewhere"):
        status, told, _ = api.call(path, body(ROW))
        assert status == 404 and "there is no" in told["detail"]
    api.registry.table.write(*api.registry.runs._model(MODEL))
    status, told, _ = api.call(PREDICT, body(ROW))
    assert status == 409 and "no live version" in told["detail"]


def test_a_registry_that_does_not_answer_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(model: str) -> Any:
        raise Transient("DynamoDB did not answer")

    monkeypatch.setattr(api.registry.routes, "get", silent)
    status, told, headers = api.call(PREDICT, body(ROW))
    assert status == 503 and headers["Retry-After"] == "1" and "DynamoDB" in told["detail"]


def test_an_error_from_inside_says_nothing_of_the_inside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: str) -> Any:
        raise RuntimeError("secret 4711")

    monkeypatch.setattr(api.registry.routes, "get", broken)
    status, told, _ = api.call(PREDICT, body(ROW))
    assert status == 500 and "secret" not in json.dumps(told)
    logged = api.log.getvalue()
    assert "secret" not in logged and "RuntimeError" in logged


def test_a_missing_permission_is_named_in_the_log_and_not_in_the_answer(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(model: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no dynamodb:GetItem"}}, "GetItem")

    monkeypatch.setattr(api.registry.routes, "get", denied)
    status, told, _ = api.call(PREDICT, body(ROW))
    assert status == 500 and "dynamodb" not in json.dumps(told) and "dynamodb:GetItem" in api.log.getvalue()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=json_values | st.text(max_size=20), path=st.sampled_from([PREDICT, INFER]))
def test_whatever_is_sent_nothing_breaks(api: Api, sent: Any, path: str) -> None:
    if not api.registry.versions.all(MODEL):
        api.go_live()
    status, told, _ = api.call(path, sent if isinstance(sent, str) else json.dumps(sent))
    assert status in (200, 400) and (status == 200 or told["detail"])


def test_an_answer_that_api_gateway_could_not_carry_is_413(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.go_live()
    monkeypatch.setattr(sys.modules["modelcycle.predict.predict"], "LARGEST_ANSWER", 1000)
    status, told, _ = api.call(PREDICT, body(*[ROW] * 50))
    assert status == 413 and "fewer rows" in json.dumps(told) and not api.firehose.lines


def test_a_service_that_cannot_be_reached_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(artifact: Any) -> Any:
        raise Transient("S3 did not answer", "s3://artifacts/x", "")  # as the port says it, see test_outages

    api.go_live()
    monkeypatch.setattr(api.store, "read", unreachable)
    status, told, _ = api.call(PREDICT, body(ROW))
    assert status == 503 and told["detail"] == "S3 did not answer"
