"""The load test of staging: it measures what a function does when it is asked more and more at once."""

from __future__ import annotations

import base64
import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from modelcycle.faults import Throttled, Transient
from modelcycle.invocations import LambdaFunction
from modelcycle.model.answer import load_version
from modelcycle.model.columns import Columns
from modelcycle.registry import Registry
from modelcycle.spec import Pipeline, Staging
from modelcycle.stage import load_test as module
from modelcycle.stage.candidate import Candidate
from modelcycle.stage.expected_answers import ExpectedAnswers
from modelcycle.stage.load_figures import LoadTest
from modelcycle.stage.load_test import MAX_SAMPLES, load_test
from modelcycle.stage.memory_growth import growth_of
from tests.fakes import UNSIGNED, MemoryStore, MemoryTable
from tests.serving_function import ServingFunction
from tests.trained import MODEL, cycle, train


class Served:
    """A registered version in a function of the tests."""

    def __init__(self, **function: Any) -> None:
        store, registry = MemoryStore(), Registry(MemoryTable())
        version = cycle(train("binary"), store, registry).register()
        loaded = load_version(version, store, UNSIGNED)
        rows = Columns(train("binary").test.values)
        self.expected = ExpectedAnswers.of(loaded.signature, rows, loaded.scorer.scores(rows), 30)
        self.function = ServingFunction(registry, store, **function)
        self.candidate = Candidate(self.function, MODEL, version.version)

    def load(self, **settings: Any) -> LoadTest:
        return load_test(self.candidate, self.expected, Staging(**({"load_seconds": 0.4, "p99_ms": 10_000} | settings)))


def test_twice_as_many_requests_at_once_are_twice_the_throughput_of_a_function_that_waits() -> None:
    test = Served(seconds=0.04).load(concurrency=[2, 4, 8], load_seconds=0.6)
    two, four, eight = (level.rows_per_second for level in test.levels)
    assert 1.6 < four / two < 2.4 and 1.6 < eight / four < 2.4
    assert [level.environments for level in test.levels] == [2, 4, 8]
    assert all(level.own_ms and 40 <= level.own_ms.p50 < 80 for level in test.levels)


def test_where_nothing_runs_at_once_more_requests_wait_longer_and_the_functions_own_time_stays() -> None:
    served = Served(seconds=0.01)
    invoke = served.function.invoke
    lock = threading.Lock()

    def one_at_a_time(event: bytes) -> Any:
        with lock:
            return invoke(event)

    served.function.invoke = one_at_a_time  # type: ignore[method-assign]
    one, four = served.load(concurrency=[1, 4]).levels
    assert one.own_ms and four.own_ms and one.round_trip_ms and four.round_trip_ms
    # on a busy machine each sleep takes longer, but four at once would give four times the rows
    assert four.round_trip_ms.p50 > 2 * one.round_trip_ms.p50
    assert four.own_ms.p50 < 2 * one.own_ms.p50
    assert four.rows_per_second < 2 * one.rows_per_second


def test_the_first_call_of_an_environment_is_a_cold_start_and_no_part_of_the_times() -> None:
    test = Served().load(concurrency=[3], load_seconds=0.1)
    assert [start.init_ms for start in test.cold_starts] == [300.0] * 3
    assert test.cold_start_ms == test.cold_starts[0].init_ms + test.cold_starts[0].first_ms
    assert test.levels[0].own_ms and test.levels[0].own_ms.p99 < 300


def test_memory_and_cold_start_come_from_lambdas_log_where_it_has_them() -> None:
    told, reported = Served(), Served(reports=True)
    test = told.load(concurrency=[1], load_seconds=0.05)
    assert (test.source, test.memory_mb, test.cold_starts[0].init_ms) == ("function", 101.0, 300.0)
    test = reported.load(concurrency=[1], load_seconds=0.05)
    assert (test.source, test.memory_mb, test.cold_starts[0].init_ms) == ("log", 222.0, 444.4)


def test_a_soak_finds_a_leak_and_no_leak_where_there_is_none() -> None:
    leaking = Served(leak_mb=0.05, seconds=0.002).load(concurrency=[2], load_seconds=0.05, soak_seconds=0.6)
    assert leaking.growth and leaking.growth.is_leak and leaking.growth.mb_per_thousand == pytest.approx(50, rel=0.1)
    sound = Served(seconds=0.002).load(concurrency=[2], load_seconds=0.05, soak_seconds=0.6)
    assert sound.growth and not sound.growth.is_leak and sound.growth.mb == 0


@pytest.mark.parametrize("seed", range(20))
def test_memory_that_settles_or_only_varies_is_no_leak(seed: int) -> None:
    random = np.random.default_rng(seed)
    calls = np.arange(0, 4 * MAX_SAMPLES, 4)
    noise = random.normal(0, 0.5, len(calls))
    settles = 120 + 30 * (1 - np.exp(-calls / 300)) + noise
    steps = 120 + 6 * (calls > random.integers(600, 1900)) + noise
    for memory in (120 + noise, settles, steps):
        growth = growth_of(list(zip(calls.tolist(), memory.tolist(), strict=True)))
        assert growth and not growth.is_leak, growth
    leaks = growth_of(list(zip(calls.tolist(), (120 + calls * 0.004 + noise).tolist(), strict=True)))
    assert leaks and leaks.is_leak


def test_a_level_in_which_nothing_was_answered_ends_the_test() -> None:
    served = Served(limit=0)
    test = served.load(concurrency=[1, 2, 4], load_seconds=0.1)
    assert len(test.levels) == 1 and test.levels[0].refused.keys() == {"Throttled"}
    assert served.function.events < 10  # a refused call is not repeated at once
    assert not test.source


def test_wide_rows_are_asked_for_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    served = Served()
    monkeypatch.setattr(module, "MAX_EVENT_BYTES", 4 * len(served.candidate.event(0, served.expected.instances[0])))
    assert 2 <= served.load(concurrency=[1], load_seconds=0.1).compared <= 5
    monkeypatch.setattr(module, "MAX_EVENT_BYTES", 1)
    assert served.load(concurrency=[1], load_seconds=0.1).compared == 1


def test_errors_of_the_function_and_calls_that_lambda_refused_are_counted_apart() -> None:
    test = Served(fails={4: "Runtime.ExitError", 6: "Sandbox.Timedout"}, limit=1, seconds=0.005).load(
        concurrency=[2], load_seconds=0.2
    )
    assert test.count("errors") == {"Runtime.ExitError": 1, "Sandbox.Timedout": 1}
    assert test.count("refused")["Throttled"] > 1


def test_a_first_p99_above_the_limit_is_measured_again() -> None:
    served = Served(seconds=0.003)
    test = served.load(concurrency=[1], load_seconds=0.1, p99_ms=1)
    assert test.repeated and test.own_p99_ms and test.own_p99_ms > 1
    assert not served.load(concurrency=[1], load_seconds=0.1).repeated


def test_errors_of_a_measurement_that_was_repeated_still_count() -> None:
    test = Served(seconds=0.003, fails={3: "Runtime.ExitError"}).load(concurrency=[1], load_seconds=0.1, p99_ms=1)
    assert test.repeated and test.count("errors") == {"Runtime.ExitError": 1}


def test_the_threads_of_a_test_end_with_it_also_when_a_call_is_forbidden() -> None:
    served = Served()

    def forbidden(event: bytes) -> Any:
        raise PermissionError("lambda:InvokeFunction")

    served.function.invoke = forbidden  # type: ignore[method-assign]
    with pytest.raises(PermissionError):
        served.load(concurrency=[4])


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"concurrency": [4, 1]}, "the concurrency must rise"),
        ({"concurrency": [64]}, "at most 32"),
        ({"concurrency": list(range(1, 30)), "load_seconds": 30}, "at most 720 seconds together"),
        ({"concurrency": [1], "load_seconds": 60, "soak_seconds": 600, "rows": 1}, ""),
        ({"concurrency": [], "soak_seconds": 5}, "a soak needs a concurrency"),
        ({"concurrency": [], "memory_mb": 512}, "memory_mb is measured by the load test"),
        ({"concurrency": [], "rows_per_second": 5}, "rows_per_second is measured by the load test"),
        ({"replay": 0, "disagreement": 0.0}, "disagreement is measured by the replay"),
    ],
)
def test_a_load_test_that_a_function_has_no_time_for_is_refused(settings: dict[str, Any], named: str) -> None:
    if not named:
        Pipeline.model_validate({"name": "m", "target": "t", "staging": settings})
        return
    with pytest.raises(ValueError, match=named):
        Pipeline.model_validate({"name": "m", "target": "t", "staging": settings})


def test_the_page_about_staging_has_every_key_with_its_default() -> None:
    text = (Path(__file__).parents[2] / "docs" / "staging.md").read_text()
    shown = yaml.safe_load(text.partition("```yaml\n")[2].partition("```")[0])["staging"]
    defaults = Staging().model_dump()
    assert shown.keys() == defaults.keys() and Staging(**shown)
    assert {name: shown[name] for name, value in defaults.items() if value is not None} == {
        name: value for name, value in defaults.items() if value is not None
    }


class Client:
    """boto3's Lambda client: returns `response`, or raises it."""

    def __init__(self, response: Any, payload: Any = None) -> None:
        self.response = response
        self.payload = payload

    def invoke(self, **request: Any) -> Any:
        self.request = request
        if isinstance(self.response, Exception):
            raise self.response
        return self.response | {"Payload": io.BytesIO(json.dumps(self.payload).encode())}


class Refused(Exception):
    def __init__(self, code: str) -> None:
        self.response = {"Error": {"Code": code}}


def test_the_adapter_asks_for_the_end_of_the_log() -> None:
    client = Client({"LogResult": base64.b64encode("REPORT ü".encode()).decode()}, {"statusCode": 200})
    invoked = LambdaFunction(client, "arn:candidate:live").invoke(b"{}")
    assert (invoked.payload, invoked.failure, invoked.log) == ({"statusCode": 200}, "", "REPORT ü")
    assert client.request == {"FunctionName": "arn:candidate:live", "Payload": b"{}", "LogType": "Tail"}


def test_the_adapter_names_the_error_of_a_function_that_ended() -> None:
    client = Client({"FunctionError": "Unhandled"}, {"errorType": "Runtime.ExitError", "errorMessage": "secret"})
    assert LambdaFunction(client, "c").invoke(b"{}").failure == "Runtime.ExitError"
    assert LambdaFunction(Client({"FunctionError": "Unhandled"}), "c").invoke(b"{}").failure == "Unhandled"


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Refused("TooManyRequestsException"), Throttled),
        (Refused("ServiceException"), Transient),
        (Refused("EC2ThrottledException"), Transient),
        (TimeoutError(), Transient),
        (Refused("AccessDeniedException"), Refused),
    ],
)
def test_the_adapter_tells_an_outage_from_a_missing_permission(error: Exception, fault: type[Exception]) -> None:
    with pytest.raises(fault) as caught:
        LambdaFunction(Client(error), "c", (TimeoutError,)).invoke(b"{}")
    assert type(caught.value) is fault
