"""What a restart of the emulator carries over: unread records of streams, events on their way, ends of executions."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from ministack.core.responses import AccountRegionScopedDict

from infra.local import deliveries as module
from infra.local import streams
from infra.local.deliveries import CUT_OFF, Deliveries, Delivery

SCOPE = ("000000000000", "us-east-1")
TABLE = (*SCOPE, "registry")
MAPPING = (*SCOPE, "m-1")
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:conclude:live"


class Dynamo:
    """As much of MiniStack's service as a stream is made of."""

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


def mappings(position: int, *more: int) -> Any:
    """MiniStack's Lambda with mappings of the table's stream, by how far each has read."""
    esms, positions = AccountRegionScopedDict(), AccountRegionScopedDict()
    for number, read in enumerate((position, *more), 1):
        key = (*SCOPE, f"m-{number}")
        esms._data[key] = {"EventSourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/registry/stream/2026"}
        positions._data[key] = read
    return SimpleNamespace(_esms=esms, _dynamodb_stream_positions=positions)


def read_on(dynamodb: Dynamo, lambda_service: Any) -> list[int]:
    """What the poller would give to the mapping's function."""
    position = max(lambda_service._dynamodb_stream_positions._data[MAPPING], dynamodb._stream_trimmed._data[TABLE])
    records: list[int] = dynamodb._stream_records._data[TABLE][position - dynamodb._stream_trimmed._data[TABLE] :]
    return records


@pytest.mark.parametrize("read", [0, 3, 5])
def test_the_records_that_a_mapping_has_not_read_are_read_after_a_restart(read: int) -> None:
    before, lambda_service = Dynamo(), mappings(read)
    streams.save_unread_records(before, lambda_service)
    before.write(0, 1, 2, 3, 4)
    after = Dynamo()
    streams.save_unread_records(after, lambda_service)
    after.load_persisted_state(before.get_state())
    streams.reset_lost_positions(after, lambda_service)
    after.write(5)
    assert read_on(after, lambda_service) == [0, 1, 2, 3, 4, 5][read:]


def test_the_slowest_mapping_loses_nothing() -> None:
    dynamodb = Dynamo()
    dynamodb.write(0, 1, 2, 3)
    (found,) = streams.unread(dynamodb, mappings(4, 1))._data.values()
    assert found == {"first": 1, "records": [1, 2, 3]}


def test_a_position_of_a_stream_that_was_not_saved_begins_anew() -> None:
    """As a version left it that saved positions alone: 167 against 38 records."""
    dynamodb, lambda_service = Dynamo(), mappings(167)
    dynamodb.load_persisted_state({"tables": {}})
    streams.reset_lost_positions(dynamodb, lambda_service)
    dynamodb.write(*range(38))
    dynamodb._stream_trimmed._data.setdefault(TABLE, 0)
    assert read_on(dynamodb, lambda_service) == list(range(38))


class Emulator:
    """As much of MiniStack as a delivery takes: functions that fail so often, and flows."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.called: list[Any] = []
        self.undelivered: list[str] = []
        self.started: list[Any] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._executions = AccountRegionScopedDict()
        self.deliveries = Deliveries(self, self, self, lambda account, region: contextlib.nullcontext())

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

    def cut_off(self, arn: str, *events: str) -> None:
        self._executions._data[*SCOPE, arn] = {
            "executionArn": arn, "stateMachineArn": "lifecycle", "status": "FAILED", "error": CUT_OFF, "input": "{}",
            "events": [{"type": kind} for kind in events],
        }  # fmt: skip

    def settle(self) -> None:
        deadline = time.monotonic() + 10
        while self.deliveries.pending or self.deliveries.recovering:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)


@pytest.mark.parametrize(("failures", "calls", "undelivered"), [(0, 1, []), (2, 3, []), (3, 3, ["the queue"])])
def test_an_event_is_tried_again_and_then_kept_where_the_template_says(
    failures: int, calls: int, undelivered: list[str]
) -> None:
    emulator = Emulator(failures)
    emulator.deliveries.resume()
    emulator.deliveries.send(Delivery(FUNCTION, "{}", *SCOPE))
    emulator.settle()
    assert (len(emulator.called), emulator.undelivered) == (calls, undelivered)


def test_an_event_that_was_on_its_way_at_a_kill_is_delivered_after_it() -> None:
    killed, after = Emulator(), Emulator()
    killed.may_answer.clear()
    killed.deliveries.send(Delivery(FUNCTION, '{"n": 1}', *SCOPE))
    after.deliveries.restore(json.loads(json.dumps(killed.deliveries.saved())))
    after.deliveries.resume()
    after.settle()
    assert after.called == [{"n": 1}]
    killed.may_answer.set()


def test_the_end_of_an_execution_that_was_cut_off_is_told_once() -> None:
    emulator = Emulator()
    emulator.cut_off("run-1", "TaskStateExited")
    emulator.deliveries.resume()
    emulator.settle()
    again = Emulator()
    again._executions = emulator._executions
    again.deliveries.restore(emulator.deliveries.saved())
    again.deliveries.resume()
    again.settle()
    assert emulator.called == [{"status": "FAILED", "arn": "run-1"}]
    assert again.called == []


def test_a_kill_before_the_end_was_heard_tells_it_again() -> None:
    killed, after = Emulator(), Emulator()
    killed.may_answer.clear()
    killed.cut_off("run-1", "TaskStateExited")
    killed.deliveries.resume()
    assert killed.deliveries.recovering
    after._executions = killed._executions
    after.deliveries.restore(killed.deliveries.saved())
    after.deliveries.resume()
    after.settle()
    assert after.called == [{"status": "FAILED", "arn": "run-1"}]
    killed.may_answer.set()


@pytest.mark.parametrize(
    ("events", "started"), [(("ExecutionStarted", "TaskStateEntered"), 1), (("TaskStateExited",), 0)]
)
def test_an_execution_that_had_done_nothing_yet_is_started_again(events: tuple[str, ...], started: int) -> None:
    emulator = Emulator()
    emulator.cut_off("run-1", *events)
    emulator.deliveries.resume()
    emulator.settle()
    assert emulator.started == [{"stateMachineArn": "lifecycle", "input": "{}"}] * started
