"""What follows an answer is done after it: on Lambda before the next event, elsewhere by a thread beside requests."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelcycle.predict.captures import MAX_HELD_ROWS
from tests.fake_lambda import FakeLambda, Function
from tests.prediction_api import PREDICT, ROW
from tests.trained import ID, body, train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trained = train("binary")
    folder = tmp_path_factory.mktemp("model")
    (folder / "model.onnx").write_bytes(trained.onnx)
    (folder / "signature.json").write_text(trained.signature.model_dump_json())
    return folder


PLACES = {
    "Lambda": {"has_extensions": True, "is_told": True},
    "a later runtime on Lambda": {"has_extensions": True, "is_told": False},
    "local cloud": {"has_extensions": False, "is_told": True},
}


@pytest.fixture(params=PLACES)
def function(request: pytest.FixtureRequest, folder: Path) -> Iterator[Function]:
    place = PLACES[request.param]
    fake = FakeLambda(has_extensions=place["has_extensions"])
    function = Function(fake, folder, is_told=place["is_told"])
    try:
        yield function
    finally:
        function.close()
        fake.close()


@pytest.fixture
def on_lambda(folder: Path) -> Iterator[Function]:
    fake = FakeLambda()
    function = Function(fake, folder)
    try:
        yield function
    finally:
        function.close()
        fake.close()


def event(text: str, path: str = PREDICT) -> dict[str, Any]:
    return {
        "httpMethod": "POST", "path": path, "resource": path, "body": text, "isBase64Encoded": False,
        "headers": {"Content-Type": "application/json"}, "multiValueHeaders": {}, "queryStringParameters": None,
        "multiValueQueryStringParameters": None, "pathParameters": None, "stageVariables": None,
        "requestContext": {"requestId": "r", "stage": "prod", "httpMethod": "POST", "path": path},
    }  # fmt: skip


def ask(function: Function, number: int, rows: int = 1) -> list[str]:
    """Ask for predictions; return the prediction ids."""
    instances = [ROW | {ID: f"{number}-{row}"} for row in range(rows)]
    _, response = function.fake.invoke(event(body(*instances)))
    assert response["statusCode"] == 200, response
    ids: list[str] = json.loads(response["body"])["prediction_ids"]
    return ids


def test_every_answer_is_posted_before_its_rows_are_sent(on_lambda: Function) -> None:
    """300 requests, every tenth of them wrong; in the log of what happened, Firehose comes after the answer."""
    function, fake = on_lambda, on_lambda.fake
    function.start()
    answered: dict[str, int] = {}
    for number in range(300):
        if number % 10 == 9:
            assert fake.invoke(event("{"))[1]["statusCode"] == 400
        else:
            for prediction_id in ask(function, number):
                answered[prediction_id] = len([1 for kind, *_ in fake.happened if kind == "answered"])
    assert function.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert sorted(fake.sent) == sorted(answered) and len(answered) == 270
    posted = 0
    for kind, *rest in fake.happened:
        posted += kind == "answered"
        if kind == "sent":
            assert all(answered[prediction_id] <= posted for prediction_id in rest[0])
    sendings = sum(kind == "sent" for kind, *_ in fake.happened)
    assert sendings < 270 / 5, "answers in quick succession share a record"


def test_the_environment_is_not_frozen_before_the_rows_are_sent(on_lambda: Function) -> None:
    function, fake = on_lambda, on_lambda.fake
    function.start()
    fake.wait_until_ready()
    fake.firehose_seconds = 0.5
    ids = ask(function, 0)
    assert fake.sent == [], "the client has its answer before Firehose has the row"
    fake.wait_until_ready()
    assert fake.sent == ids, "the runtime has asked for the next event, and Firehose has the row"


def test_lambda_gives_the_extension_no_events(on_lambda: Function) -> None:
    """So that it costs a request nothing; it asks once, before the first request, and Lambda sends SIGTERM."""
    function, fake = on_lambda, on_lambda.fake
    function.start()
    for number in range(5):
        ask(function, number)
    fake.wait_until_ready()
    assert fake.extension_events == [] and fake.happened.count(("next", "extension")) == 1


def test_a_later_runtime_is_told_of_in_the_log_once(folder: Path) -> None:
    fake = FakeLambda()
    function = Function(fake, folder, is_told=False)
    try:
        function.start()
        for number in range(3):
            ask(function, number)
        function.end(signal.SIGTERM)
    finally:
        function.close()
        fake.close()
    lines = [line for line in function.log.read_text().splitlines() if line.startswith("{")]
    assert sum("does not say when an answer has left" in line for line in lines) == 1


def test_many_rows_in_one_request_are_sent_at_once(on_lambda: Function) -> None:
    on_lambda.start()
    ids = ask(on_lambda, 0) + ask(on_lambda, 1, rows=700)
    on_lambda.fake.wait_until_ready()
    assert on_lambda.fake.sent == ids


def test_twenty_sigterms_lose_nothing(function: Function) -> None:
    answered: list[str] = []
    for process in range(20):
        function.start()
        for number in range(process % 7 + 1):
            answered += ask(function, number)
        assert function.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert sorted(function.fake.sent) == sorted(answered)


def test_twenty_sigkills_lose_no_more_rows_than_promised(on_lambda: Function) -> None:
    for process in range(20):
        on_lambda.start()
        answered = [prediction_id for number in range(process * 3 + 1) for prediction_id in ask(on_lambda, number)]
        before = len(on_lambda.fake.sent)
        assert on_lambda.end(signal.SIGKILL) == -signal.SIGKILL
        lost = set(answered) - set(on_lambda.fake.sent)
        assert len(lost) <= MAX_HELD_ROWS, f"{before} of {len(answered)} rows had been sent"


def test_no_request_waits_for_a_firehose_that_does_not_answer(function: Function) -> None:
    function.start()
    ask(function, 0)
    function.fake.wait_until_ready()
    function.fake.firehose_seconds = 0.8
    answers = []
    for number in range(1, 4):
        function.fake.wait_until_ready()
        started = time.perf_counter()
        ask(function, number, rows=MAX_HELD_ROWS)
        answers.append(time.perf_counter() - started)
    assert max(answers) < 0.8


def test_rows_wait_for_a_firehose_that_fails_for_a_moment(function: Function) -> None:
    function.start()
    function.fake.firehose_fails = True
    refused = ask(function, 0)
    time.sleep(0.3)
    function.fake.firehose_fails = False
    deadline = time.monotonic() + 20
    number = 0
    while not set(refused) <= set(function.fake.sent) and time.monotonic() < deadline:
        time.sleep(0.3)
        number += 1
        ask(function, number)
    assert set(refused) <= set(function.fake.sent)
