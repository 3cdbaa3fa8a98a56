"""Rows are predicted without the router, and nobody can tell: the same answer and the same lines in the log."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelcycle.faults import Transient
from tests.prediction_api import PREDICT, ROW, Api, json_values
from tests.trained import COLOUR, HOURS, ID, MODEL, body

JSON_TYPE = {"Content-Type": "application/json"}
TIMES = ("timestamp", "xray_trace_id", "cold_start")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


def event(text: Any, path: str = PREDICT, method: str = "POST", **others: Any) -> dict[str, Any]:
    return {
        "httpMethod": method, "path": path, "resource": path, "body": text, "isBase64Encoded": False,
        "headers": JSON_TYPE, "multiValueHeaders": {}, "queryStringParameters": None,
        "multiValueQueryStringParameters": None, "pathParameters": None, "stageVariables": None,
        "requestContext": {"requestId": "request-1", "stage": "prod", "httpMethod": method, "path": path},
    } | others  # fmt: skip


def http_event(text: str, path: str = PREDICT) -> dict[str, Any]:
    http = {"method": "POST", "path": path}
    context = {"http": http, "requestId": "request-2", "stage": "$default"}
    return {"version": "2.0", "rawPath": path, "rawQueryString": "explain=true", "headers": JSON_TYPE,
            "requestContext": context, "body": text, "isBase64Encoded": False}  # fmt: skip


def base64_of(content: bytes, **headers: str) -> dict[str, Any]:
    return event(base64.b64encode(content).decode(), isBase64Encoded=True, headers=JSON_TYPE | headers)


GOOD = body(ROW | {ID: "7"})
REQUESTS = {
    "a row": event(GOOD),
    "rows": event(body(*[ROW | {ID: str(row)} for row in range(60)])),
    "a compressed answer": event(
        body(*[ROW] * 60), headers=JSON_TYPE | {"Accept": "application/json", "accept-encoding": "gzip"}
    ),
    "a compressed body": base64_of(gzip.compress(GOOD.encode()), **{"Content-Encoding": "gzip"}),
    "an idempotency key": event(GOOD, headers=JSON_TYPE | {"Idempotency-Key": "order 7"}),
    "an origin": event(GOOD, headers=JSON_TYPE | {"Origin": "https://example.com"}),
    "an explanation": event(GOOD, queryStringParameters={"explain": "true"}),
    "an unknown wish": event(GOOD, queryStringParameters={"explain": "perhaps"}),
    "no headers": event(GOOD, headers=None),
    "no request id": event(GOOD, requestContext={}),
    "an HTTP API": http_event(GOOD),
    "an HTTP API's bad request": http_event("{"),
    "a wrong type": event(body({HOURS: "forty", COLOUR: None})),
    "no JSON": event("{"),
    "no body": event(None),
    "Latin-1": base64_of(GOOD.replace("red", "r\xe9d").encode("latin-1")),
    "no base64": event("%", isBase64Encoded=True),
    "another content type": event(GOOD, headers={"Content-Type": "text/csv"}),
    "binary": event(GOOD, headers={"Content-Type": "application/octet-stream"}),
    "an unknown model": event(GOOD, "/models/none/predict"),
    "a name that is none": event(GOOD, "/models/No%20Name/predict"),
    "a slash more": event(GOOD, f"{PREDICT}/"),
    "another method": event(None, method="GET"),
    "another path": event(GOOD, f"/models/{MODEL}/predictions"),
    "a line break": event(GOOD, f"{PREDICT}\n"),
}


def told(api: Api, monkeypatch: pytest.MonkeyPatch, request: dict[str, Any], with_router: bool) -> Any:
    """Return the response, and the log's lines without what differs between any two requests."""
    api.log.seek(0)
    api.log.truncate()
    with monkeypatch.context() as patched:
        if with_router:
            patched.setattr(api.app, "answer_without_router", lambda *_: None)
        response = api.handle(request)
    lines = [json.loads(line) for line in api.log.getvalue().splitlines() if line.startswith("{")]
    return response, [{name: value for name, value in line.items() if name not in TIMES} for line in lines]


@pytest.mark.parametrize("kind", REQUESTS)
def test_both_ways_give_the_same_answer_and_the_same_lines(
    api: Api, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    api.go_live()
    directly = told(api, monkeypatch, REQUESTS[kind], with_router=False)
    assert directly == told(api, monkeypatch, REQUESTS[kind], with_router=True)
    assert directly[0]["statusCode"] >= 200 and directly[1], "an answer, and a line that says so"


@pytest.mark.parametrize("error", [Transient("S3 is slow", MODEL, "try again"), RuntimeError("a secret")])
def test_both_ways_tell_the_same_of_an_outage(api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fails(name: str) -> Any:
        raise error

    api.go_live()
    monkeypatch.setattr(api.live_models, "get", fails)
    directly = told(api, monkeypatch, event(GOOD), with_router=False)
    assert directly == told(api, monkeypatch, event(GOOD), with_router=True)
    assert directly[0]["statusCode"] in (500, 503) and "secret" not in str(directly)


def test_any_json_is_told_the_same_both_ways(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.go_live()

    @given(json_values | st.lists(json_values, max_size=2).map(lambda rows: {"instances": rows}))
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def check(value: Any) -> None:
        request = event(json.dumps(value))
        assert told(api, monkeypatch, request, False) == told(api, monkeypatch, request, True)

    check()


def test_the_router_is_not_asked_for_rows(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.go_live()
    monkeypatch.setattr(api.app.app, "resolve", lambda *_: pytest.fail("the router was asked"))
    assert api.handle(event(GOOD))["statusCode"] == 200
