"""The number of events in the history of an execution.

An execution whose 25,000th event is not its end fails (AWS page "Avoid reaching the history quota"). MiniStack records
fewer events than AWS: neither the start of a task, nor the states and the iterations within a Map or a Parallel. Those
are counted beside the recorded ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from infra.local.emulator.limits.states import HANDLERS
from infra.local.quotas import HISTORY

ENDS = frozenset({"ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"})
MESSAGE = f"The execution reached the maximum number of history events ({HISTORY.maximum})."
UNRECORDED = "unrecordedEvents"  # of an execution
EVENTS_OF_STATE = 2  # entered, exited
EVENTS_OF_BRANCH = 2  # an iteration started, and ended

_lock = threading.Lock()
# the execution of whose Map or Parallel this thread runs an item or a branch
_within: ContextVar[dict[str, Any] | None] = ContextVar("within", default=None)


def limit_histories(flows: Any) -> None:
    """Fail executions that reach the quota.

    Parameters
    ----------
    flows : MiniStack's service of Step Functions
    """
    add_event, run_branch = flows._add_event, flows._run_sub_machine

    def add_event_limited(execution: dict[str, Any], event_type: str, details: Any = None) -> Any:
        if event_type not in ENDS:
            _count(flows, execution, 1 if event_type == "TaskScheduled" else 0)
        return add_event(execution, event_type, details)

    def run_branch_counted(states: Any, start: str, data: Any, execution: dict[str, Any], context: Any) -> Any:
        _count(flows, execution, EVENTS_OF_BRANCH)
        token = _within.set(execution)
        try:
            return run_branch(states, start, data, execution, context)
        finally:
            _within.reset(token)

    flows._add_event, flows._run_sub_machine = add_event_limited, run_branch_counted
    for name in HANDLERS:
        setattr(flows, name, _counted(flows, getattr(flows, name)))


def count_events(execution: dict[str, Any]) -> int:
    """Return how many events AWS's history of an execution would have so far."""
    return len(execution["events"]) + int(execution.get(UNRECORDED, 0))


def _counted(flows: Any, execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_counted(*arguments: Any) -> Any:
        execution = _within.get()
        if execution is not None:
            _count(flows, execution, EVENTS_OF_STATE)
        return execute(*arguments)

    return execute_counted


def _count(flows: Any, execution: dict[str, Any], unrecorded: int) -> None:
    with _lock:
        if unrecorded:
            execution[UNRECORDED] = execution.get(UNRECORDED, 0) + unrecorded
        # the last one is for the end
        is_full = count_events(execution) >= HISTORY.maximum - 1
    if is_full:
        raise flows._ExecutionError(HISTORY.error, MESSAGE)
