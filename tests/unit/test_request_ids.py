"""A request can be found by the id that its answer names, in every line of the log."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.signing import _fault
from modelcycle.gateway.events import as_http_response, as_rest_event
from modelcycle.request_ids import MAX_CLIENT_ID_CHARACTERS, client_request_id
from tests.contract.functions import ROOT, functions
from tests.prediction_api import PREDICT, ROW, Api

BODY = json.dumps({"instances": [ROW]})


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


def log_lines(api: Api) -> list[dict[str, Any]]:
    return [json.loads(line) for line in api.log.getvalue().splitlines() if line.startswith("{")]


def test_every_line_of_a_request_has_both_ids(api: Api) -> None:
    api.go_live()
    headers = {"Content-Type": "application/json", "x-request-ID": "mine-1"}
    api.call(PREDICT, BODY, headers=headers)
    api.call(PREDICT, "{", headers=headers)
    told = [line for line in log_lines(api) if line["message"] in ("answered", "refused")]
    assert [line["message"] for line in told] == ["answered", "refused"]
    assert {(line["correlation_id"], line["client_request_id"]) for line in told} == {("request-1", "mine-1")}


def test_one_requests_id_is_not_in_the_next_ones_lines(api: Api) -> None:
    api.go_live()
    api.call(PREDICT, BODY, headers={"Idempotency-Key": "first"})
    api.call(PREDICT, BODY)
    told = [line["client_request_id"] for line in log_lines(api) if line["message"] == "answered"]
    assert told == ["first", ""]


def test_the_answer_names_the_id_in_a_header_and_a_problem_in_its_body(api: Api) -> None:
    api.go_live()
    status, answer, headers = api.call(PREDICT, BODY)
    assert (status, headers["X-Request-Id"]) == (200, "request-1")
    assert "instance" not in answer
    for path, body in ((PREDICT, "{"), ("/nowhere", BODY), ("/v2/models/none/infer", "{}")):
        status, problem, headers = api.call(path, body)
        assert status >= 400
        assert headers["X-Request-Id"] == "request-1"
        assert problem["instance"] == "urn:modelcycle:request:request-1"


def test_a_compressed_answer_keeps_its_body(api: Api) -> None:
    api.go_live()
    event = {
        "httpMethod": "POST", "path": PREDICT, "resource": PREDICT, "isBase64Encoded": False, "pathParameters": None,
        "body": json.dumps({"instances": [ROW] * 300}), "multiValueHeaders": {}, "queryStringParameters": None,
        "multiValueQueryStringParameters": None, "stageVariables": None,
        "headers": {"Accept": "application/json", "Accept-Encoding": "gzip"},
        "requestContext": {"requestId": "r", "stage": "live", "httpMethod": "POST", "path": PREDICT},
    }  # fmt: skip
    response = api.handle(event)
    assert response["isBase64Encoded"]
    assert response["multiValueHeaders"]["X-Request-Id"] == ["r"]


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_what_a_client_sends_is_short_and_printable_in_the_log(text: str) -> None:
    told = client_request_id({"headers": {"x-request-id": text}})
    assert len(told) <= MAX_CLIENT_ID_CHARACTERS
    assert told.isascii()
    assert told.isprintable()


def test_an_event_of_the_http_api_gets_the_same_answer(api: Api) -> None:
    api.go_live()
    event = {
        "version": "2.0", "routeKey": "POST /models/{name}/predict", "rawPath": PREDICT,
        "rawQueryString": "explain=true",
        "headers": {"content-type": "application/json"}, "isBase64Encoded": False, "body": BODY,
        "requestContext": {
            "requestId": "request-1", "stage": "$default", "domainName": "x", "timeEpoch": 1,
            "http": {"method": "POST", "path": PREDICT, "sourceIp": "::1"},
        },
    }  # fmt: skip
    response = api.handle(event)
    assert "multiValueHeaders" not in response
    assert response["headers"]["X-Request-Id"] == "request-1"
    expected = api.call(PREDICT, BODY, queryStringParameters={"explain": "true"})[1]
    assert json.loads(response["body"]) == expected
    assert expected["explanations"]
    refused = api.handle(event | {"rawPath": "/v2/models/none"})
    assert refused["statusCode"] == 404
    assert json.loads(refused["body"])["instance"] == "urn:modelcycle:request:request-1"


def test_a_stage_in_the_path_of_the_http_api_is_not_part_of_ours() -> None:
    context = {"stage": "live", "requestId": "r", "http": {"method": "GET"}}
    assert as_rest_event({"rawPath": "/live/v2", "requestContext": context})["path"] == "/v2"
    assert as_rest_event({"rawPath": "/live", "requestContext": context})["path"] == "/"
    assert as_http_response({"statusCode": 204})["headers"] == {}


def test_the_command_line_tells_the_id_of_a_refused_request() -> None:
    problem = {"detail": "no", "instance": "urn:modelcycle:request:abc", "type": "urn:x"}
    assert _fault(503, problem, "http://api/x").where == "http://api/x, request abc"
    assert _fault(503, {"detail": "no"}, "http://api/x").where == "http://api/x"


def test_a_decision_names_its_request_too() -> None:
    decide = functions()["Decide"]
    log = io.StringIO()
    decide.module().logger.registered_handler.setStream(log)  # type: ignore[attr-defined]
    event = json.loads((ROOT / "events" / "decide.json").read_text())
    response = decide(event | {"body": "{", "headers": {"X-Request-Id": "ticket-9"}})
    number = event["requestContext"]["requestId"]
    assert response["statusCode"] == 400
    assert response["multiValueHeaders"]["X-Request-Id"] == [number]
    assert json.loads(response["body"])["instance"] == f"urn:modelcycle:request:{number}"
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["message"], line["correlation_id"], line["client_request_id"]) == ("refused", number, "ticket-9")
