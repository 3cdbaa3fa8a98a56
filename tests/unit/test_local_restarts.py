"""What survives a restart of the emulator: unread records of streams, pending events, ends of executions."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ministack.core.responses import AccountRegionScopedDict

from infra.local import cloud
from infra.local.emulator import event_deliveries, stream_records
from infra.local.emulator.event_deliveries import RESTART_ERROR, Delivery, EventDeliveries
from infra.local.emulator.status import RunningEmulator
from infra.local.faults import CloudBusy

SCOPE = ("000000000000", "us-east-1")
TABLE = (*SCOPE, "registry")
MAPPING = (*SCOPE, "m-1")
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:conclude:live"


class Dynamo:
    """The part of MiniStack's DynamoDB that holds streams."""

    def __init__(self) -> None:
        self._stream_records, self._stream_trimmed = AccountRegionScopedDict(), AccountRegionScopedDict()

    def get_state(self) -> dict[str, Any]:
        return {"tables": {}}

    def load_persisted_state(self, data: dict[str, Any]) -> None:
        pass

    def stream_start_position(self, table: str, *, account_id: str, region: str) -> int:
        return int(self._stream_trimmed.get_scoped(account_id, region, table, 0))

    def stream_end_position(self, table: str, *, account_id: str, region: str) -> int:
        records = self._stream_records.get_scoped(account_id, region, table) or []
        return self.stream_start_position(table, account_id=account_id, region=region) + len(records)

    def write(self, *numbers: int) -> None:
        self._stream_records._data.setdefault(TABLE, []).extend(numbers)


def lambda_with_mappings(*positions: int) -> Any:
    """MiniStack's Lambda with one mapping of the table's stream for each position that was read."""
    mappings, read = AccountRegionScopedDict(), AccountRegionScopedDict()
    for number, position in enumerate(positions, 1):
        key = (*SCOPE, f"m-{number}")
        mappings._data[key] = {"EventSourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/registry/stream/2026"}
        read._data[key] = position
    return SimpleNamespace(_esms=mappings, _dynamodb_stream_positions=read)


def next_records(dynamodb: Dynamo, lambda_service: Any) -> list[int]:
    """Return what the poller would pass to the first mapping's function."""
    trimmed = dynamodb._stream_trimmed._data[TABLE]
    position = max(lambda_service._dynamodb_stream_positions._data[MAPPING], trimmed)
    records: list[int] = dynamodb._stream_records._data[TABLE][position - trimmed :]
    return records


@pytest.mark.parametrize("position", [0, 3, 5])
def test_records_that_a_mapping_has_not_read_are_read_after_a_restart(position: int) -> None:
    before, lambda_service = Dynamo(), lambda_with_mappings(position)
    stream_records.save_unread_records(before, lambda_service)
    before.write(0, 1, 2, 3, 4)
    after = Dynamo()
    stream_records.save_unread_records(after, lambda_service)
    after.load_persisted_state(before.get_state())
    stream_records.reset_lost_positions(after, lambda_service)
    after.write(5)
    assert next_records(after, lambda_service) == [0, 1, 2, 3, 4, 5][position:]


def test_the_slowest_mapping_loses_nothing() -> None:
    dynamodb = Dynamo()
    dynamodb.write(0, 1, 2, 3)
    (stream,) = stream_records.unread_records(dynamodb, lambda_with_mappings(4, 1))._data.values()
    assert stream == {"first": 1, "records": [1, 2, 3]}


def test_a_position_without_saved_records_starts_at_the_first_record() -> None:
    """As a version left it that saved positions only: 167 of 38 records."""
    dynamodb, lambda_service = Dynamo(), lambda_with_mappings(167)
    dynamodb.load_persisted_state({"tables": {}})
    stream_records.reset_lost_positions(dynamodb, lambda_service)
    dynamodb.write(*range(38))
    dynamodb._stream_trimmed._data.setdefault(TABLE, 0)
    assert next_records(dynamodb, lambda_service) == list(range(38))


class Emulator:
    """The part of MiniStack that deliveries use; its function fails `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.called: list[Any] = []
        self.undelivered: list[str] = []
        self.started: list[Any] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._executions = AccountRegionScopedDict()
        self.deliveries = EventDeliveries(self, self, self, lambda account, region: contextlib.nullcontext())

    def _get_func_record_for_ref(self, arn: str) -> tuple[Any, Any, str]:
        return {"name": arn}, {"name": arn}, "conclude"

    def _execution_record_for_config(self, function: Any, config: Any) -> Any:
        return function

    def _event_invoke_config(self, function: Any, alias: str) -> Any:
        assert alias == "live"
        return {"MaximumRetryAttempts": 2, "DestinationConfig": {"OnFailure": {"Destination": "the queue"}}}

    def _execute_function_with_config_scope(self, record: Any, event: Any) -> dict[str, Any]:
        self.may_answer.wait(10)
        self.called.append(event)
        self.failures -= 1
        return {"error": True} if self.failures >= 0 else {}

    def _route_async_failure(self, target: str, name: str, event: Any, result: Any) -> None:
        self.undelivered.append(target)

    def _emit_execution_status_event(self, execution: dict[str, Any]) -> None:
        payload = json.dumps({"status": execution["status"], "arn": execution["executionArn"]})
        self.deliveries.send(Delivery(FUNCTION, payload, *SCOPE))

    def _start_execution(self, request: dict[str, Any]) -> None:
        self.started.append(request)

    def interrupt(self, arn: str, *events: str) -> None:
        """Add an execution that a stop interrupted after these events."""
        self._executions._data[*SCOPE, arn] = {
            "executionArn": arn, "stateMachineArn": "lifecycle", "status": "FAILED", "error": RESTART_ERROR,
            "input": "{}", "events": [{"type": kind} for kind in events],
        }  # fmt: skip

    def wait(self) -> None:
        """Wait until nothing is pending."""
        deadline = time.monotonic() + 10
        while self.deliveries.pending or self.deliveries.recovering:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_deliveries, "FIRST_PAUSE", 0.0)


@pytest.mark.parametrize(("failures", "calls", "undelivered"), [(0, 1, []), (2, 3, []), (3, 3, ["the queue"])])
def test_an_event_is_retried_and_then_sent_to_the_failure_destination_of_the_template(
    failures: int, calls: int, undelivered: list[str]
) -> None:
    emulator = Emulator(failures)
    emulator.deliveries.resume()
    emulator.deliveries.send(Delivery(FUNCTION, "{}", *SCOPE))
    emulator.wait()
    assert (len(emulator.called), emulator.undelivered) == (calls, undelivered)


def test_an_event_that_is_pending_at_a_kill_is_delivered_after_the_restart() -> None:
    killed, restarted = Emulator(), Emulator()
    killed.may_answer.clear()
    killed.deliveries.send(Delivery(FUNCTION, '{"n": 1}', *SCOPE))
    restarted.deliveries.restore(json.loads(json.dumps(killed.deliveries.state())))
    restarted.deliveries.resume()
    restarted.wait()
    assert restarted.called == [{"n": 1}]
    killed.may_answer.set()


def test_the_end_of_an_interrupted_execution_is_reported_once() -> None:
    first = Emulator()
    first.interrupt("run-1", "TaskStateExited")
    first.deliveries.resume()
    first.wait()
    second = Emulator()
    second._executions = first._executions
    second.deliveries.restore(first.deliveries.state())
    second.deliveries.resume()
    second.wait()
    assert first.called == [{"status": "FAILED", "arn": "run-1"}]
    assert second.called == []


def test_a_kill_before_an_end_was_processed_reports_it_again() -> None:
    killed, restarted = Emulator(), Emulator()
    killed.may_answer.clear()
    killed.interrupt("run-1", "TaskStateExited")
    killed.deliveries.resume()
    assert killed.deliveries.recovering
    restarted._executions = killed._executions
    restarted.deliveries.restore(killed.deliveries.state())
    restarted.deliveries.resume()
    restarted.wait()
    assert restarted.called == [{"status": "FAILED", "arn": "run-1"}]
    killed.may_answer.set()


@pytest.mark.parametrize(
    ("events", "started"), [(("ExecutionStarted", "TaskStateEntered"), 1), (("TaskStateExited",), 0)]
)
def test_an_execution_that_had_not_finished_a_task_is_started_again(events: tuple[str, ...], started: int) -> None:
    emulator = Emulator()
    emulator.interrupt("run-1", *events)
    emulator.deliveries.resume()
    emulator.wait()
    assert emulator.started == [{"stateMachineArn": "lifecycle", "input": "{}"}] * started


def test_a_cloud_of_another_release_is_not_stopped_or_deployed_while_it_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    working = RunningEmulator(1, 2, 0, None, running=("lifecycle:run-7",))
    monkeypatch.setattr(cloud, "running_emulator", lambda home: working)
    monkeypatch.setattr(cloud.process, "has_other_code", lambda home, code: True)
    for name in ("start", "stop"):
        monkeypatch.setattr(cloud.process, name, None)
    with pytest.raises(CloudBusy) as caught:
        cloud.up(home=tmp_path)
    assert caught.value.where == "lifecycle:run-7"
