"""Delivers events of the bus to functions until they succeed, and reports executions that a stop interrupted.

MiniStack calls a function once for an event, in a thread that ends with the process. EventBridge retries, and so does
this module: `MaximumRetryAttempts` and `OnFailure` are those of the template, and pending events are saved with the
bus, so that neither a kill nor an error of the function loses one.

When the emulator stops, MiniStack fails its executions without an event. Here the next start reports each such end to
the bus as AWS reports the end of any execution: the rules of the template then conclude its run, or withdraw its
rollout. An execution that had not finished its first task is started again, since usually not even its run is recorded
yet: an upload or a degradation just before the stop still gets its run.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from typing import Any

STATE_KEY = "modelcycle_deliveries"
RESTART_ERROR = "States.ServiceRestart"  # MiniStack's error for an execution that its own stop interrupted
DEFAULT_ATTEMPTS = 3  # where the template has no number, as on AWS
FIRST_PAUSE = 1.0  # seconds before the second attempt, doubled for each further one; AWS waits minutes
POLL_INTERVAL = 0.05  # seconds

logger = logging.getLogger("modelcycle.deliveries")


@dataclass(frozen=True)
class Delivery:
    """One event for one function.

    Parameters
    ----------
    function : ARN with the alias
    payload : JSON
    """

    function: str
    payload: str
    account: str
    region: str


@dataclass(frozen=True)
class Restart:
    """An execution to start again.

    Parameters
    ----------
    machine : ARN of the state machine
    input : JSON
    """

    machine: str
    input: str
    account: str
    region: str


class EventDeliveries:
    """The pending events, and the executions that the last stop interrupted.

    Parameters
    ----------
    eventbridge, lambda_service, stepfunctions : services of MiniStack
    scope : MiniStack's `request_scope(account, region)`
    """

    def __init__(self, eventbridge: Any, lambda_service: Any, stepfunctions: Any, scope: Any) -> None:
        self._eventbridge = eventbridge
        self._lambda = lambda_service
        self._stepfunctions = stepfunctions
        self._scope = scope
        self._pending: dict[str, Delivery] = {}
        self._reported: set[str] = set()  # ARNs of interrupted executions
        self._restarts: dict[str, Restart] = {}  # by the ARN of the interrupted execution
        self._pending_at_start: set[str] | None = None  # None until `resume`
        self._lock = threading.RLock()

    def install(self) -> None:
        """Let MiniStack's bus deliver through this object, and save its state with the bus."""
        from ministack.core.responses import get_account_id, get_region

        get_state, load_state = self._eventbridge.get_state, self._eventbridge.load_persisted_state

        def dispatch(function: str, payload: str) -> None:
            self.send(Delivery(function, payload, get_account_id(), get_region()))

        def load_persisted_state(data: dict[str, Any]) -> None:
            load_state(data)
            self.restore(data.get(STATE_KEY))

        self._eventbridge._dispatch_to_lambda = dispatch
        self._eventbridge.get_state = lambda: {**get_state(), STATE_KEY: self.state()}
        self._eventbridge.load_persisted_state = load_persisted_state

    @property
    def pending(self) -> int:
        """Number of events that no function has processed yet."""
        return len(self._pending)

    @property
    def recovering(self) -> bool:
        """Whether an event from before the start, or about an interrupted execution, is still pending."""
        return (
            self._pending_at_start is None
            or bool(self._restarts)
            or bool(self._pending_at_start & self._pending.keys())
        )

    def state(self) -> dict[str, Any]:
        """Return what a restart needs, as JSON."""
        with self._lock:
            return {
                "pending": {name: asdict(delivery) for name, delivery in self._pending.items()},
                "told": sorted(self._reported),
                "again": {arn: asdict(restart) for arn, restart in self._restarts.items()},
            }

    def restore(self, state: dict[str, Any] | None) -> None:
        """Load what `state` returned; nothing is sent before `resume`."""
        if state:
            self._pending = {name: Delivery(**delivery) for name, delivery in state["pending"].items()}
            self._reported = set(state["told"])
            self._restarts = {arn: Restart(**restart) for arn, restart in state["again"].items()}

    def resume(self) -> None:
        """Send restored events and report interrupted executions. Call it when functions can be called."""
        with self._lock:
            restored = list(self._pending)
            self._report_interrupted()
            self._pending_at_start = set(self._pending)
        for name in restored:
            self._start(name)
        threading.Thread(target=self._restart_executions, daemon=True).start()

    def send(self, delivery: Delivery) -> None:
        """Start to deliver an event; return at once."""
        name = uuid.uuid4().hex
        with self._lock:
            self._pending[name] = delivery
        self._start(name)

    def _report_interrupted(self) -> None:
        """Report each interrupted execution once: the event and the mark that it was sent are saved together."""
        executions = list(self._stepfunctions._executions._data.items())
        for (account, region, arn), execution in executions:
            if execution.get("error") == RESTART_ERROR and arn not in self._reported:
                with self._scope(account, region):
                    self._stepfunctions._emit_execution_status_event(execution)
                self._reported.add(arn)
                steps = execution["events"]  # empty if they are no longer kept
                if "mapRunArn" in execution:
                    continue  # an item of a Distributed Map: it starts with the execution that it belongs to
                if steps and not any(step["type"] == "TaskStateExited" for step in steps):
                    self._restarts[arn] = Restart(execution["stateMachineArn"], execution["input"], account, region)
        self._reported &= {arn for (_, _, arn), _ in executions}

    def _restart_executions(self) -> None:
        """Start executions again, after all ends are processed: else `withdraw` could undo a rollout that restarted."""
        while self._pending_at_start and self._pending_at_start & self._pending.keys():
            time.sleep(POLL_INTERVAL)
        for arn, restart in list(self._restarts.items()):
            with self._scope(restart.account, restart.region), self._lock:
                self._stepfunctions._start_execution({"stateMachineArn": restart.machine, "input": restart.input})
                self._restarts.pop(arn)

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
        """Call the function until it succeeds; after the last attempt the event goes to the `OnFailure` destination."""
        function, config, name = self._lambda._get_func_record_for_ref(delivery.function)
        if not function or not config:
            logger.warning("there is no function %s", delivery.function)
            return
        settings = self._lambda._event_invoke_config(function, _alias(delivery.function)) or {}
        attempts = 1 + int(settings.get("MaximumRetryAttempts", DEFAULT_ATTEMPTS - 1))
        record, event = self._lambda._execution_record_for_config(function, config), json.loads(delivery.payload)
        result: dict[str, Any] = {}
        for attempt in range(attempts):
            if attempt:
                time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
            result = self._lambda._execute_function_with_config_scope(record, event)
            if not result.get("error"):
                return
        destination = (settings.get("DestinationConfig") or {}).get("OnFailure", {}).get("Destination")
        if destination:
            self._lambda._route_async_failure(destination, name, event, result)


def _alias(function: str) -> str:
    """Return the alias at the end of an ARN; empty if there is none."""
    return function.partition(":function:")[2].partition(":")[2]
