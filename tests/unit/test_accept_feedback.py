"""Outcomes over HTTP: kept once, whatever repeats the request; errors name each wrong field."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from modelcycle.accept_feedback import accept_feedback, outcomes_key
from modelcycle.accept_feedback.outcomes_request import outcomes_of
from modelcycle.faults import BadRequest, TooLarge, Unknown
from modelcycle.model.request import MAX_OUTCOMES
from modelcycle.registry import Registry, Write, keys
from tests.contract.functions import functions
from tests.fakes import MemoryKeys, MemoryStore, MemoryTable
from tests.unit.data_steps import AT

ROW = {"prediction_id": "p1", "outcome": "yes"}


class Place:
    """A data bucket, and a registry that knows the model `m`."""

    def __init__(self) -> None:
        self.data, self.artifacts, self.keys = MemoryStore("data"), MemoryStore(), MemoryKeys()
        table = MemoryTable()
        self.registry = Registry(table)
        table.write(Write(*keys.model_entry("m"), body={}))

    def send(self, request: Any, key: str = "", model: str = "m") -> dict[str, Any]:
        return accept_feedback(
            model, request, key, AT, data=self.data, artifacts=self.artifacts, registry=self.registry, keys=self.keys
        )


def test_outcomes_are_kept_as_lines_and_the_same_ones_are_kept_once() -> None:
    place = Place()
    rows = [ROW, {"customer": 17, "outcome": 1.5, "at": "2026-01-02"}, {"prediction_id": "ü", "outcome": False}]
    answer = place.send({"outcomes": rows})
    assert place.send({"outcomes": rows}) == answer
    assert answer == {"model": "m", "outcomes": 3, "kept": next(iter(place.data.objects))}
    ((key, body),) = place.data.objects.items()
    assert key.startswith("feedback/m/api/") and [json.loads(line) for line in body.splitlines()] == rows
    place.send({"outcomes": rows}, key="k")
    place.send({"outcomes": [ROW]}, key="k")
    assert len(place.data.objects) == 3, "a key is that of the same outcomes only"


def test_a_repeated_request_is_the_same_within_an_hour_and_with_a_key_for_ever() -> None:
    later = AT.replace(hour=(AT.hour + 1) % 24)
    assert outcomes_key("m", b"x", "", AT) != outcomes_key("m", b"x", "", later)
    assert outcomes_key("m", b"x", "k", AT) == outcomes_key("m", b"x", "k", later) != outcomes_key("m", b"x", "j", AT)
    assert "/../" not in outcomes_key("m", b"x", "/../", AT)


@pytest.mark.parametrize(
    ("request_body", "pointers"),
    [
        ([], [""]), ({}, ["/outcomes"]), ({"outcomes": []}, ["/outcomes"]), ({"outcomes": {}}, ["/outcomes"]),
        ({"outcomes": [ROW], "model": "m"}, ["/model"]),
        ({"outcomes": [ROW, 7, {"outcome": "yes"}, {"prediction_id": "p"}]},
         ["/outcomes/1", "/outcomes/2/prediction_id", "/outcomes/3/outcome"]),
        ({"outcomes": [ROW | {"outcome": None}, ROW | {"outcome": " "}, ROW | {"outcome": ["yes"]}]},
         ["/outcomes/0/outcome", "/outcomes/1/outcome", "/outcomes/2/outcome"]),
        ({"outcomes": [ROW | {"prediction_id": 7}, ROW | {"prediction_id": ""}, ROW | {"prediction_id": None}]},
         ["/outcomes/0/prediction_id", "/outcomes/1/prediction_id", "/outcomes/2/prediction_id"]),
        ({"outcomes": [ROW | {"at": "soon"}, ROW | {"at": True}, ROW | {"a/b": {}}]},
         ["/outcomes/0/at", "/outcomes/1/at", "/outcomes/2/a~1b"]),
        ({"outcomes": [{"outcome": "yes", "at": "2026-01-01"}, {"outcome": 1, "customer": None}]},
         ["/outcomes/0/prediction_id", "/outcomes/1/prediction_id"]),
        ({"outcomes": [dict.fromkeys(map(str, range(101)), 1)]}, ["/outcomes/0"]),
    ],
)  # fmt: skip
def test_every_wrong_field_is_named_and_nothing_is_kept(request_body: Any, pointers: list[str]) -> None:
    place = Place()
    with pytest.raises(BadRequest) as caught:
        place.send(request_body)
    assert [error["pointer"] for error in caught.value.errors] == pointers and not place.data.objects


def test_too_many_outcomes_and_unknown_models_are_refused() -> None:
    with pytest.raises(TooLarge):
        outcomes_of({"outcomes": [ROW] * (MAX_OUTCOMES + 1)})
    assert len(outcomes_of({"outcomes": [ROW] * MAX_OUTCOMES})) == MAX_OUTCOMES
    place = Place()
    with pytest.raises(Unknown):
        place.send({"outcomes": [ROW]}, model="n")
    assert not place.data.objects


def http(body: bytes | str, **headers: str) -> dict[str, Any]:
    """Return an event of the HTTP API, which takes tokens."""
    encoded = base64.b64encode(body.encode() if isinstance(body, str) else body).decode()
    return {
        "version": "2.0", "rawPath": "/models/m/feedback", "headers": headers, "body": encoded, "isBase64Encoded": True,
        "pathParameters": {"name": "m"},
        "requestContext": {
            "http": {"method": "POST", "path": "/models/m/feedback"}, "stage": "$default", "requestId": "r",
        },
    }  # fmt: skip


def rest(body: bytes | str, **headers: str) -> dict[str, Any]:
    encoded = base64.b64encode(body.encode() if isinstance(body, str) else body).decode()
    return {
        "httpMethod": "POST", "path": "/models/m/feedback", "resource": "/models/{name}/feedback", "headers": headers,
        "multiValueHeaders": {}, "pathParameters": {"name": "m"}, "queryStringParameters": None, "body": encoded,
        "isBase64Encoded": True,
        "requestContext": {"requestId": "r", "stage": "live", "path": "/live/models/m/feedback"},
    }  # fmt: skip


@pytest.mark.parametrize("event", [rest, http])
def test_the_function_answers_both_apis(event: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    function = functions()["AcceptFeedback"]
    monkeypatch.setattr(function.module(), "aws", lambda: place)
    body = json.dumps({"outcomes": [ROW]})
    answer = function(
        event(gzip.compress(body.encode()), **{"content-type": "application/json", "Content-Encoding": "gzip"})
    )
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"]) == {"model": "m", "outcomes": 1, "kept": next(iter(place.data.objects))}
    assert function(event(body, **{"Idempotency-Key": "k"}))["statusCode"] == 200 and len(place.data.objects) == 2
    refused = {
        400: [event("{"), event('{"outcomes": [NaN]}'), event('{"outcomes": 1, "outcomes": 2}'), event(b"\xff")],
        413: [event(b" " * (3 * 2**20 + 1))],
        415: [event(body, **{"content-type": "text/csv"}), event(body, **{"content-encoding": "br"})],
    }  # fmt: skip
    for status, events in refused.items():
        for one in events:
            answer = function(one)
            assert (
                answer["statusCode"] == status and json.loads(answer["body"])["instance"] == "urn:modelcycle:request:r"
            )
    assert len(place.data.objects) == 2
