"""Events on their way from the bus to a function, which neither a kill nor a fault of the function loses.

MiniStack hands an event to a function once, in a thread that ends with the process. EventBridge calls it again until
it has taken the event, and so does this: `MaximumRetryAttempts` and `OnFailure` are those of the template, and what is
on its way is saved with the bus.

An execution that the end of the emulator cut off is told to the bus as AWS tells the end of any execution, so that
the rules of the template conclude its run, or withdraw its rollout. One that was cut off before its first task ended
has nothing to show, most often not even a run on record: it is started again, so that an upload or a degradation that
came just before the stop has its run.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from typing import Any

DELIVERIES = "modelcycle_deliveries"
CUT_OFF = "States.ServiceRestart"  # the error that MiniStack gives to an execution which its own end cut off
ATTEMPTS = 3  # where the template says nothing, as on AWS
PAUSE = 1.0  # seconds before the second attempt, twice that before the third; AWS waits minutes

logger = logging.getLogger("modelcycle.deliveries")


@dataclass(frozen=True)
class Delivery:
    """One event for one function. `function` is its ARN, with the alias; `payload` is JSON."""

    function: str
    payload: str
    account: str
    region: str


@dataclass(frozen=True)
class Again:
    """An execution that is to be started again; `input` is JSON."""

    machine: str
    input: str
    account: str
    region: str


class Deliveries:
    """What is on its way. The modules are MiniStack's own.

    Parameters
    ----------
    eventbridge, lambda_service, stepfunctions : services of MiniStack
    scope : its `request_scope`, which pins account and region
    """

    def __init__(self, eventbridge: Any, lambda_service: Any, stepfunctions: Any, scope: Any) -> None:
        self._eventbridge = eventbridge
        self._lambda = lambda_service
        self._stepfunctions = stepfunctions
        self._scope = scope
        self._pending: dict[str, Delivery] = {}
        self._told: set[str] = set()
        self._again: dict[str, Again] = {}
        self._found: set[str] | None = None  # what was on its way at the start, once that is known
        self._lock = threading.RLock()

    def take_over(self) -> None:
        """Inside the emulator's process: the bus delivers through here, and saves what is on its way."""
        from ministack.core.responses import get_account_id, get_region

        state, load = self._eventbridge.get_state, self._eventbridge.load_persisted_state

        def dispatch(function: str, payload: str) -> None:
            self.send(Delivery(function, payload, get_account_id(), get_region()))

        def load_persisted_state(data: dict[str, Any]) -> None:
            load(data)
            self.restore(data.get(DELIVERIES))

        self._eventbridge._dispatch_to_lambda = dispatch
        self._eventbridge.get_state = lambda: {**state(), DELIVERIES: self.saved()}
        self._eventbridge.load_persisted_state = load_persisted_state

    @property
    def pending(self) -> int:
        """How many events no function has taken yet."""
        return len(self._pending)

    @property
    def recovering(self) -> bool:
        """Whether something that an earlier end cut off has not been taken by its function yet."""
        return self._found is None or bool(self._again) or bool(self._found & self._pending.keys())

    def saved(self) -> dict[str, Any]:
        """All that a restart needs, as JSON."""
        with self._lock:
            return {
                "pending": {name: asdict(delivery) for name, delivery in self._pending.items()},
                "told": sorted(self._told),
                "again": {name: asdict(again) for name, again in self._again.items()},
            }

    def restore(self, saved: dict[str, Any] | None) -> None:
        """Take back what `saved` gave; nothing is sent before `resume`."""
        if saved:
            self._pending = {name: Delivery(**delivery) for name, delivery in saved["pending"].items()}
            self._told = set(saved["told"])
            self._again = {name: Again(**again) for name, again in saved["again"].items()}

    def resume(self) -> None:
        """Send what was on its way, and tell the ends that nobody was told. For when functions can be called."""
        with self._lock:
            waiting = list(self._pending)
            self._tell_what_was_cut_off()
            self._found = set(self._pending)
        for name in waiting:
            self._start(name)
        threading.Thread(target=self._start_again, daemon=True).start()

    def send(self, delivery: Delivery) -> None:
        """Begin to deliver; returns at once."""
        name = uuid.uuid4().hex
        with self._lock:
            self._pending[name] = delivery
        self._start(name)

    def _tell_what_was_cut_off(self) -> None:
        """Once for each execution: the mark that it was told and the event itself are saved together."""
        executions = list(self._stepfunctions._executions._data.items())
        for (account, region, arn), execution in executions:
            if execution.get("error") == CUT_OFF and arn not in self._told:
                with self._scope(account, region):
                    self._stepfunctions._emit_execution_status_event(execution)
                self._told.add(arn)
                events = execution["events"]
                if events and not any(event["type"] == "TaskStateExited" for event in events):
                    again = Again(execution["stateMachineArn"], execution["input"], account, region)
                    self._again[arn] = again
        self._told &= {arn for (_, _, arn), _ in executions}

    def _start_again(self) -> None:
        """Once their ends were told: a rollout is not to be withdrawn after it has begun anew."""
        while self._found and self._found & self._pending.keys():
            time.sleep(0.05)
        for name, again in list(self._again.items()):
            with self._scope(again.account, again.region), self._lock:
                self._stepfunctions._start_execution({"stateMachineArn": again.machine, "input": again.input})
                self._again.pop(name)

    def _start(self, name: str) -> None:
        threading.Thread(target=self._deliver, args=(name,), daemon=True).start()

    def _deliver(self, name: str) -> None:
        delivery = self._pending[name]
        try:
            with self._scope(delivery.account, delivery.region):
                self._call(delivery)
        except Exception:
            logger.exception("%s could not be called", delivery.function)
        finally:
            with self._lock:
                self._pending.pop(name, None)

    def _call(self, delivery: Delivery) -> None:
        function, config, name = self._lambda._get_func_record_for_ref(delivery.function)
        if not function or not config:
            logger.warning("there is no function %s", delivery.function)
            return
        settings = self._lambda._event_invoke_config(function, _alias(delivery.function)) or {}
        attempts = 1 + int(settings.get("MaximumRetryAttempts", ATTEMPTS - 1))
        record, event = self._lambda._execution_record_for_config(function, config), json.loads(delivery.payload)
        result: dict[str, Any] = {}
        for attempt in range(attempts):
            if attempt:
                time.sleep(PAUSE * 2 ** (attempt - 1))
            result = self._lambda._execute_function_with_config_scope(record, event)
            if not result.get("error"):
                return
        target = (settings.get("DestinationConfig") or {}).get("OnFailure", {}).get("Destination")
        if target:
            self._lambda._route_async_failure(target, name, event, result)


def _alias(function: str) -> str:
    """The alias at the end of an ARN, or nothing."""
    return function.partition(":function:")[2].partition(":")[2]
