"""Every bad request is refused with one clear sentence, and no response reveals internals."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelcycle.faults import Transient
from modelcycle.model.request import MAX_REQUEST_ROWS
from tests.prediction_api import INFER, PREDICT, ROW, Api, json_values
from tests.trained import COLOUR, HOURS, MODEL, body


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


BAD: list[tuple[str, Any, int, str]] = [
    ("a missing field", body({HOURS: 1}), 400, "the column is missing; send null for a missing value"),
    ("an unknown field", body(ROW | {"age": 1}), 400, "has no such column"),
    ("a wrong type", body(ROW | {HOURS: "forty"}), 400, "a number is expected, got 'forty'"),
    ("an empty list", body(), 400, "a list of one or more rows is expected"),
    ("no instances", "{}", 400, "the field is missing"),
    ("another field", json.dumps({"instances": [ROW], "rows": 1}), 400, "unknown field"),
    ("not an object", "[]", 400, "an object is expected"),
    ("null", "null", 400, "an object is expected"),
    ("rows that are not objects", body(3), 400, "an object {column: value} is expected"),
    ("not a list", '{"instances": {}}', 400, "a list of one or more rows is expected"),
    ("not JSON", "age=3", 400, "the body is not JSON"),
    ("a byte order mark", "\ufeff{}", 400, "the body begins with a byte order mark"),
    ("half of JSON", '{"instances": [', 400, "the body is not JSON"),
    ("an empty body", "", 400, "the body is empty"),
    ("no body", None, 400, "the body is empty"),
    ("NaN", '{"instances": [{"hours / week": NaN}]}', 400, "NaN is not a JSON number"),
    ("infinity", '{"instances": [{"hours / week": -Infinity}]}', 400, "-Infinity is not a JSON number"),
    ("a number above all floats", '{"instances": [{"hours / week": 1e999}]}', 400, "a number is too large"),
    ("a number of 5,000 digits", '{"instances": [{"hours / week": ' + "9" * 5000 + "}]}", 400, "too large"),
    ("an integer above all floats", body({HOURS: 10**390, COLOUR: "red"}), 400, "the number is too large"),
    ("a key twice", '{"instances": [], "instances": []}', 400, "duplicate key"),
    ("deep nesting", "[" * 100_000, 400, "nested too deeply"),
    ("half a surrogate", '{"instances": [{"hours / week": 1, "=co\\"lour.": "\\ud800"}]}', 400, "surrogate"),
    ("too many rows", body(*[{}] * (MAX_REQUEST_ROWS + 1)), 413, "1,001 rows; the limit is 1,000"),
    ("too many bytes", body({"x": "y" * (3 * 2**20)}), 413, "bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "sent", "status", "sentence"), BAD, ids=[bad[0] for bad in BAD])
def test_bad_requests_get_one_clear_sentence(api: Api, name: str, sent: Any, status: int, sentence: str) -> None:
    api.go_live()
    got, problem, headers = api.call(PREDICT, sent)
    assert got == problem["status"] == status and headers["Content-Type"] == "application/problem+json"
    assert sentence in problem["detail"] and "Traceback" not in json.dumps(problem) and len(problem["detail"]) < 300
    assert {"type", "title", "status", "detail"} <= set(problem) and not api.firehose.lines


def test_a_wrong_field_is_named_by_pointer(api: Api) -> None:
    api.go_live()
    _, problem, _ = api.call(PREDICT, body(ROW, ROW | {HOURS: [1]}))
    assert problem["errors"] == [{"pointer": "/instances/1/hours ~1 week", "detail": "a number is expected, got [1]"}]


def test_a_body_in_base64(api: Api) -> None:
    api.go_live()
    assert api.call(PREDICT, base64.b64encode(body(ROW).encode()).decode(), isBase64Encoded=True)[0] == 200
    status, problem, _ = api.call(PREDICT, base64.b64encode(b"\xff\xfe").decode(), isBase64Encoded=True)
    assert status == 400 and "UTF-8" in problem["detail"]
    assert api.call(PREDICT, "%%%", isBase64Encoded=True)[0] == 400


@pytest.mark.parametrize("name", ["x" * 3000, "Kunde", "a b", "-"])
def test_a_name_that_no_model_can_have_is_404_and_the_registry_is_not_asked(api: Api, name: str) -> None:
    """DynamoDB refuses a key of more than 2,048 bytes: that was a 500."""
    api.live_models.registry = api.live_models.quick_registry = None  # type: ignore[assignment]
    status, problem, _ = api.call(f"/models/{name}/predict", body(ROW))
    assert status == problem["status"] == 404 and problem["detail"] == "there is no model of that name"


def test_an_unknown_model_is_404_and_one_without_a_live_version_409(api: Api) -> None:
    for path in ("/models/nobody/predict", "/models/a%20b'; --/predict", "/models//predict", "/elsewhere"):
        status, problem, _ = api.call(path, body(ROW))
        assert status == 404 and "there is no" in problem["detail"]
    unit = api.registry.unit_of_work(MODEL)
    api.registry.runs.put_model(unit)
    unit.commit()
    status, problem, _ = api.call(PREDICT, body(ROW))
    assert status == 409 and "no live version" in problem["detail"]


def test_a_registry_that_does_not_answer_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def unanswered(model: str) -> Any:
        raise Transient("DynamoDB did not answer")

    monkeypatch.setattr(api.registry.routes, "get", unanswered)
    status, problem, headers = api.call(PREDICT, body(ROW))
    assert status == 503 and headers["Retry-After"] == "1" and "DynamoDB" in problem["detail"]


def test_an_internal_error_reveals_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(model: str) -> Any:
        raise RuntimeError("secret 4711")

    monkeypatch.setattr(api.registry.routes, "get", broken)
    status, problem, _ = api.call(PREDICT, body(ROW))
    assert status == 500 and "secret" not in json.dumps(problem)
    logged = api.log.getvalue()
    assert "secret" not in logged and "RuntimeError" in logged


def test_a_missing_permission_is_named_in_the_log_and_not_in_the_answer(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(model: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no dynamodb:GetItem"}}, "GetItem")

    monkeypatch.setattr(api.registry.routes, "get", denied)
    status, problem, _ = api.call(PREDICT, body(ROW))
    assert status == 500 and "dynamodb" not in json.dumps(problem) and "dynamodb:GetItem" in api.log.getvalue()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=json_values | st.text(max_size=20), path=st.sampled_from([PREDICT, INFER]))
def test_no_body_causes_an_internal_error(api: Api, sent: Any, path: str) -> None:
    if not api.registry.versions.all(MODEL):
        api.go_live()
    status, problem, _ = api.call(path, sent if isinstance(sent, str) else json.dumps(sent))
    assert status in (200, 400) and (status == 200 or problem["detail"])


def test_an_answer_above_lambdas_limit_is_413(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.go_live()
    monkeypatch.setattr("modelcycle.predict.response_body.MAX_RESPONSE_BYTES", 1000)
    status, problem, _ = api.call(PREDICT, body(*[ROW] * 50))
    assert status == 413 and "fewer rows" in json.dumps(problem) and not api.firehose.lines


def test_a_service_that_cannot_be_reached_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(artifact: Any) -> Any:
        raise Transient("S3 did not answer", "s3://artifacts/x", "")  # as the port raises it, see test_outages

    api.go_live()
    monkeypatch.setattr(api.store, "read", unreachable)
    status, problem, _ = api.call(PREDICT, body(ROW))
    assert status == 503 and problem["detail"] == "S3 did not answer"
