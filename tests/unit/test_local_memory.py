"""After many predictions the emulator holds no more than after a few: MiniStack's own services, called directly."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from ministack.core.responses import request_scope
from ministack.services import cloudwatch, cloudwatch_logs, eventbridge, firehose, lambda_svc, s3, stepfunctions

from infra.local.emulator import memory_bounds
from infra.local.emulator.firehose_buffer import BUFFERED_KEY, FirehoseBuffer
from infra.local.emulator.unwritten_objects import UnwrittenObjects
from tests.contract.test_imports import ROOT, Loader

STREAM = {"DeliveryStreamName": "captures"}
FUNCTION = {"config": {"FunctionName": "predict", "Version": "1", "LoggingConfig": {"LogGroup": "predict"}}}


@pytest.fixture(autouse=True)
def _empty_services() -> Iterator[None]:
    services = (cloudwatch, cloudwatch_logs, eventbridge, firehose, s3, stepfunctions)
    for service in services:
        service.reset()
    yield
    for service in services:
        service.reset()


def state_size(service: Any) -> int:
    """Characters of a service's state as JSON."""
    return len(json.dumps(service.get_state(), default=lambda scoped: {str(k): v for k, v in scoped._data.items()}))


def predict(times: int) -> None:
    """Leave in the emulator what predictions leave: the log of the function, an event, a metric."""
    for number in range(times):
        lambda_svc._emit_lambda_logs(FUNCTION, f"request-{number}", "predict\n" * 4, False, 5)
        eventbridge._put_events({"Entries": [{"Source": "modelcycle", "DetailType": "Predicted", "Detail": "{}"}]})
        cloudwatch._metric_bucket(("ModelCycle", "Rows", ())).append({"Timestamp": 1.0, "Value": 1.0})


def test_ten_thousand_predictions_leave_as_much_as_a_thousand() -> None:
    predict(1_000)
    memory_bounds.bound_logs(cloudwatch_logs)
    size_after_a_thousand = state_size(cloudwatch_logs)
    predict(9_000)
    memory_bounds.bound_logs(cloudwatch_logs)
    memory_bounds.bound_metrics(cloudwatch)
    memory_bounds.bound_events(eventbridge)
    assert state_size(cloudwatch_logs) < 1.1 * size_after_a_thousand
    (events,) = eventbridge._events_log._data.values()
    assert len(events) == memory_bounds.MAX_BUS_EVENTS
    assert len(cloudwatch._metrics[("ModelCycle", "Rows", ())]) == memory_bounds.MAX_DATAPOINTS


def test_the_newest_calls_keep_their_logs_and_a_log_stream_of_the_template_is_kept() -> None:
    cloudwatch_logs._create_log_group({"logGroupName": "predict"})
    cloudwatch_logs._create_log_stream({"logGroupName": "predict", "logStreamName": "of-the-template"})
    predict(300)
    memory_bounds.bound_logs(cloudwatch_logs)
    streams = cloudwatch_logs._log_groups["predict"]["streams"]
    assert "of-the-template" in streams
    assert len(streams) == memory_bounds.MAX_LOG_STREAMS + 1
    assert "request-299" in json.dumps(list(streams.values())[-1])


def test_old_executions_lose_their_steps_and_keep_their_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_bounds, "MAX_EXECUTIONS", 60)
    for number in range(100):
        stepfunctions._executions[f"run-{number:03}"] = {
            "stateMachineArn": "lifecycle", "status": "RUNNING" if number == 0 else "SUCCEEDED", "input": "{}",
            "stopDate": None if number == 0 else f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z", "output": "{}",
            "events": [{"id": 1}],
        }  # fmt: skip
    memory_bounds.bound_executions(stepfunctions)
    executions = dict(stepfunctions._executions.items())
    assert len(executions) == 61
    with_steps = [name for name, execution in executions.items() if execution["events"]]
    assert with_steps == ["run-000", *(f"run-{number:03}" for number in range(60, 100))]
    assert executions["run-040"]["status"] == "SUCCEEDED"
    assert "run-039" not in executions


def put(*lines: bytes) -> None:
    """Send records to Firehose, as `predict` does."""
    records = [{"Data": base64.b64encode(line).decode()} for line in lines]
    firehose._put_record_batch(STREAM | {"Records": records})


def captures() -> list[bytes]:
    """The objects in the bucket."""
    return [stored["body"] for stored in s3._buckets["data"]["objects"].values()]


@pytest.fixture
def buffer(monkeypatch: pytest.MonkeyPatch) -> FirehoseBuffer:
    for name in ("_deliver_records_to_s3", "_metadata_extraction_keys", "get_state", "load_persisted_state"):
        monkeypatch.setattr(firehose, name, getattr(firehose, name))
    buffer = FirehoseBuffer(firehose, request_scope)
    buffer.install()
    s3._create_bucket("data", b"", {})
    destination = {
        "BucketARN": "arn:aws:s3:::data",
        "RoleARN": "arn:aws:iam::000000000000:role/r",
        "Prefix": "captures/",
    }
    firehose._create_delivery_stream(STREAM | {"ExtendedS3DestinationConfiguration": destination})
    return buffer


def test_many_predictions_become_one_object_and_leave_no_record(buffer: FirehoseBuffer) -> None:
    put(b"1\n", b"2\n")
    put(b"3\n")
    assert captures() == []
    buffer.flush()
    assert captures() == [b"1\n2\n3\n"]
    size_after_three = state_size(firehose)
    for _ in range(200):
        put(b"x" * 100 + b"\n")
    buffer.flush()
    assert len(captures()) == 2
    assert state_size(firehose) == size_after_three


def test_the_lines_of_each_model_become_an_object_under_its_prefix(buffer: FirehoseBuffer) -> None:
    """With the stream of the template: lines that share records are taken apart, and no line is lost."""
    template = yaml.load((ROOT / "infra" / "storage.yaml").read_text(), Loader)
    destination = template["Resources"]["CapturesByModel"]["Properties"]["ExtendedS3DestinationConfiguration"]
    destination |= {"BucketARN": "arn:aws:s3:::data"}
    firehose._create_delivery_stream({
        "DeliveryStreamName": "by-model", "ExtendedS3DestinationConfiguration": destination
    })  # fmt: skip
    lines = [json.dumps({"n": n, "model": f"m-{n % 3}"}).encode() + b"\n" for n in range(30)] + [b"not JSON\n"]
    records = [{"Data": base64.b64encode(b"".join(lines[n : n + 7])).decode()} for n in range(0, 31, 7)]
    firehose._put_record_batch({"DeliveryStreamName": "by-model", "Records": records})
    buffer.flush()
    objects = {key: stored["body"] for key, stored in s3._buckets["data"]["objects"].items()}
    hour = datetime.now(UTC)
    for model in range(3):
        (body,) = [
            body for key, body in objects.items()
            if key.startswith((f"captures/model=m-{model}/{hour:%Y/%m/%d/}",))
        ]  # fmt: skip
        assert sorted(body.splitlines(keepends=True)) == sorted(lines[model:30:3])
    (failed,) = [body for key, body in objects.items() if key.startswith("captures-failed/processing-failed/")]
    assert base64.b64decode(json.loads(failed)["rawData"]) == b"not JSON\n"


def test_a_capture_that_waits_when_the_cloud_is_killed_is_written_after_the_restart(buffer: FirehoseBuffer) -> None:
    put(b"1\n")
    state = firehose.get_state()
    firehose.reset()
    firehose.load_persisted_state(state)
    buffer.flush()
    assert captures() == [b"1\n"]


def test_records_that_an_earlier_version_delivered_are_not_delivered_again(buffer: FirehoseBuffer) -> None:
    put(b"1\n")
    state = firehose.get_state()
    del state[BUFFERED_KEY]
    firehose.reset()
    firehose.load_persisted_state(state)
    buffer.flush()
    assert captures() == []


def test_an_object_whose_file_cannot_be_written_is_written_later(monkeypatch: pytest.MonkeyPatch) -> None:
    disk_is_full = True

    def persist(bucket: str, key: str, stored: dict[str, Any]) -> None:
        if not disk_is_full:
            stored["body"] = None  # as MiniStack does once the file exists

    monkeypatch.setattr(s3, "_persist_object", persist)
    unwritten = UnwrittenObjects(s3, request_scope)
    unwritten.install()
    s3._create_bucket("data", b"", {})
    objects = s3._buckets["data"]["objects"]
    for key in ("unchanged", "replaced"):
        objects[key] = {"body": b"1"}
        s3._persist_object("data", key, objects[key])
    objects["replaced"] = {"body": None}
    assert unwritten.write() == "1 objects could not be written"
    disk_is_full = False
    assert unwritten.write() is None
    assert (unwritten.count, objects["unchanged"]["body"]) == (0, None)
