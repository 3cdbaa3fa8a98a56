"""The function Candidate: answers by any registered version, and tells what its environment has used."""

from __future__ import annotations

import io
import json
import mmap
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelcycle.predict import environment_figures, registered_versions
from modelcycle.predict.environment_figures import memory_mb, process_age_ms
from modelcycle.predict.registered_versions import RegisteredVersions
from modelcycle.registry import Registry
from modelcycle.stage.candidate import Candidate, Environment
from tests.contract.functions import template
from tests.fakes import UNSIGNED, MemoryStore, MemoryTable
from tests.prediction_api import handler_module
from tests.trained import COLOUR, HOURS, MODEL, cycle, train

ROW = {HOURS: 47.5, COLOUR: "red"}


class Function:
    """The handler, with a registry in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app = handler_module("candidate")
        self.store, self.registry = MemoryStore(), Registry(MemoryTable())
        self.versions = RegisteredVersions(self.registry, self.store, UNSIGNED)
        self.log = io.StringIO()
        self.app.logger.registered_handler.setStream(self.log)
        monkeypatch.setattr(self.app, "versions", lambda: self.versions)

    def register(self, seed: int = 0) -> int:
        return cycle(train("binary", seed=seed), self.store, self.registry, f"r{seed}").register(f"c{seed}").version

    def ask(self, version: Any, instance: Any = None, model: str = MODEL) -> Any:
        return self.call(json.loads(Candidate(None, model, version).event(0, instance or ROW)))  # type: ignore[arg-type]

    def call(self, event: dict[str, Any]) -> Any:
        context = SimpleNamespace(
            function_name="candidate", memory_limit_in_mb=1769, invoked_function_arn="arn", aws_request_id="1"
        )
        return self.app.handler(event, context)


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Function:
    return Function(monkeypatch)


def test_it_answers_by_a_version_that_is_not_live(function: Function) -> None:
    first, second = function.register(0), function.register(40)
    answers = [json.loads(function.ask(version)["body"]) for version in (first, second, first)]
    assert [answer["version"] for answer in answers] == [first, second, first]
    assert answers[0]["probabilities"] == answers[2]["probabilities"] != answers[1]["probabilities"]


def test_it_keeps_the_last_versions_and_no_more(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = (function.register(seed) for seed in (0, 40, 50))
    monkeypatch.setattr(registered_versions, "MAX_VERSIONS", 2)
    reads: list[str] = []
    read = function.store.read
    monkeypatch.setattr(function.store, "read", lambda artifact: (reads.append(artifact.uri), read(artifact))[1])
    for version, loads in ((first, 1), (second, 2), (first, 2), (third, 3), (first, 3), (second, 4)):
        assert json.loads(function.ask(version)["body"])["version"] == version
        assert len(reads) == 2 * loads


@pytest.mark.parametrize(
    ("version", "model", "status"), [(7, MODEL, 404), ("seven", MODEL, 404), ("²", MODEL, 404), (1, "no-such", 404)]
)
def test_an_unknown_version_is_a_problem_document(function: Function, version: Any, model: str, status: int) -> None:
    function.register()
    answer = function.ask(version, model=model)
    assert answer["statusCode"] == status and json.loads(answer["body"])["detail"]


def test_the_open_inference_protocol_answers_by_that_version_too(function: Function) -> None:
    first, second = function.register(0), function.register(40)
    names = {HOURS: ("FP32", 47.5), COLOUR: ("BYTES", "red")}
    inputs = [{"name": n, "shape": [1, 1], "datatype": kind, "data": [value]} for n, (kind, value) in names.items()]
    for version in (first, second):
        path = f"/v2/models/{MODEL}/versions/{version}/infer"
        event = json.loads(Candidate(None, MODEL, version).event(0, ROW))  # type: ignore[arg-type]
        answer = function.call(event | {"path": path, "body": json.dumps({"inputs": inputs})})
        assert answer["statusCode"] == 200, answer["body"]
        rows = json.loads(function.ask(version)["body"])
        outputs = {output["name"]: output["data"] for output in json.loads(answer["body"])["outputs"]}
        assert json.loads(answer["body"])["model_version"] == str(version)
        assert rows["predictions"][0] in [value for data in outputs.values() for value in data]


def test_a_path_without_a_version_answers_nothing(function: Function) -> None:
    function.register()
    event = json.loads(Candidate(None, MODEL, 1).event(0, ROW))  # type: ignore[arg-type]
    answer = function.call(event | {"path": f"/models/{MODEL}/predict", "pathParameters": {"name": MODEL}})
    assert answer["statusCode"] == 404


def test_a_request_that_does_not_fit_is_refused_as_predict_does(function: Function) -> None:
    version = function.register()
    answer = function.ask(version, {HOURS: "secret", COLOUR: "red"})
    assert answer["statusCode"] == 400 and {e["pointer"] for e in json.loads(answer["body"])["errors"]} >= {
        "/instances/0/hours ~1 week"
    }
    assert "secret" not in function.log.getvalue()


def test_artifacts_that_were_changed_are_not_served(function: Function) -> None:
    version = function.register()
    key = function.registry.versions.get(MODEL, version).onnx.uri.removeprefix("s3://artifacts/")
    function.store.objects[key] += b"x"
    assert function.ask(version)["statusCode"] == 500


def test_nothing_is_captured_and_no_metric_of_live_traffic_is_counted(
    function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    function.ask(function.register())
    assert "CloudWatchMetrics" not in capsys.readouterr().out + function.log.getvalue()


def test_it_is_predict_without_the_api_and_the_stream_of_captures() -> None:
    resources = template()["Resources"]
    predict, candidate = (resources[name]["Properties"] for name in ("Predict", "Candidate"))
    for name in ("CodeUri", "Layers", "MemorySize", "Timeout"):
        assert candidate[name] == predict[name], f"{name}: what staging measures is not what serves"
    assert "Events" not in candidate and "Environment" not in candidate
    own = resources["Candidate"]["Properties"].keys() - predict.keys()
    assert own <= {"Handler"}, "Predict has no such property"


def test_it_tells_about_its_environment_what_the_load_test_reads(function: Function) -> None:
    version = function.register()
    told = [Environment(**function.ask(version)["environment"]) for _ in range(3)]
    assert [one.calls for one in told] == [1, 2, 3] and len({one.id for one in told}) == 1
    assert all(0 < one.ms < 5_000 and 1 < one.memory_mb <= one.peak_mb + 1 for one in told)
    assert told[0].init_ms == told[1].init_ms > 0


def test_memory_is_that_of_this_process_now_and_at_its_peak() -> None:
    size = 64 * 2**20
    before, _ = memory_mb()
    # A mapping of its own: the allocator may keep what a bytearray frees.
    with mmap.mmap(-1, size) as block:
        for page in range(0, size, mmap.PAGESIZE):
            block[page] = 1
        during, peak = memory_mb()
    after, peak_after = memory_mb()
    assert during - before > 50 and during - after > 50
    assert peak >= during and peak_after >= peak - 1


def test_the_age_of_a_process_grows_with_time() -> None:
    before = process_age_ms()
    time.sleep(0.05)
    assert 30 < process_age_ms() - before < 5_000


def test_without_proc_memory_is_the_peak(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment_figures, "STATUS", tmp_path / "none")
    now, peak = memory_mb()
    assert now == peak > 1
