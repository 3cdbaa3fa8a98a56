"""Predictions continue while a version cannot be loaded, or while the registry does not answer."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from modelcycle.aws import Adapters, Environment
from modelcycle.faults import Transient
from modelcycle.registry import Write
from tests.prediction_api import INFER, PREDICT, ROW, Api
from tests.trained import COLOUR, HOURS, ID, MODEL, body

MANY = [ROW | {ID: f"c{number}"} for number in range(60)]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(monkeypatch)


class UnansweredRegistry:
    """Makes every read of a route fail, and keeps the times of the attempts."""

    def __init__(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        self.attempts: list[float] = []
        self.error: Exception = Transient("DynamoDB did not answer")
        self.api = api
        monkeypatch.setattr(api.registry.routes, "get", self.get)

    def get(self, model: str) -> Any:
        self.attempts.append(self.api.now)
        raise self.error


def lose(api: Api, version: int) -> None:
    del api.store.objects[key_of(api, version)]


def key_of(api: Api, version: int) -> str:
    return api.registry.versions.get(MODEL, version).onnx.uri.removeprefix(f"s3://{api.store.bucket}/")


def counted(printed: str, metric: str) -> float:
    """Return the sum of a metric in a function's output (CloudWatch embedded metric format)."""
    lines = [json.loads(line) for line in printed.splitlines() if '"_aws"' in line]
    return sum(sum(line.get(metric, [])) for line in lines)


def broken_graph(api: Api, version: int) -> None:
    """Replace the graph with intact bytes that are not a graph."""
    version_ = api.registry.versions.get(MODEL, version)
    written = api.store.put(f"{MODEL}/broken-{version}.onnx", b"no graph")
    key = (f"VERSION#{MODEL}", f"VERSION#{version:08d}")
    record = api.registry.table.get(*key)
    changed = version_.model_copy(update={"onnx": written}).model_dump(mode="json")
    api.registry.table.write(Write(*key, changed, record.revision))


def tamper(api: Api, version: int) -> None:
    api.store.objects[key_of(api, version)] = b"other bytes"


@pytest.mark.parametrize("harm", [lose, tamper, broken_graph])
@pytest.mark.parametrize("harmed", [1, 2])
def test_the_other_version_answers_for_one_that_cannot_be_loaded(
    api: Api, capsys: pytest.CaptureFixture[str], harm: Any, harmed: int
) -> None:
    api.go_live()
    api.go_live(seed=50, weight=30)
    harm(api, harmed)
    status, response, _ = api.call(PREDICT, body(*MANY))
    assert (status, response["version"], "versions" in response) == (200, 3 - harmed, False)
    assert {line["version"] for line in api.firehose.lines} == {3 - harmed}
    assert counted(capsys.readouterr().out, "VersionNotLoaded") == 1
    assert f'"version":{harmed}' in api.log.getvalue().replace(" ", "")


def test_the_previous_version_answers_for_the_only_live_one(api: Api) -> None:
    api.go_live()
    api.go_live(seed=50)
    lose(api, 2)
    status, response, _ = api.call(PREDICT, body(ROW))
    assert (status, response["version"]) == (200, 1)
    status, response, _ = api.call(f"/v2/models/{MODEL}", method="GET")
    assert (status, response["versions"]) == (200, ["1"])


def test_a_version_that_was_rolled_back_never_answers(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.go_live()
    api.go_live(seed=50)
    api.registry.routes.roll_back(MODEL, "ada")
    lose(api, 1)
    capsys.readouterr()
    for path, sent in ((PREDICT, body(ROW)), (INFER, json.dumps({"inputs": [
        {"name": HOURS, "shape": [1], "datatype": "FP64", "data": [1]},
        {"name": COLOUR, "shape": [1], "datatype": "BYTES", "data": ["red"]},
    ]}))):  # fmt: skip
        status, response, headers = api.call(path, sent)
        assert (status, headers["Retry-After"]) == (503, "1")
        assert response["detail"] == f"version 1 of {MODEL} cannot be loaded"
        assert counted(capsys.readouterr().out, "VersionNotLoaded") == 1


def test_a_version_is_loaded_again_after_growing_delays(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.go_live()
    api.go_live(seed=50, weight=30)
    key = key_of(api, 2)
    graph = api.store.objects.pop(key)
    attempts: list[float] = []
    read = api.store.read

    def counting(artifact: Any) -> bytes:
        if artifact.uri.endswith(key):
            attempts.append(api.now)
        return read(artifact)

    monkeypatch.setattr(api.store, "read", counting)
    for moment in range(400):
        api.now = moment / 2
        assert api.call(PREDICT, body(ROW))[0] == 200
    assert attempts == [0, 2, 6, 14, 30, 62, 122, 182]
    api.store.objects[key] = graph
    api.now = 242
    assert set(api.call(PREDICT, body(*MANY))[1]["versions"]) == {1, 2}


def test_the_versions_of_an_answer_stay_as_they_were_when_a_later_request_loads_another_one(api: Api) -> None:
    api.go_live()
    api.go_live(seed=50, weight=30)
    key = key_of(api, 2)
    graph = api.store.objects.pop(key)
    for moment in (0, 2, 5.5):  # it is tried again at 6, with the route that was read at 5.5
        api.now = moment
        answered = api.live_models.get(MODEL)
    api.store.objects[key] = graph
    api.now = 6.5
    assert set(api.live_models.get(MODEL).loaded) == {1, 2}
    assert set(answered.loaded) == {1}


def test_a_lost_previous_version_does_not_slow_down_requests(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.go_live()
    api.go_live(seed=50)
    lose(api, 1)
    reads = []
    get = api.registry.versions.get
    monkeypatch.setattr(api.registry.versions, "get", lambda *key: reads.append(key) or get(*key))
    for moment in range(20):
        api.now = moment / 10
        assert api.call(PREDICT, body(ROW))[1]["version"] == 2
    assert len(reads) == 2


@pytest.mark.parametrize("error", [Transient("DynamoDB did not answer"), PermissionError("not allowed")])
def test_a_model_in_memory_answers_while_the_registry_does_not(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    api.go_live()
    assert api.call(PREDICT, body(ROW))[0] == 200
    with monkeypatch.context() as patch:
        registry = UnansweredRegistry(api, patch)
        registry.error = error
        api.store.objects.clear()  # the graph stays in memory
        capsys.readouterr()
        for second in range(1, 41):
            api.now = float(second)
            assert api.call(PREDICT, body(ROW))[:1] == (200,)
        assert registry.attempts == [2, 4, 8, 16, 24, 32, 40]
        assert counted(capsys.readouterr().out, "StaleRoute") == 39
        api.now = 7200.0
        assert api.call(PREDICT, body(ROW))[0] == 200
    api.now += 8
    capsys.readouterr()
    assert api.call(PREDICT, body(ROW))[0] == 200
    assert counted(capsys.readouterr().out, "StaleRoute") == 0


def test_after_a_long_sleep_the_registry_is_read_a_second_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection may be dead after a sleep; a rollback in the meantime still takes effect."""
    api.go_live()
    api.go_live(seed=50)
    assert api.call(PREDICT, body(ROW))[1]["version"] == 2
    api.registry.routes.roll_back(MODEL, "ada")

    class DeadConnection:
        class routes:  # noqa: N801
            @staticmethod
            def get(model: str) -> Any:
                raise Transient("DynamoDB did not answer")

    monkeypatch.setattr(api.live_models, "quick_registry", DeadConnection)
    api.now = 61.0
    assert api.call(PREDICT, body(ROW))[1]["version"] == 1


def test_a_model_that_was_never_read_does_not_make_every_request_wait(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.go_live()
    registry = UnansweredRegistry(api, monkeypatch)
    for moment in (0.0, 0.5, 1.5, 2.0, 3.0):
        api.now = moment
        assert api.call(PREDICT, body(ROW))[0] == 503
    assert registry.attempts == [0.0, 2.0]


def test_unknown_names_push_no_model_out_of_memory(api: Api) -> None:
    api.go_live()
    assert api.call(PREDICT, body(ROW))[0] == 200
    api.store.objects.clear()
    for number in range(20):
        api.now += 2
        assert api.call(f"/models/nobody-{number}/predict", body(ROW))[0] == 404
    assert api.call(PREDICT, body(ROW))[0] == 200


@pytest.fixture
def unanswered_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Start a service that accepts connections and never answers; yield the connections."""
    accepted: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    accepted.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield accepted
        for connection in accepted:
            connection.close()


def test_a_route_is_refreshed_in_one_attempt_of_half_a_second(unanswered_connections: list[Any]) -> None:
    cloud = Adapters(Environment(code_version="c", registry_table="t"), connect_timeout=1, read_timeout=2)
    registry = cloud.quick_registry
    began = time.perf_counter()
    with pytest.raises(Transient):
        registry.routes.get("m")
    assert time.perf_counter() - began < 1
    assert len(unanswered_connections) == 1
