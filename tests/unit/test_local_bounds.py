"""After many predictions the emulator holds no more than after a few: MiniStack's own services, driven directly."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.core.responses import request_scope
from ministack.services import cloudwatch, cloudwatch_logs, eventbridge, firehose, lambda_svc, s3, stepfunctions

from infra.local import bounds
from infra.local.captures import Buffer
from infra.local.objects import Objects

STREAM = {"DeliveryStreamName": "captures"}
FUNCTION = {"config": {"FunctionName": "predict", "Version": "1", "LoggingConfig": {"LogGroup": "predict"}}}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    services = (cloudwatch, cloudwatch_logs, eventbridge, firehose, s3, stepfunctions)
    for service in services:
        service.reset()
    yield
    for service in services:
        service.reset()


def size(service: Any) -> int:
    return len(json.dumps(service.get_state(), default=lambda scoped: {str(k): v for k, v in scoped._data.items()}))


def predict(times: int) -> None:
    """What each prediction leaves in the emulator: the log of its function, an event, a metric, a capture."""
    for number in range(times):
        lambda_svc._emit_lambda_logs(FUNCTION, f"request-{number}", "predict\n" * 4, False, 5)
        eventbridge._put_events({"Entries": [{"Source": "modelcycle", "DetailType": "Told", "Detail": "{}"}]})
        cloudwatch._metric_bucket(("ModelCycle", "Rows", ())).append({"Timestamp": 1.0, "Value": 1.0})


def test_a_thousand_predictions_leave_as_much_as_ten_thousand() -> None:
    predict(1_000)
    bounds.bound_logs(cloudwatch_logs)
    few = size(cloudwatch_logs)
    predict(9_000)
    for bound, service in ((bounds.bound_logs, cloudwatch_logs), (bounds.bound_metrics, cloudwatch)):
        bound(service)
    bounds.bound_events(eventbridge)
    assert size(cloudwatch_logs) < 1.1 * few
    (events,) = eventbridge._events_log._data.values()
    assert len(events) == bounds.MAX_BUS_EVENTS
    assert len(cloudwatch._metrics[("ModelCycle", "Rows", ())]) == bounds.MAX_DATAPOINTS


def test_the_newest_invocations_keep_their_logs_and_a_stream_of_the_template_stays() -> None:
    cloudwatch_logs._create_log_group({"logGroupName": "predict"})
    cloudwatch_logs._create_log_stream({"logGroupName": "predict", "logStreamName": "of-the-template"})
    predict(300)
    bounds.bound_logs(cloudwatch_logs)
    streams = cloudwatch_logs._log_groups["predict"]["streams"]
    assert "of-the-template" in streams
    assert len(streams) == bounds.MAX_LOG_STREAMS + 1
    assert "request-299" in json.dumps(list(streams.values())[-1])


def test_old_executions_lose_their_steps_and_keep_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_EXECUTIONS", 60)
    for number in range(100):
        stepfunctions._executions[f"run-{number:03}"] = {
            "stateMachineArn": "lifecycle", "status": "RUNNING" if number == 0 else "SUCCEEDED", "input": "{}",
            "stopDate": None if number == 0 else f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z", "output": "{}",
            "events": [{"id": 1}],
        }  # fmt: skip
    bounds.bound_executions(stepfunctions)
    kept = dict(stepfunctions._executions.items())
    assert len(kept) == 61
    whole = [name for name, execution in kept.items() if execution["events"]]
    assert whole == ["run-000", *(f"run-{number:03}" for number in range(60, 100))]
    assert kept["run-040"]["status"] == "SUCCEEDED"
    assert "run-039" not in kept


def put(*lines: bytes) -> None:
    records = [{"Data": base64.b64encode(line).decode()} for line in lines]
    firehose._put_record_batch(STREAM | {"Records": records})


def objects() -> list[bytes]:
    return [stored["body"] for stored in s3._buckets["data"]["objects"].values()]


@pytest.fixture
def buffer(monkeypatch: pytest.MonkeyPatch) -> Buffer:
    for name in ("_deliver_records_to_s3", "get_state", "load_persisted_state"):
        monkeypatch.setattr(firehose, name, getattr(firehose, name))
    buffer = Buffer(firehose, request_scope)
    buffer.take_over()
    s3._create_bucket("data", b"", {})
    destination = {
        "BucketARN": "arn:aws:s3:::data",
        "RoleARN": "arn:aws:iam::000000000000:role/r",
        "Prefix": "captures/",
    }
    firehose._create_delivery_stream(STREAM | {"ExtendedS3DestinationConfiguration": destination})
    return buffer


def test_many_predictions_become_one_object_and_leave_no_record(buffer: Buffer) -> None:
    put(b"1\n", b"2\n")
    put(b"3\n")
    assert objects() == []
    buffer.flush()
    assert objects() == [b"1\n2\n3\n"]
    small = size(firehose)
    for _ in range(200):
        put(b"x" * 100 + b"\n")
    buffer.flush()
    assert len(objects()) == 2
    assert size(firehose) == small


def test_a_capture_that_waits_at_a_kill_is_written_after_it(buffer: Buffer) -> None:
    put(b"1\n")
    saved = firehose.get_state()
    firehose.reset()
    firehose.load_persisted_state(saved)
    buffer.flush()
    assert objects() == [b"1\n"]


def test_what_an_earlier_version_delivered_is_not_delivered_again(buffer: Buffer) -> None:
    put(b"1\n")
    saved = firehose.get_state()
    del saved["modelcycle_buffered"]
    firehose.reset()
    firehose.load_persisted_state(saved)
    buffer.flush()
    assert objects() == []


def test_an_object_whose_file_cannot_be_written_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    full = True

    def persist(bucket: str, key: str, stored: dict[str, Any]) -> None:
        if not full:
            stored["body"] = None  # as MiniStack does once the file is there

    monkeypatch.setattr(s3, "_persist_object", persist)
    beside = Objects(s3, request_scope)
    beside.take_over()
    s3._create_bucket("data", b"", {})
    for key in ("kept", "replaced"):
        s3._buckets["data"]["objects"][key] = {"body": b"1"}
        s3._persist_object("data", key, s3._buckets["data"]["objects"][key])
    s3._buckets["data"]["objects"]["replaced"] = {"body": None}
    assert beside.write() == "1 objects could not be written"
    full = False
    assert beside.write() is None
    assert (beside.unwritten, s3._buckets["data"]["objects"]["kept"]["body"]) == (0, None)
