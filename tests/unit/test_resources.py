"""What each version takes, from the log of the function that answers requests."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from cli.costs.prices import price_table
from modelcycle import lambda_price
from modelcycle.faults import Throttled
from modelcycle.logs import CloudWatchLogs, LogPart
from modelcycle.messages.monitoring import Signal, VersionResources
from modelcycle.monitor.resources import function_log
from modelcycle.monitor.resources.resources import Resources, resource_signals, resources
from modelcycle.spec import Pipeline

END = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR, DAY = (END - timedelta(hours=1), END), (END - timedelta(days=1), END)
PIPELINE = Pipeline(name="plums", target="price")
PAGE_LINES = 2000


class LogsClient:
    """CloudWatch Logs with pages of PAGE_LINES lines, the first of each range empty, as AWS may answer."""

    def __init__(self, lines: list[tuple[datetime, str]]) -> None:
        self.events = [
            {"timestamp": round(at.timestamp() * 1000), "message": text}
            for at, text in sorted(lines, key=lambda line: line[0])
        ]
        self.stamps = np.array([round(at.timestamp() * 1000) for at, _ in sorted(lines, key=lambda line: line[0])])
        self.calls = 0

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.calls += 1
        first, last = np.searchsorted(self.stamps, [request["startTime"], request["endTime"] + 1])
        token = request.get("nextToken")
        if token is None and last - first > PAGE_LINES:
            half = int(first) + PAGE_LINES // 2
            return {"events": self.events[first:half], "nextToken": str(half)}
        start = int(token or first)
        page: dict[str, Any] = {"events": self.events[start : min(start + PAGE_LINES, last)]}
        return page | ({"nextToken": str(start + PAGE_LINES)} if start + PAGE_LINES < last else {})


def call(
    at: datetime, number: int, *, model: str = "plums", version: int = 1, ms: float = 10.0, cold: bool = False,
    memory: int = 200, message: str = "answered", **fields: Any,
) -> Iterator[tuple[datetime, str]]:  # fmt: skip
    """Yield the lines of one call."""
    request_id = f"id-{number}"
    logged = {"message": message, "function_request_id": request_id, "model": model, "cold_start": cold} | fields
    yield at, f"START RequestId: {request_id} Version: 1"
    yield at, json.dumps(logged | ({"version": version, "rows": 1} if message == "answered" else {}))
    yield at, f"END RequestId: {request_id}"
    init = "\tInit Duration: 900.12 ms" if cold else ""
    yield (
        at,
        f"REPORT RequestId: {request_id}\tDuration: {ms:.2f} ms\tBilled Duration: {np.ceil(ms):.0f} ms\t"
        f"Memory Size: 2048 MB\tMax Memory Used: {memory} MB{init}\t",
    )


def used(lines: list[tuple[datetime, str]], *windows: Any, model: str = "plums") -> list[Resources]:
    logs = CloudWatchLogs(LogsClient(lines), "predict")
    return resources(model, 1, windows or (DAY,), logs=logs, throttles=lambda start, end: 3)


def test_calls_are_joined_with_their_reports_by_model_and_version() -> None:
    ago = timedelta(minutes=5)
    lines = [
        *call(END - ago, 1, ms=10, cold=True),
        *call(END - ago, 2, ms=20, version=2),
        *call(END - ago, 3, ms=5000, model="pears"),
        *call(END - timedelta(hours=3), 4, ms=30),
        *call(END - ago, 5, message="refused", status=503),
        *call(END - ago, 6, message="refused", status=400),
        *call(END - ago, 7, version=2, failures={}),
        (END - ago, json.dumps({
            "message": "another version answered", "function_request_id": "id-7", "model": "plums",
            "failures": {"1": "NotFinite", "3": "BadRequest"},
        })),
        (END - ago, "REPORT RequestId: killed\tDuration: 29000.00 ms\tBilled Duration: 29000 ms\tMemory Size: 2048 MB\t"
                    "Max Memory Used: 2048 MB\tStatus: timeout"),
        # a check of new code, or a path that only describes a model
        (END - ago, "REPORT RequestId: check\tDuration: 3.00 ms\tBilled Duration: 3 ms\tMemory Size: 2048 MB\t"
                    "Max Memory Used: 200 MB"),
        (END - ago, '{"message": "answered"'), (END - ago, "[1]"), (END - ago, "Traceback\nREPORT nothing"),
    ]  # fmt: skip
    hour, day = used(lines, HOUR, DAY)
    first, second = hour.versions
    assert (first.version, first.requests, first.errors, first.cold_starts) == (1, 2, 2, 1)
    assert (second.version, second.requests, second.errors, second.p50_ms) == (2, 2, 0, 10.0)
    assert [(one.refused, one.received) for one in hour.versions] == [(1, 5), (0, 0)]
    assert first.memory_mb == 200 and hour.size_mb == 2048
    assert first.gb_seconds == pytest.approx(0.020 * 2)
    assert first.dollars == pytest.approx(lambda_price.dollars(0.04, 2))
    assert hour.throttles == 3
    assert "1 calls of predict ended without an answer" in hour.notes[0]
    assert [one.requests for one in day.versions] == [3, 2]


def test_no_traffic_is_no_version() -> None:
    (day,) = used([])
    assert (day.versions, day.notes, day.size_mb) == ([], [], None)
    signals = resource_signals(day, 1, None, PIPELINE)
    assert {signal.state for signal in signals} == {"too few"}


def test_a_place_that_reports_no_memory_has_none() -> None:
    (day,) = used([*call(END - timedelta(minutes=1), 1, memory=0)])
    assert day.versions[0].memory_mb is None
    many = list(itertools.chain(*(call(END - timedelta(minutes=1), n, memory=0) for n in range(30))))
    assert by_kind(used(many)[0])["memory"].state == "not watched"


def test_a_long_log_is_read_in_parts_that_stand_for_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_log, "MAX_PAGES", 3)
    monkeypatch.setattr(sys.modules[__name__], "PAGE_LINES", 200)
    rng = np.random.default_rng(18)
    # traffic doubles in the second half of the day
    times = np.sort(np.concatenate([rng.uniform(0, 24, 10_000), rng.uniform(12, 24, 10_000)]))
    lines = list(
        itertools.chain(
            *(
                call(DAY[0] + timedelta(hours=float(hour)), number, ms=float(ms), version=1 + number % 2)
                for number, (hour, ms) in enumerate(zip(times, rng.exponential(20, 20_000), strict=True))
            )
        )
    )
    client = LogsClient(lines)
    logs = CloudWatchLogs(client, "predict")
    hour, day = resources("plums", 1, [HOUR, DAY], logs=logs, throttles=lambda start, end: 0)
    assert client.calls <= 2 * (3 + function_log.MAX_SPANS)
    assert sum(one.requests for one in day.versions) == pytest.approx(20_000, rel=0.15)
    assert sum(one.requests for one in hour.versions) == pytest.approx(20_000 / 24 * 1.5, rel=0.3)
    assert day.versions[0].p50_ms == pytest.approx(20 * np.log(2), rel=0.2)
    assert "too long to be read whole" in day.notes[0]


def test_parts_of_the_log_that_cannot_be_read_are_told() -> None:
    class Slow:
        def read(self, start: datetime, end: datetime, pages: int) -> LogPart:
            return LogPart([], start)

    (day,) = resources("plums", 1, [DAY], logs=Slow(), throttles=lambda start, end: 0)
    assert day.notes == ["1,440 minutes of the log of predict could not be read in time"]


def test_a_log_that_does_not_answer_is_told_and_stops_nothing() -> None:
    class Away:
        def read(self, start: datetime, end: datetime, pages: int) -> LogPart:
            raise Throttled("CloudWatch Logs is throttling requests", "predict", "again")

    def unknown(start: datetime, end: datetime) -> int:
        raise Throttled("CloudWatch is throttling requests", "predict", "again")

    (day,) = resources("plums", 1, [DAY], logs=Away(), throttles=unknown)
    assert day.versions == [] and day.throttles is None
    assert day.notes == [
        "the log of predict could not be read: CloudWatch Logs is throttling requests",
        "throttles are not known: CloudWatch is throttling requests",
    ]


def by_kind(now: Resources, before: VersionResources | None = None) -> dict[str, Signal]:
    return {signal.subject or signal.kind: signal for signal in resource_signals(now, 1, before, PIPELINE)}


def traffic(ms: float, count: int = 500, **fields: Any) -> Resources:
    rng = np.random.default_rng(count)
    calls = (
        call(END - timedelta(minutes=1 + number % 50), number, ms=float(took), **fields)
        for number, took in enumerate(rng.gamma(8, ms / 8, count))
    )
    return used(list(itertools.chain(*calls)))[0]


def test_equal_windows_raise_no_alarm() -> None:
    before = traffic(10, 700).of(1)
    signals = by_kind(traffic(10), before)
    assert {kind: signal.state for kind, signal in signals.items()} == {
        "errors": "ok", "refused requests": "ok", "latency": "ok", "memory": "ok", "cost": "ok",
    }  # fmt: skip


def test_without_a_window_before_what_has_no_limit_is_not_watched() -> None:
    states = {kind: signal.state for kind, signal in by_kind(traffic(10)).items()}
    assert states == {
        "errors": "ok", "refused requests": "ok", "latency": "not watched", "memory": "ok", "cost": "not watched",
    }  # fmt: skip


def test_slower_and_dearer_requests_raise_an_alarm() -> None:
    signals = by_kind(traffic(30), traffic(10, 700).of(1))
    assert (signals["latency"].state, signals["cost"].state) == ("alarm", "alarm")
    assert signals["latency"].effect == pytest.approx(3, rel=0.3)


def priced(*billed: float, cold: int = 0) -> Resources:
    lines = (call(END - timedelta(minutes=5), n, ms=ms, cold=n < cold) for n, ms in enumerate(billed))
    return used(list(itertools.chain(*lines)))[0]


def test_a_few_long_calls_or_cold_starts_make_no_request_dearer() -> None:
    before = priced(*[10] * 400).of(1)
    assert by_kind(priced(*[10] * 399, 25_000), before)["cost"].state == "ok"
    starts = by_kind(priced(*[900] * 60, *[10] * 240, cold=60), before)["cost"]
    assert starts.state == "ok" and starts.effect == pytest.approx(1)
    assert by_kind(priced(*[30] * 150), before)["cost"].state == "too few"
    assert by_kind(priced(*[30] * 250), priced(*[10] * 150).of(1))["cost"].state == "not watched"
    assert by_kind(priced(*[14] * 250), before)["cost"].state == "slight"
    dearer = by_kind(priced(*[30] * 250), before)["cost"]
    assert dearer.state == "alarm" and dearer.p == 0 and "2.25 times" in dearer.detail


def test_the_price_of_equal_requests_alarms_less_often_than_stated() -> None:
    rng = np.random.default_rng(18)
    windows = [priced(*rng.lognormal(2, 1.5, 250)) for _ in range(60)]
    signals = [by_kind(now, before.of(1))["cost"] for before, now in itertools.pairwise(windows)]
    assert any((signal.effect or 0) > 1.3 for signal in signals) and {signal.state for signal in signals} == {"ok"}


def test_a_little_slower_is_slight() -> None:
    assert by_kind(traffic(12, 5_000), traffic(10, 7_000).of(1))["latency"].state == "slight"


def test_errors_raise_an_alarm_beyond_the_share_that_the_pipeline_allows() -> None:
    good = list(itertools.chain(*(call(END - timedelta(minutes=5), number) for number in range(950))))
    bad = [list(call(END - timedelta(minutes=5), number, message="refused", status=500)) for number in range(950, 1000)]
    signal = by_kind(used([*good, *itertools.chain(*bad)])[0])["errors"]
    assert signal.state == "alarm" and signal.value == pytest.approx(0.05)
    signal = by_kind(used([*good, *itertools.chain(*bad[:5])])[0])["errors"]
    assert signal.state == "slight"


def asked(bad: int, good: int, status: int = 400, version: int = 1) -> Resources:
    at = END - timedelta(minutes=5)
    lines = [call(at, number, message="refused", status=status) for number in range(bad)]
    lines += [call(at, bad + number, version=version) for number in range(good)]
    return used(list(itertools.chain(*lines)))[0]


@pytest.mark.parametrize("status", [400, 422])
def test_requests_that_break_the_contract_are_watched(status: int) -> None:
    now = asked(60, 940, status)
    signal = by_kind(now)["refused requests"]
    assert (signal.kind, signal.state, signal.value) == ("errors", "alarm", pytest.approx(0.06))
    assert signal.detail.startswith("60 of 1,000 requests were answered with 400 or 422")
    assert by_kind(now)["errors"].value == 0
    assert by_kind(now, asked(55, 900).of(1))["refused requests"].state == "ok"
    assert by_kind(now, asked(10, 900).of(1))["refused requests"].state == "alarm"
    assert by_kind(asked(50, 0, status))["refused requests"].state == "alarm"
    assert by_kind(asked(3, 5, status))["refused requests"].state == "too few"


def test_refused_requests_count_as_the_champions_whoever_answered_before() -> None:
    before = asked(60, 940, version=2)
    assert [(one.version, one.requests, one.refused, one.received) for one in before.versions] == [
        (1, 0, 60, 1_000), (2, 940, 0, 0),
    ]  # fmt: skip
    assert by_kind(asked(60, 940), before.of(1))["refused requests"].state == "ok"
    others = resource_signals(before, 2, None, PIPELINE)
    assert "refused requests" not in {signal.subject for signal in others}
    assert by_kind(asked(60, 940, status=404))["refused requests"].value == 0


def test_memory_near_the_functions_limit_raises_an_alarm() -> None:
    assert by_kind(traffic(10, memory=1800))["memory"].state == "slight"
    assert by_kind(traffic(10, memory=2030))["memory"].state == "alarm"


def test_a_version_that_only_fails_is_seen() -> None:
    lines = list(itertools.chain(*(call(END - timedelta(minutes=5), number, version=2) for number in range(40))))
    failed = {"message": "another version answered", "model": "plums", "failures": {"1": "NotLoaded"}}
    lines += [
        (END - timedelta(minutes=5), json.dumps(failed | {"function_request_id": f"id-{number}"}))
        for number in range(40)
    ]
    (day,) = used(lines)
    assert [(one.version, one.requests, one.errors) for one in day.versions] == [(1, 0, 40), (2, 40, 0)]
    assert by_kind(day)["errors"].state == "alarm"


def test_one_price_stands_in_both_places() -> None:
    prices = price_table().prices
    assert prices["lambda_gb_second"].of(1) == lambda_price.GB_SECOND
    assert prices["lambda_call"].of(1) == pytest.approx(lambda_price.CALL)
